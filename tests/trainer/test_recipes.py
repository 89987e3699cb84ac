"""The recipes that ship: each loads, and trains for a step on a drawn dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from pix2pix_data.dataset import open_dataset
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.run_dir import make_run
from pix2pix_model.train import train

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
NARROW = ["generator.width=2", "discriminator.width=2", "train.max_steps=1", "train.device=cpu", "log.num_samples=1"]


def test_there_is_a_recipe_for_each_experiment():
    assert {path.stem for path in RECIPES} == {
        "cityscapes",
        "cityscapes-kmeans",
        "colorize",
        "day2night",
        "edges2handbags",
        "edges2shoes",
        "facades",
        "maps",
        "quickstart",
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_trains_for_a_step(path, dataset_dir, tmp_path):
    sizes = [f"data.load_size={36 if load_recipe(path).data.load_size.shorter > 256 else 32}", "data.crop_size=32"]
    recipe = load_recipe(path, [*NARROW, *sizes, f"data.path={dataset_dir}"])
    run = make_run(tmp_path / "runs", recipe.name)
    train(recipe, open_dataset(dataset_dir), run)
    run.lock.release()
    assert (run.path / "model" / "model.safetensors").is_file()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_says_what_it_costs_and_where_its_data_come_from(path):
    text = path.read_text()
    for word in ("# Source:", "# Settings:", "# Expected:", "# Cost:", "# Dataset:"):
        assert word in text
    assert load_recipe(path).data.source


@pytest.mark.parametrize(
    ("name", "epochs", "batch", "load_size", "mirror", "direction"),
    [
        ("facades", 200, 1, 286, True, "BtoA"),
        ("cityscapes", 200, 1, 286, True, "BtoA"),
        ("maps", 200, 1, 286, True, "AtoB"),
        ("edges2shoes", 15, 4, 256, False, "AtoB"),
        ("edges2handbags", 15, 4, 256, False, "AtoB"),
        ("day2night", 17, 4, 286, True, "AtoB"),
    ],
)
def test_recipe_has_the_papers_settings(name, epochs, batch, load_size, mirror, direction):
    recipe = load_recipe(RECIPES[0].with_name(f"{name}.toml"))
    assert recipe.train.epochs + recipe.train.decay_epochs == epochs
    assert (recipe.train.batch, recipe.data.load_size.as_number) == (batch, load_size)
    assert recipe.data.crop_size.as_number == 256
    assert (recipe.data.mirror, recipe.data.direction) == (mirror, direction)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("edges2shoes", "shoes-edges"), ("cityscapes-kmeans", "cityscapes-kmeans"), ("colorize", "photos-colorize")],
)
def test_recipe_looks_where_the_maker_writes(name, folder):
    assert load_recipe(RECIPES[0].with_name(f"{name}.toml")).data.path == Path(folder)
