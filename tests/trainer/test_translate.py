from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_model.checkpoint import DataFacts, Model, ModelConfig, load_model, save_model
from pix2pix_model.device import choose_device
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.translate import Job, Source, find_inputs, run_generator, translate
from pix2pix_model.views import views_of

SIZE_PX = 32
CPU = choose_device("cpu")
RGB = Sides((SideSpec(side="A"),), SideSpec(side="B"))
VIEWS = views_of(RGB)


def picture(index: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A narrow U-Net with random weights, saved and loaded as a finished model."""
    spec = GeneratorSpec(size_px=SIZE_PX, width=4)
    torch.manual_seed(0)
    generator = GENERATORS.get("unet")(spec)
    config = ModelConfig(
        name="test",
        architecture="unet",
        spec=spec,
        sides=RGB,
        crop_size=SIZE_PX,
        data=DataFacts(name="pairs", fingerprint="0", num_pairs={"train": 1}),
        steps=1,
        version="0",
    )
    save_model(tmp_path / "model", generator, config, "card")
    return load_model(tmp_path / "model")


def side_by_side(folder: Path, num: int) -> Path:
    for split in ("train", "test"):
        for i in range(num):
            write_png(folder / split / f"{i}.png", np.hstack([picture(i), picture(i + 50)]))
    return folder


def test_a_picture_of_any_size_keeps_its_size(model):
    for height, width in ((32, 32), (33, 70), (5, 9), (1, 1)):
        (made,) = run_generator(model.generator, VIEWS, [[picture(0, height, width)]], CPU)
        assert made.shape == (height, width, 3)
        assert made.dtype == np.uint8


def test_a_picture_of_the_right_size_is_given_to_the_network_as_it_is(model):
    given = picture(3)
    batch = torch.from_numpy(given).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = ((model.generator(batch)[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    assert np.array_equal(run_generator(model.generator, VIEWS, [[given]], CPU)[0], expected.numpy().astype(np.uint8))


def test_a_picture_does_not_depend_on_its_neighbours(model):
    alone = run_generator(model.generator, VIEWS, [[picture(1)]], CPU)[0].astype(int)
    together = run_generator(model.generator, VIEWS, [[picture(0)], [picture(1)], [picture(2)]], CPU)[1]
    assert np.abs(alone - together).max() <= 1


def test_a_picture_too_large_for_memory_is_refused(model, tmp_path):
    write_png(tmp_path / "in" / "huge.png", np.zeros((4000, 4000, 3), np.uint8))
    done = translate(model, find_inputs([tmp_path / "in"]), tmp_path / "out", device=CPU)
    assert "--size" in done.failures[0].reason


def test_a_folder_becomes_pictures_and_a_sheet(model, tmp_path):
    for name in ("b/2", "b/1", "a"):
        write_png(tmp_path / "in" / f"{name}.png", picture(1, 40, 64))
    done = translate(model, find_inputs([tmp_path / "in"]), tmp_path / "out", device=CPU, size_px=SIZE_PX)
    assert done.num_pictures == 3
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert made == ["a.png", "b/1.png", "b/2.png", "sheet.png"]
    assert read_rgb(tmp_path / "out" / "a.png").shape == (32, 51, 3), "the shorter side comes to the training size"


def test_size_is_kept_on_request(model, tmp_path):
    write_png(tmp_path / "in" / "a.png", picture(1, 40, 64))
    translate(model, find_inputs([tmp_path / "in"]), tmp_path / "out", device=CPU)
    assert read_rgb(tmp_path / "out" / "a.png").shape == (40, 64, 3)


def test_a_broken_picture_is_told_and_the_others_are_made(model, tmp_path):
    write_png(tmp_path / "in" / "a.png", picture(1))
    (tmp_path / "in" / "b.png").write_bytes(b"no")
    done = translate(model, find_inputs([tmp_path / "in"]), tmp_path / "out", device=CPU)
    assert done.num_pictures == 1
    assert [failure.key for failure in done.failures] == ["b"]
    assert json.loads((tmp_path / "out" / "failures.jsonl").read_text())["key"] == "b"


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_a_dataset_gives_its_test_split_in_the_direction_of_the_model(model, tmp_path, direction):
    source = find_inputs([side_by_side(tmp_path / "pairs", 3)])
    assert source.split == "test"
    sides = RGB if direction == "AtoB" else Sides((RGB.target,), RGB.inputs[0])
    turned = Model(model.generator, model.config.model_copy(update={"sides": sides}), model.path)
    translate(turned, source, tmp_path / "out", device=CPU)
    given = picture(1) if direction == "AtoB" else picture(51)
    (expected,) = run_generator(model.generator, VIEWS, [[given]], CPU)
    assert np.abs(read_rgb(tmp_path / "out" / "1.png").astype(int) - expected).max() <= 1


def test_a_folder_of_photos_is_no_dataset_for_having_a_folder_called_train(tmp_path):
    write_png(tmp_path / "in" / "train" / "a.png", picture(1, 30, 48))  # too narrow for two pictures
    source = find_inputs([tmp_path / "in"])
    assert source.dataset is None
    assert [job.key for job in source.jobs] == ["train/a"]


def test_a_split_is_asked_for_of_datasets_alone(tmp_path):
    assert find_inputs([side_by_side(tmp_path / "pairs", 2)], split="train").split == "train"
    write_png(tmp_path / "in" / "a.png", picture(1))
    with pytest.raises(UsageError, match="only a paired dataset"):
        find_inputs([tmp_path / "in"], split="train")


def test_a_key_that_leads_out_of_the_folder_is_refused(model, tmp_path):
    write_png(tmp_path / "in" / "a.png", picture(1))
    source = Source((Job("../../escaped", tmp_path / "in" / "a.png"), Job("sheet", tmp_path / "in" / "a.png")))
    done = translate(model, source, tmp_path / "x" / "out", device=CPU)
    assert [failure.key for failure in done.failures] == ["../../escaped"]
    assert not (tmp_path / "escaped.png").exists()
    assert done.sheet.name == "comparison-sheet.png", "the picture called sheet keeps its name"


def test_two_pictures_of_one_name_are_refused(tmp_path):
    for folder in ("x", "y"):
        write_png(tmp_path / folder / "a.png", picture(1))
    with pytest.raises(FormatError, match=r"both become a\.png"):
        find_inputs([tmp_path / "x", tmp_path / "y"])


def test_the_command_says_what_it_does_and_where_to_look(model, tmp_path):
    write_png(tmp_path / "in" / "a.png", picture(1))
    command = [sys.executable, "-m", "pix2pix_model.cli_model", "translate", "model", "in", "--device", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 pictures of in by model -> in-translated" in done.stderr
    assert "look at in-translated/sheet.png" in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def test_help_of_the_command_does_not_load_torch():
    code = (
        "import sys\nfrom pix2pix_model.cli_model import app\n"
        "try: app(['translate', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "p2p-model translate runs/" in done.stdout
