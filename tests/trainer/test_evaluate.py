"""Evaluating a model: the numbers, the files, the page, and what the command says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn
from typer.testing import CliRunner

from pix2pix_data.dataset import EncodedPair, open_dataset
from pix2pix_data.errors import FormatError, MissingExtraError, UsageError
from pix2pix_data.images import encode_png, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.shards import shard_path, write_shard
from pix2pix_model import evaluate as evaluate_module
from pix2pix_model.checkpoint import DataFacts, Model, ModelConfig, save_model
from pix2pix_model.cli_model import app
from pix2pix_model.device import choose_device
from pix2pix_model.evaluate import Judging, Task, choose_judges, evaluate, reread
from pix2pix_model.evaluation.page import chosen_examples, ranking_key
from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.tables import score_table, scores_json
from pix2pix_model.evaluation.tally import Judges, PictureScores
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import TestTime, set_test_time

CPU = choose_device("cpu")
SIDE_PX = 32
FACADES = LABEL_PALETTES["facades"]
HOSTILE = "<img src=x onerror=alert(1)>"


class Copying(nn.Module):
    """Gives back what it is given, times a factor."""

    multiple_px = smallest_px = 1

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures * self.factor


def config(direction: str = "AtoB") -> ModelConfig:
    sides = Sides((SideSpec(side="A"),), SideSpec(side="B"))
    return ModelConfig(
        name="tiny",
        architecture="unet",
        spec=GeneratorSpec(size_px=SIDE_PX, width=2),
        sides=sides if direction == "AtoB" else Sides((sides.target,), sides.inputs[0]),
        crop_size=SIDE_PX,
        data=DataFacts(name="pairs", fingerprint="0", num_pairs={"train": 1}),
        steps=7,
        version="0",
    )


def copying(direction: str = "AtoB", factor: float = 1.0) -> Model:
    return Model(Copying(factor).eval(), config(direction), Path("model"))


def picture(seed: int, side: int = SIDE_PX) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def labels(seed: int) -> np.ndarray:
    rows = np.roll(np.repeat([0, 1, 2, 6], SIDE_PX // 4), seed)
    return np.array(FACADES.colors, np.uint8)[rows][:, None].repeat(SIDE_PX, 1)


def pairs(folder: Path, sides: list[tuple[np.ndarray, np.ndarray]], num_train: int = 3) -> Path:
    """The same pairs in every split; the first `num_train` of them to train on."""
    for split, num in (("train", num_train), ("test", len(sides))):
        for i, (a, b) in enumerate(sides[:num]):
            write_png(folder / split / f"{i}.png", np.hstack([a, b]))
    return folder


def task(model: Model, folder: Path, split: str = "test", limit: int | None = None) -> Task:
    return Task(model, open_dataset(folder), split, PictureSize(SIDE_PX, SIDE_PX), CPU, limit)


def by_key(scores: tuple[Score, ...]) -> dict[str, Score]:
    return {score.key: score for score in scores}


# --- numbers ------------------------------------------------------------------------------------------------------


def test_scores_are_means_over_the_pictures(tmp_path):
    sides = [(picture(i), picture(10 + i)) for i in range(4)]
    done = evaluate(task(copying(), pairs(tmp_path / "d", sides)), Judges())
    expected = [peak_signal_noise_ratio(b, a, data_range=255) for a, b in sides]
    assert [one.values["psnr"] for one in done.pictures] == pytest.approx(expected, abs=1e-4)
    assert by_key(done.scores)["psnr"].value == pytest.approx(np.mean(expected), abs=1e-4)
    assert by_key(done.scores)["psnr"].spread == pytest.approx(np.std(expected), abs=1e-4)


def test_a_perfect_model_has_no_difference(tmp_path):
    done = evaluate(task(copying(), pairs(tmp_path / "d", [(picture(i), picture(i)) for i in range(4)])), Judges())
    scores = by_key(done.scores)
    assert scores["l1"].value == 0
    assert scores["ssim"].value == pytest.approx(1)
    assert scores["lab_l"].value == pytest.approx(1)
    assert scores["sharpness"].value == scores["sharpness"].real
    assert "4 pictures are the same" in scores["psnr"].note
    assert "ms_ssim" not in scores  # 32 px are too few for it


def test_a_real_training_picture_is_the_mark_for_colours(tmp_path):
    sides = [(picture(i), picture(10 + i)) for i in range(4)]
    done = evaluate(task(copying(factor=0.6), pairs(tmp_path / "d", sides, num_train=4)), Judges())
    score = by_key(done.scores)["lab_l"]
    assert score.real == pytest.approx(1)  # here they are the same pictures
    assert score.value < 0.95
    seen = evaluate(task(copying(), tmp_path / "d", "train"), Judges())
    assert by_key(seen.scores)["lab_l"].real is None


def test_made_labels_are_scored_by_the_nearest_colour(tmp_path):
    negative = 255 - labels(0)  # whose colours are of no class: it is B that shows labels
    right, wrong = (negative, labels(0)), (negative[:1].repeat(SIDE_PX, axis=0), labels(0))
    given = task(copying(factor=-1), pairs(tmp_path / "d", [right, wrong]))
    judges, notes = choose_judges(given, Judging(), tmp_path)
    assert judges.labels_are_made
    assert judges.features is None
    assert "12 classes" in notes[0]
    with pytest.raises(UsageError, match="makes labels"):
        choose_judges(given, Judging(segmenter="train"), tmp_path)
    scores = by_key(evaluate(given, judges).scores)
    assert scores["labels_per_pixel"].value == pytest.approx((1 + 1 / 4) / 2)
    assert scores["labels_per_class"].value == pytest.approx((1 + 3 * 0.5) / 4)


def test_photos_made_of_labels_are_judged_by_a_segmenter_and_real_ones_beside(tmp_path):
    class Darkest:
        name = "darkest"

        def __call__(self, pixels: Tensor) -> list[np.ndarray]:
            return [np.full(pixels.shape[1:3], int(one.float().mean() < 60), np.uint8) for one in pixels]

    sides = [(labels(i), np.full((SIDE_PX, SIDE_PX, 3), 10, np.uint8)) for i in range(2)]
    given = task(copying(), pairs(tmp_path / "d", sides))
    asked, _ = choose_judges(given, Judging(features="none"), tmp_path)
    assert asked.classes is None  # nobody asked for a segmenter
    classes = choose_judges(task(copying("BtoA"), tmp_path / "d"), Judging(features="none"), tmp_path)[0].classes
    done = evaluate(given, Judges(classes=classes, segmenter=Darkest()))
    scores = by_key(done.scores)
    assert scores["fcn_per_pixel"].value == pytest.approx(1 / 4)  # all said to be background
    assert scores["fcn_per_pixel"].real == pytest.approx(1 / 4)  # all said to be facade
    assert "darkest" in scores["fcn_per_pixel"].note
    assert done.labels is not None
    assert done.labels.real.accuracies[:2] == (0, 1)


def test_a_segmenter_without_labels_is_an_error(tmp_path):
    folder = pairs(tmp_path / "d", [(picture(i), picture(9 + i)) for i in range(3)])
    with pytest.raises(UsageError, match="neither side"):
        choose_judges(task(copying(), folder), Judging(segmenter="train"), tmp_path)


def test_without_the_extra_the_other_measures_are_taken_and_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_module.importlib.util, "find_spec", lambda _: None)
    folder = pairs(tmp_path / "d", [(picture(i), picture(9 + i)) for i in range(3)])
    judges, notes = choose_judges(task(copying(), folder), Judging(), tmp_path)
    assert judges.features is None
    assert "pix2pix-kit[evaluate]" in notes[-1]
    with pytest.raises(MissingExtraError, match="torchmetrics"):
        choose_judges(task(copying(), folder), Judging(features="lite0"), tmp_path)


def test_the_distance_of_sets_names_its_features(tmp_path):
    class Means:
        name, is_inception = "means", False

        def __call__(self, pixels: Tensor) -> Tensor:
            return pixels.float().mean((1, 2)) / 255

    pytest.importorskip("torchmetrics", reason="torchmetrics is an extra: evaluate")
    folder = pairs(tmp_path / "d", [(picture(i), picture(10 + i)) for i in range(6)])
    scores = by_key(evaluate(task(copying(), folder), Judges(features=Means())).scores)
    assert scores["frechet"].name == "Frechet distance on means"
    assert "6 made, 6 real pictures" in scores["frechet"].note
    assert "larger than it is" in scores["frechet"].note
    assert scores["frechet"].real is not None


def test_a_limit_takes_pairs_evenly_spread(tmp_path):
    folder = pairs(tmp_path / "d", [(picture(i), picture(i)) for i in range(7)])
    done = evaluate(task(copying(), folder, limit=3), Judges())
    assert [one.key for one in done.pictures] == ["0", "2", "4"]


def test_dropout_at_test_time_draws_the_same_for_a_picture_whatever_is_beside_it(tmp_path):
    dropping = nn.Sequential(nn.Dropout(0.5))
    dropping.multiple_px = dropping.smallest_px = 1
    told = config().model_copy(update={"test_time": TestTime(dropout=True)})
    set_test_time(dropping, told.test_time)
    folder = pairs(tmp_path / "d", [(picture(i), picture(10 + i)) for i in range(4)])
    model = Model(dropping, told, Path("model"))
    whole, half = (evaluate(task(model, folder, limit=limit), Judges()).pictures for limit in (4, 2))
    assert [whole[0], whole[2]] == list(half)


def test_further_inputs_come_from_datasets_of_the_same_keys(tmp_path):
    class Mean(Copying):
        def forward(self, pictures: Tensor) -> Tensor:
            return (pictures[:, :3] + pictures[:, 3:]) / 2

    dark, bright, gray = (np.full((SIDE_PX, SIDE_PX, 3), level, np.uint8) for level in (20, 220, 120))
    folder, hints = pairs(tmp_path / "d", [(dark, gray)] * 2), pairs(tmp_path / "hints", [(bright, dark)] * 2)
    first, further = SideSpec(side="A"), SideSpec(side="A", dataset="hints")
    two = config().model_copy(update={"sides": Sides((first, further), SideSpec(side="B"))})
    given = task(Model(Mean(1).eval(), two, Path("model")), folder)
    with pytest.raises(UsageError, match="given 2 pictures"):
        evaluate(given, Judges())
    given = replace(given, also=(open_dataset(hints),))
    assert by_key(evaluate(given, Judges()).scores)["l1"].value == 0
    shown, titles = reread(given, Judges(), ["1"])
    assert titles == ("A", "A of hints", "G(A)", "B")
    assert [int(one.mean()) for one in shown["1"]] == [20, 220, 120, 120]


def test_a_damaged_pair_is_told_and_the_others_are_measured(tmp_path):
    good = encode_png(picture(0))
    write_shard(
        shard_path(tmp_path / "d", "test", 0, 1),
        [EncodedPair("good", "", good, good), EncodedPair("bad", "", good[:99], good)],
    )
    (tmp_path / "d" / "build.json").write_text("{}")
    done = evaluate(task(copying(), tmp_path / "d"), Judges())
    assert [one.key for one in done.pictures] == ["good"]
    assert [failed.key for failed in done.failures] == ["bad"]
    write_shard(shard_path(tmp_path / "d", "test", 0, 1), [EncodedPair("bad", "", good[:99], good)])
    with pytest.raises(FormatError, match="no pair"):
        evaluate(task(copying(), tmp_path / "d"), Judges())


# --- tables and page ----------------------------------------------------------------------------------------------


def test_the_table_shows_which_way_is_better_and_notes_once():
    scores = [
        Score("lab_l", "Lab, L", 0.5, "higher", 0.75, 3, note="of all"),
        Score("lab_a", "Lab, a", 0.25, "lower", None, 2, 0.125, note="of all"),
    ]
    lines = score_table(scores).splitlines()
    assert lines[1].split() == ["\N{UPWARDS ARROW}", "Lab,", "L", "0.500", "-", "0.750"]
    assert lines[2].split() == ["\N{DOWNWARDS ARROW}", "Lab,", "a", "0.25", "0.12", "-"]
    assert lines[3:] == ["  Lab, L, a: of all"]
    assert len({len(line) for line in lines[:2]}) == 1


def test_numbers_that_json_has_not_are_null():
    written = json.loads(
        scores_json([("evaluated", "x")], [Score("psnr", "PSNR", float("inf"), "higher")], None, 1, [])
    )
    assert written["scores"]["psnr"]["value"] is None


def test_the_worst_and_the_best_are_shown_and_none_twice():
    pictures = [PictureScores(str(i), {"l1": 0.1, "ssim": (i * 7 % 20) / 20}) for i in range(20)]
    chosen = chosen_examples(pictures)
    ranked = sorted(pictures, key=lambda one: one.values["ssim"])
    assert chosen["Worst"] == ranked[:6]
    assert chosen["Best"] == ranked[::-1][:6]
    shown = [one.key for ones in chosen.values() for one in ones]
    assert len(shown) == len(set(shown)) == 18
    assert list(chosen_examples(pictures[:1])) == ["Worst"]


def test_a_picture_without_a_class_that_counts_leaves_the_ranking_to_another_measure():
    pictures = [
        PictureScores("a", {"l1": 0.1, "per_pixel": 0.5}),
        PictureScores("b", {"l1": 0.2, "per_pixel": math.nan}),
    ]
    assert ranking_key(pictures) == "l1"


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_model(tmp_path / "model", GENERATORS.get("unet")(config().spec), config(), "card")
    return tmp_path / "model"


def hostile_dataset(folder: Path) -> Path:
    sides = [(encode_png(picture(i)), encode_png(picture(10 + i))) for i in range(3)]
    keys = [HOSTILE.replace("/", ""), "one", "two"]
    write_shard(
        shard_path(folder, "test", 0, 1), [EncodedPair(k, "", a, b) for k, (a, b) in zip(keys, sides, strict=True)]
    )
    (folder / "build.json").write_text("{}")
    return folder


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_command_writes_numbers_pictures_and_a_page(tmp_path, model_dir):
    out = tmp_path / "out"
    told = run(model_dir, "--on", hostile_dataset(tmp_path / "d"), "--features", "none", "--out", out)
    assert "PSNR" in told
    assert "3 pictures, 0 failed" in told
    written = json.loads((out / "evaluation.json").read_text())
    assert written["num_pictures"] == 3
    assert "test split, all 3 pairs" in written["evaluated"]["evaluated"]
    assert "dropout off" in written["evaluated"]["test time"]
    assert len((out / "pictures.jsonl").read_text().splitlines()) == 3
    page = (out / "report.html").read_text()
    assert HOSTILE not in page
    assert "&lt;img src=x" in page
    assert page.count("data:image") == 9
    assert "http" not in page.replace("http-equiv", "")


def test_the_same_command_gives_the_same_bytes(tmp_path, model_dir):
    dataset = hostile_dataset(tmp_path / "d")
    for name in ("first", "second"):
        run(model_dir, "--on", dataset, "--features", "none", "--out", tmp_path / name)
    for file in ("evaluation.json", "pictures.jsonl", "report.html"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_json_goes_to_stdout_alone(tmp_path, model_dir):
    dataset = hostile_dataset(tmp_path / "d")
    told = run(model_dir, "--on", dataset, "--features", "none", "--out", tmp_path / "out", "--json")
    assert json.loads(told) == json.loads((tmp_path / "out" / "evaluation.json").read_text())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, model_dir):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        run(model_dir, "--on", hostile_dataset(tmp_path / "d"), "--out", tmp_path / "out")


def test_a_dry_run_writes_nothing(tmp_path, model_dir):
    run(model_dir, "--on", hostile_dataset(tmp_path / "d"), "--out", tmp_path / "out", "--dry-run")
    assert not (tmp_path / "out").exists()


def test_a_run_is_evaluated_where_it_lies_on_what_it_was_trained_on(train_tiny):
    folder = train_tiny("train.max_steps=2")
    told = run(folder, "--features", "none")
    assert str(folder / "evaluation-validation" / "report.html") in told
    facts = json.loads((folder / "evaluation-validation" / "evaluation.json").read_text())["evaluated"]
    assert "validation split, all 3 pairs" in facts["evaluated"]
    assert "not the dataset" not in facts["evaluated"]
    assert facts["size"].startswith("32 px")


def test_a_model_alone_asks_for_a_dataset(tmp_path, model_dir):
    with pytest.raises(UsageError, match="is not where"):
        run(model_dir)


def test_help_of_the_command_does_not_load_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pix2pix_model.cli_model import app\n"
        "assert CliRunner().invoke(app, ['evaluate', '--help']).exit_code == 0\n"
        "print({'torch', 'numpy', 'cv2', 'datasets', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
