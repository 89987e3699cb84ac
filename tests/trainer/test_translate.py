from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from pix2pix_data.channels import decode_channels
from pix2pix_data.errors import FormatError, ImageError, UsageError
from pix2pix_data.images import decode_rgb, encode_png, read_rgb, write_png
from pix2pix_data.side_facts import NamedColor, SideFacts
from pix2pix_model.calibration import behaving, calibrate
from pix2pix_model.checkpoint import DataFacts, Model, ModelConfig, load_model, save_model
from pix2pix_model.cli_model import app
from pix2pix_model.device import choose_device
from pix2pix_model.generation import given_to
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import recalibrate
from pix2pix_model.translate import Job, Options, Source, Translator, find_inputs, run_generator, translate
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
    spec = GeneratorSpec(size_px=SIZE_PX, width=4, dropout_at="torch")
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


def test_a_folder_becomes_pictures_and_a_sheet(model, tmp_path):
    for name in ("b/2", "b/1", "a"):
        write_png(tmp_path / "in" / f"{name}.png", picture(1, 40, 64))
    done = translate(
        Translator(model, CPU, Options(size_px=SIZE_PX, as_made=True)), find_inputs([tmp_path / "in"]), tmp_path / "out"
    )
    assert done.num_pictures == 3
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png"))
    assert made == ["a.png", "b/1.png", "b/2.png", "sheet.png"]
    assert read_rgb(tmp_path / "out" / "a.png").shape == (32, 51, 3), "the shorter side comes to the training size"


@pytest.mark.parametrize("size_px", [None, 24])
def test_the_size_of_the_picture_is_kept(model, tmp_path, size_px):
    write_png(tmp_path / "in" / "a.png", picture(1, 40, 64))
    translate(Translator(model, CPU, Options(size_px=size_px)), find_inputs([tmp_path / "in"]), tmp_path / "out")
    assert read_rgb(tmp_path / "out" / "a.png").shape == (40, 64, 3)


def test_the_turn_of_a_photo_and_its_transparency_are_kept(model, tmp_path):
    rgba = np.dstack([picture(1, 40, 64), np.tile(np.arange(64, dtype=np.uint8) * 4, (40, 1))])
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    (tmp_path / "in").mkdir()
    Image.fromarray(rgba).save(tmp_path / "in" / "a.png", exif=turned)
    translate(Translator(model, CPU, Options(size_px=SIZE_PX)), find_inputs([tmp_path / "in"]), tmp_path / "out")
    made = decode_channels((tmp_path / "out" / "a.png").read_bytes(), "rgba")
    assert made.shape == (64, 40, 4)
    assert np.array_equal(made[:, :, 3], np.rot90(rgba[:, :, 3], -1))
    translate(Translator(model, CPU, Options(file_format="jpg")), find_inputs([tmp_path / "in"]), tmp_path / "jpg")
    assert (tmp_path / "jpg" / "a.jpg").read_bytes().startswith(b"\xff\xd8")
    translate(Translator(model, CPU, Options(file_format="webp")), find_inputs([tmp_path / "in"]), tmp_path / "webp")
    with Image.open(tmp_path / "webp" / "a.webp") as webp:
        assert (webp.size, webp.mode) == ((40, 64), "RGBA")


def test_a_format_that_cannot_hold_the_result_is_refused(model):
    sides = Sides((SideSpec(side="A"),), SideSpec(side="B", view="rgb16"))
    deep = Model(model.generator, model.config.model_copy(update={"sides": sides}), model.path)
    with pytest.raises(UsageError, match="16 bits"):
        Translator(deep, CPU, Options(file_format="jpg"))


# --- test time ----------------------------------------------------------------------------------------------------


def test_samples_differ_and_depend_on_nothing_but_key_and_seed(model, tmp_path):
    for name in ("a", "b"):
        write_png(tmp_path / "in" / f"{name}.png", picture(1))
    drawing = behaving(model, dropout=True)
    files = {}
    for out, paths, seed in (("both", ["in"], 0), ("alone", ["in/b.png"], 0), ("other", ["in"], 1)):
        options = Options(num_samples=2, seed=seed)
        translate(Translator(drawing, CPU, options), find_inputs([tmp_path / one for one in paths]), tmp_path / out)
        files[out] = {path.name: path.read_bytes() for path in (tmp_path / out).glob("*-?.png")}
    assert sorted(files["both"]) == ["a-1.png", "a-2.png", "b-1.png", "b-2.png"]
    assert len(set(files["both"].values())) == 4
    assert files["alone"].items() <= files["both"].items()
    assert not set(files["other"].values()) & set(files["both"].values())


def test_samples_without_dropout_are_refused(model):
    with pytest.raises(UsageError, match="all samples of a picture are the same"):
        Translator(model, CPU, Options(num_samples=2))


def test_statistics_are_measured_on_the_pictures_named(model, tmp_path):
    for i in range(3):
        write_png(tmp_path / "in" / f"{i}.png", picture(i, 32, 40) // (i + 1))
    source = find_inputs([tmp_path / "in"])
    translator = Translator(behaving(model, norm_statistics="recalibrated"), CPU)
    before = translator.generator.state_dict()["encoder.1.2.running_mean"].clone()
    assert calibrate(translator, source) == 3
    tensors = [given_to(model.generator, VIEWS, [picture(i, 32, 40) // (i + 1)], CPU) for i in range(3)]
    found = translator.generator.state_dict()["encoder.1.2.running_mean"].clone()
    assert not torch.equal(found, before)
    recalibrate(model.generator, tensors)
    torch.testing.assert_close(model.generator.state_dict()["encoder.1.2.running_mean"], found)


def test_a_model_without_batch_norms_has_no_statistics_to_choose(model):
    bare = GENERATORS.get("unet")(GeneratorSpec(size_px=SIZE_PX, width=4, norm="instance", dropout=0))
    with pytest.raises(UsageError, match="no batch norms"):
        behaving(Model(bare, model.config, model.path), norm_statistics="running")
    with pytest.raises(UsageError, match="without dropout"):
        behaving(Model(bare, model.config, model.path), dropout=True)


# --- pictures prepared --------------------------------------------------------------------------------------------


def test_a_photo_is_made_into_what_the_model_is_given(model, tmp_path):
    photo = np.full((40, 64, 3), 230, np.uint8)
    photo[10:30, 16:48] = (200, 30, 40)
    write_png(tmp_path / "in" / "a.png", photo)
    facts = SideFacts(
        kind="segments",
        maker="kmeans",
        colors=(NamedColor(name="wall", color="#c81e28"), NamedColor(name="sky", color="#ffffff")),
    )
    told = Model(model.generator, model.config.model_copy(update={"given": facts}), model.path)
    for prepare in ("photo", "drawing"):
        translator = Translator(told, CPU, Options(prepare=prepare))
        ((read,),) = translator.read(find_inputs([tmp_path / "in"]), [])
        assert {tuple(color) for color in read.given[0].reshape(-1, 3).tolist()} == {(200, 30, 40), (255, 255, 255)}
    dataset = find_inputs([side_by_side(tmp_path / "pairs", 2)])
    assert calibrate(translator, dataset) == 2, "those of a dataset are prepared already"
    with pytest.raises(UsageError, match="prepared already"):
        translator.read(dataset, [])
    with pytest.raises(UsageError, match="does not say what its pictures hold"):
        Translator(model, CPU, Options(prepare="photo")).read(find_inputs([tmp_path / "in"]), [])


# --- what to translate --------------------------------------------------------------------------------------------


def test_a_broken_picture_is_told_and_the_others_are_made(model, tmp_path):
    write_png(tmp_path / "in" / "a.png", picture(1))
    (tmp_path / "in" / "b.png").write_bytes(b"no")
    done = translate(Translator(model, CPU), find_inputs([tmp_path / "in"]), tmp_path / "out")
    assert done.num_pictures == 1
    assert [failure.key for failure in done.failures] == ["b"]
    assert json.loads((tmp_path / "out" / "failures.jsonl").read_text())["key"] == "b"


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_a_dataset_gives_its_test_split_in_the_direction_of_the_model(model, tmp_path, direction):
    source = find_inputs([side_by_side(tmp_path / "pairs", 3)])
    assert source.split == "test"
    sides = RGB if direction == "AtoB" else Sides((RGB.target,), RGB.inputs[0])
    turned = Model(model.generator, model.config.model_copy(update={"sides": sides}), model.path)
    translate(Translator(turned, CPU), source, tmp_path / "out")
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
    done = translate(Translator(model, CPU), source, tmp_path / "x" / "out")
    assert [failure.key for failure in done.failures] == ["../../escaped"]
    assert not (tmp_path / "escaped.png").exists()
    assert done.sheet.name == "comparison-sheet.png", "the picture called sheet keeps its name"


def test_two_pictures_of_one_name_are_refused(tmp_path):
    for folder in ("x", "y"):
        write_png(tmp_path / folder / "a.png", picture(1))
    with pytest.raises(FormatError, match=r"both become a\.png"):
        find_inputs([tmp_path / "x", tmp_path / "y"])


def test_a_pattern_names_pictures_by_their_path_below_it(tmp_path):
    for name in ("x/1.png", "y/1.png", "y/2.jpg"):
        write_png(tmp_path / name, picture(1))
    source = find_inputs([tmp_path / "*" / "*.png"])
    assert [job.key for job in source.jobs] == ["x/1", "y/1"]
    assert [job.key for job in find_inputs([tmp_path / "?"]).jobs] == ["x/1", "y/1", "y/2"]
    with pytest.raises(FormatError, match="no file matches"):
        find_inputs([tmp_path / "*.tif"])


def test_a_pipe_carries_one_picture(model):
    command = ["translate", str(model.path), "-", "--device", "cpu", "--size", "keep"]
    done = CliRunner().invoke(app, command, input=encode_png(picture(1, 40, 64)))
    assert done.exit_code == 0, done.stderr
    (expected,) = run_generator(model.generator, VIEWS, [[picture(1, 40, 64)]], CPU)
    assert np.array_equal(decode_rgb(done.stdout_bytes), expected)
    refused = CliRunner().invoke(app, command, input=b"no picture")
    assert isinstance(refused.exception, ImageError)
    assert refused.exception.where == "standard input"
    assert refused.stdout_bytes == b""


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


def test_the_same_command_goes_on_where_it_was_stopped_and_another_one_is_refused(model, tmp_path, monkeypatch):
    write_png(tmp_path / "in" / "a.png", picture(1))
    command = ["translate", str(model.path), str(tmp_path / "in"), "--device", "cpu", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("pix2pix_model.translate.draw_sheet", full_disk)
    assert isinstance(CliRunner().invoke(app, command).exception, OSError)
    monkeypatch.undo()
    assert (tmp_path / "out" / "a.png").is_file()
    (tmp_path / "out" / ".a.png.host.1.part").write_bytes(b"half")
    refused = CliRunner().invoke(app, [*command, "--size", "16"])
    assert isinstance(refused.exception, UsageError)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "failures.jsonl", "sheet.png"]


def full_disk(*_: object) -> None:
    raise OSError("full")


def test_help_of_the_command_does_not_load_torch():
    code = (
        "import sys\nfrom pix2pix_model.cli_model import app\n"
        "try: app(['translate', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "p2p-model translate runs/" in done.stdout
