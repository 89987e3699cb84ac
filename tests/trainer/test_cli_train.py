from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import numpy as np

from pix2pix_data.images import write_png
from pix2pix_model.plan import describe, stretching
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.shipped import shipped_recipes

IMPORTS = "import sys; from pix2pix_model.cli_train import main\ntry: main()\nfinally: print(*sorted(sys.modules))"


def test_help_loads_neither_torch_nor_numpy():
    line = [sys.executable, "-c", IMPORTS, "--help"]
    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert "p2p-train recipes/edges2shoes.toml" in shown
    assert not {"torch", "numpy", "pyarrow"} & set(shown.splitlines()[-1].split())


def test_it_trains_and_says_what_to_type_next(recipe_path, p2p_train, tmp_path, dataset_dir):
    ended = p2p_train(recipe_path)
    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert first.startswith("6 steps, 11 images in ")
    assert second == f"next: p2p-model translate runs/0001-tiny {dataset_dir}"
    assert ended.stderr.startswith("tiny: 7 train, 3 validation pairs of ")
    again = p2p_train(tmp_path / "runs" / "0001-tiny" / "recipe.toml", "--dry-run")
    assert "would start a new run" in again.stdout


def test_dry_run_tells_all_and_leaves_nothing(recipe_path, p2p_train, tmp_path):
    ended = p2p_train(recipe_path, "--dry-run", "--set", "train.epochs=3")
    assert ended.returncode == 0, ended.stderr
    assert tomllib.loads(ended.stdout)["train"]["epochs"] == 3
    assert "# would start a new run in runs" in ended.stdout
    assert "unet (0.02 M parameters) against patchgan (0.00 M), on the CPU" in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_faults_of_a_recipe_end_in_exit_code_1(recipe_path, p2p_train):
    ended = p2p_train(recipe_path, "--set", "train.epoch=3", "--set", "data.mirror=perhaps")
    assert ended.returncode == 1
    assert "did you mean train.epochs?" in ended.stderr
    assert "data.mirror: should be a valid boolean, not 'perhaps'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_network_that_cannot_be_built_leaves_no_run(recipe_path, p2p_train, tmp_path):
    ended = p2p_train(recipe_path, "--set", "data.crop_size=33")
    assert ended.returncode == 1
    assert "where: data.crop_size" in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_plain_photos_taken_for_pairs_are_noticed(recipe_path, p2p_train, tmp_path):
    write_png(tmp_path / "photos" / "train" / "a.png", np.zeros((40, 60, 3), np.uint8))
    ended = p2p_train(recipe_path, "--dry-run", "--set", "data.path=photos")
    assert "careful: a.png has 60x40 pixels" in ended.stderr


def test_a_plan_names_no_discriminator_where_none_is_trained(recipe_path, dataset):
    assert "parameters) against patchgan (0.00 M), on" in describe(load_recipe(recipe_path), dataset)
    assert "parameters) by L1 alone, on" in describe(load_recipe(recipe_path, ["loss.gan=none"]), dataset)


def test_pairs_of_another_shape_than_the_recipes_are_told(recipe_path, dataset):
    squares = load_recipe(recipe_path)
    assert stretching(squares, dataset) == (
        "pairs of 48x40 px are stretched to 36x36; to keep their shape, say data.load_size and data.crop_size "
        "as [height, width]"
    )
    assert stretching(load_recipe(recipe_path, ["data.load_size=[40, 48]"]), dataset) is None


def test_the_list_names_what_ships(p2p_train):
    ended = p2p_train("--list")
    assert ended.returncode == 0, ended.stderr
    listed = [line.split()[0] for line in ended.stdout.splitlines()]
    assert listed == [shipped.name for shipped in shipped_recipes()]
    assert re.search(r"^facades +Labels to photos of facades", ended.stdout, re.MULTILINE)


def test_a_recipe_shows_its_settings_before_there_are_data(p2p_train):
    ended = p2p_train("ablations/patch-16", "--dry-run", "--reference", "torch")
    assert ended.returncode == 1
    shown = tomllib.loads(ended.stdout)
    assert (shown["name"], shown["discriminator"]["patch"], shown["train"]["order"]) == ("patch-16", 16, "drawn")
    assert '--reference torch sets data.resize="linear", data.cut_from=1, ' in ended.stderr
    assert "p2p-data fetch cityscapes" in ended.stderr


def test_a_missing_dataset_comes_with_the_command_that_makes_it(recipe_path, p2p_train):
    made_by = 'data.source="make it: p2p-data edges ./photos"'
    ended = p2p_train(recipe_path, "--set", "data.path=nowhere", "--set", made_by)
    assert ended.returncode == 1
    assert "to do: make it: p2p-data edges ./photos" in ended.stderr


def test_wrong_usage_ends_in_exit_code_2(recipe_path, p2p_train):
    assert p2p_train("--new").returncode == 2
    assert p2p_train(recipe_path, "--resume", "runs/0001-tiny", "--new").returncode == 2


def test_resume_continues_a_run_past_its_end(recipe_path, p2p_train, tmp_path):
    run = tmp_path / "runs" / "0001-tiny"
    p2p_train(recipe_path, "--set", "train.max_steps=1")
    ended = p2p_train("--resume", run, "--set", "train.max_steps=3")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2 steps, ")
    assert load_recipe(run / "recipe.toml").train.max_steps == 3
