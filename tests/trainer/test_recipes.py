"""The recipes that ship: each loads, trains for two steps on a drawn dataset, and says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pix2pix_data.dataset import open_dataset
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.public_sets import PUBLIC_SETS
from pix2pix_model.recipe import PictureSize, Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.run_dir import make_run
from pix2pix_model.schedule import Schedule
from pix2pix_model.shipped import ShippedRecipe, notes_of, shipped_recipes
from pix2pix_model.train import train

SHIPPED = shipped_recipes()
BY_NAME = {shipped.name: load_recipe(shipped.path) for shipped in SHIPPED}
EXPERIMENTS = """
    background-removal cityscapes cityscapes-kmeans cityscapes-kmeans-512x256 cityscapes-kmeans-512x512
    cityscapes-photo2label colorize day2night day2night-laffont edges2handbags edges2shoes facades inpaint maps
    maps-map2sat maps-small-port pairs palette-completion quickstart sketches thermal
""".split()
BATCH_10 = {"train.batch": 10}
DIFFERENCES: dict[str, dict[str, object]] = {  # of each row of the paper's tables 1, 2 and 3 from pix2pix
    "objective-l1": {"loss.gan": "none"},
    "objective-gan": {"loss.conditional": False, "loss.l1": 0},
    "objective-cgan": {"loss.l1": 0},
    "objective-l1-gan": {"loss.conditional": False},
    "objective-l1-cgan": {},
    "generator-encoder-decoder-l1": {"generator.name": "encoder_decoder", "loss.gan": "none", **BATCH_10},
    "generator-encoder-decoder-l1-cgan": {"generator.name": "encoder_decoder", **BATCH_10},
    "generator-unet-l1": {"loss.gan": "none", **BATCH_10},
    "generator-unet-l1-cgan": BATCH_10,
    "patch-1": {"discriminator.patch": 1},
    "patch-16": {"discriminator.patch": 16},
    "patch-70": {},
    "patch-286": {"discriminator.patch": 286},
}
SMALL = "generator.width=2 discriminator.width=2 train.max_steps=2 train.device=cpu log.num_samples=1".split()

of_each = pytest.mark.parametrize("shipped", SHIPPED, ids=lambda shipped: shipped.name)


def settings_of(recipe: Recipe) -> dict[str, object]:
    return {
        f"{section}.{key}": value
        for section, settings in recipe.model_dump(exclude={"name"}).items()
        for key, value in settings.items()
    }


def differences(recipe: Recipe, base: Recipe) -> dict[str, object]:
    before = settings_of(base)
    return {key: value for key, value in settings_of(recipe).items() if value != before[key]}


def shrunk(size: PictureSize, unit_px: int, of_px: int) -> str:
    return f"[{size.height * unit_px // of_px}, {size.width * unit_px // of_px}]"


def says(note: str, recipe: Recipe) -> bool:
    """Whether a note on settings states epochs, batch, jitter and mirror, and truly."""
    note = note.lower()
    switches = {"jitter": recipe.data.load_size != recipe.data.crop_size, "mirror": recipe.data.mirror}
    epochs = recipe.train.epochs + recipe.train.decay_epochs
    return bool(re.search(rf"\b{epochs} epochs\b.*\bbatch {recipe.train.batch}\b", note)) and all(
        switch in note and (f"no {switch}" in note) != is_on for switch, is_on in switches.items()
    )


# --- what there is ------------------------------------------------------------------------------------------------


def test_there_is_a_recipe_for_each_experiment():
    assert list(BY_NAME) == EXPERIMENTS + [f"ablations/{name}" for name in sorted(DIFFERENCES)]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_an_ablation_differs_from_its_base_where_the_paper_does(name):
    assert differences(BY_NAME[f"ablations/{name}"], BY_NAME["cityscapes"]) == DIFFERENCES[name]
    assert BY_NAME[f"ablations/{name}"].name == name


@pytest.mark.parametrize(
    ("name", "base", "keys"),
    [
        ("cityscapes-photo2label", "cityscapes", "data.direction"),
        ("maps-map2sat", "maps", "data.direction"),
        ("maps-small-port", "maps", "data.load_size train.epochs train.decay_epochs train.batch"),
        ("pairs", "facades", "data.path data.source data.direction"),
        ("background-removal", "pairs", "data.path data.source"),
        ("edges2handbags", "edges2shoes", "data.path data.source"),
        ("sketches", "edges2shoes", "data.path data.source"),
        ("day2night-laffont", "day2night", "data.path data.source data.direction"),
        ("cityscapes-kmeans", "cityscapes", "data.path data.source data.direction"),
        ("cityscapes-kmeans-512x256", "cityscapes-kmeans", "data.path data.source data.load_size data.crop_size"),
        ("cityscapes-kmeans-512x512", "cityscapes-kmeans", "data.path data.source data.load_size data.crop_size"),
    ],
)
def test_an_experiment_differs_from_its_kin_in_these_alone(name, base, keys):
    assert differences(BY_NAME[name], BY_NAME[base]).keys() == set(keys.split())


@pytest.mark.parametrize(
    ("name", "num_pairs", "epochs", "batch", "load_size", "mirror", "direction"),
    [
        ("facades", 400, 200, 1, 286, True, "BtoA"),
        ("cityscapes", 2975, 200, 1, 286, True, "BtoA"),
        ("cityscapes-photo2label", 2975, 200, 1, 286, True, "AtoB"),
        ("maps", 1096, 200, 1, 286, True, "AtoB"),
        ("maps-map2sat", 1096, 200, 1, 286, True, "BtoA"),
        ("maps-small-port", 1096, 500, 16, 256, True, "AtoB"),
        ("edges2shoes", 49_825, 15, 4, 256, False, "AtoB"),
        ("sketches", 49_825, 15, 4, 256, False, "AtoB"),
        ("edges2handbags", 138_567, 15, 4, 256, False, "AtoB"),
        ("day2night", 17_823, 17, 4, 286, True, "AtoB"),
        ("day2night-laffont", 17_823, 17, 4, 286, True, "BtoA"),
        ("inpaint", 14_900, 25, 4, 256, False, "AtoB"),
        ("thermal", 36_609, 10, 4, 256, False, "AtoB"),
        ("ablations/objective-l1", 2975, 200, 1, 286, True, "BtoA"),
        ("ablations/generator-unet-l1", 2975, 200, 10, 286, True, "BtoA"),
    ],
)
def test_recipe_has_the_settings_of_its_source_and_says_its_steps(
    name, num_pairs, epochs, batch, load_size, mirror, direction
):
    recipe = BY_NAME[name]
    assert recipe.train.epochs + recipe.train.decay_epochs == epochs
    assert recipe.train.batch == batch
    assert (recipe.data.load_size, recipe.data.crop_size) == (PictureSize(load_size, load_size), PictureSize(256, 256))
    assert (recipe.data.mirror, recipe.data.direction) == (mirror, direction)
    (file,) = [shipped.path for shipped in SHIPPED if shipped.name == name]
    cost = re.match(r"([\d,]+) steps", notes_of(file.read_text())["Cost"])
    assert cost
    assert int(cost[1].replace(",", "")) == Schedule(recipe.train, num_pairs).num_steps


def test_what_a_maker_names_as_its_recipe_makes_b_from_a():
    for maker in {PAIR_MAKERS.get(name) for name in PAIR_MAKERS.names()}:
        assert BY_NAME[maker.trained_by].data.direction == "AtoB", maker


def test_what_a_public_set_names_as_its_recipe_makes_the_photo_or_the_night():
    for public in PUBLIC_SETS.values():
        given = public.a if BY_NAME[public.recipe].data.direction == "AtoB" else public.b
        assert given in ("the labels", "the edges", "the aerial photo", "the day")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("edges2shoes", "shoes-edges"),
        ("cityscapes-kmeans", "cityscapes-kmeans"),
        ("colorize", "photos-colorize"),
        ("inpaint", "photos-inpaint"),
        ("palette-completion", "palettes-inpaint"),
        ("day2night", "webcams-daynight"),
        ("facades", "facades"),
    ],
)
def test_recipe_looks_where_the_command_of_its_dataset_writes(name, folder):
    assert BY_NAME[name].data.path == Path(folder)


# --- what each says -----------------------------------------------------------------------------------------------


@of_each
def test_recipe_says_its_source_settings_result_cost_and_dataset(shipped: ShippedRecipe):
    notes = notes_of(shipped.path.read_text())
    assert list(notes) == ["Title", "Source", "Settings", "Expected", "Cost", "Dataset"]
    assert says(notes["Settings"], BY_NAME[shipped.name])
    assert "computed" in notes["Cost"] or "measured" in notes["Cost"]
    assert "p2p-data " in notes["Dataset"]
    assert "p2p-data " in BY_NAME[shipped.name].data.source
    assert len(f"{shipped.name}  {shipped.title}") < 120
    assert max(map(len, shipped.path.read_text().splitlines())) <= 120


# --- what each does -----------------------------------------------------------------------------------------------


@of_each
def test_recipe_trains_for_two_steps(shipped: ShippedRecipe, dataset_dir, tmp_path):
    full = BY_NAME[shipped.name]
    least_px = 96 if full.discriminator.patch == 286 else 32
    sizes = {
        f"data.{key}={shrunk(getattr(full.data, key), least_px, full.data.crop_size.shorter)}"
        for key in ("load_size", "crop_size")
    }
    recipe = load_recipe(shipped.path, [*SMALL, *sizes, f"data.path={dataset_dir}"])
    run = make_run(tmp_path / "runs", recipe.name)
    summary = train(recipe, open_dataset(dataset_dir), run)
    run.lock.release()
    assert summary.num_steps == 2
    assert (run.path / "model" / "model.safetensors").is_file()
