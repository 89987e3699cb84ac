"""Measuring on the validation split while a run trains, and the best checkpoint by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_model.best import Best
from pix2pix_model.checkpoint import best_checkpoint, last_checkpoint, load_model
from pix2pix_model.device import choose_device
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.saved_state import load_state, save_state
from pix2pix_model.state import build_state
from pix2pix_model.train import model_config
from pix2pix_model.validation import Measured, Validation

CPU = choose_device("cpu")
EVERY_STEP = "validation.every=1"


def measured(run: Path) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        line["step"]: {name: value for name, value in line.items() if name.startswith("val_")}
        for line in lines
        if "val_l1" in line
    }


def test_the_same_weights_measure_the_same_whatever_was_drawn_before(dataset, recipe):
    validation, generator = Validation(dataset, recipe), build_state(recipe, CPU).generator
    first = validation.measure(generator, CPU)
    torch.manual_seed(1)
    again = validation.measure(generator, CPU)
    assert first.values == again.values
    assert torch.equal(first.pictures, again.pictures)
    assert generator.training, "it goes on to train"


def test_it_measures_pictures_in_pixels_against_the_whole_uncut_targets(dataset, recipe):
    found = Validation(dataset, recipe).measure(build_state(recipe, CPU).generator, CPU)
    targets = [np.float64(pair.b) for pair in dataset.pairs("validation")]
    assert found.pictures.shape == (3, 32, 32, 3)
    by_hand = np.mean(
        [np.abs(made.numpy().mean() - target.mean()) for made, target in zip(found.pictures, targets, strict=True)]
    )
    assert found.values["val_l1"] * 255 >= by_hand - 1, (
        "the distance of two pictures is no less than that of their means"
    )
    assert 0 < found.values["val_l1"] < 1
    assert 0 < found.values["val_psnr"] < 30
    assert -1 < found.values["val_ssim"] < 1


def test_pairs_are_spread_over_the_split(dataset, recipe_path):
    recipe = load_recipe(recipe_path, ["validation.num_pairs=2"])
    validation = Validation(dataset, recipe)
    assert validation.num_pairs == 2
    assert validation.pairs.keys == [dataset.keys("validation")[i] for i in (0, 1)]


def test_it_is_logged_every_so_many_steps_and_at_the_end(train_tiny):
    run = train_tiny("validation.every=4")
    assert list(measured(run)) == [4, 6]
    assert list(measured(run)[6]) == ["val_l1", "val_psnr", "val_ssim"]


def test_measuring_changes_no_weight(train_tiny):
    with_it, without = train_tiny(EVERY_STEP), train_tiny("validation.every=0")
    weights = [(run / "model" / "model.safetensors").read_bytes() for run in (with_it, without)]
    assert weights[0] == weights[1]
    assert not measured(without)


def test_a_dataset_without_validation_is_told_once_and_trained_on(dataset_dir, train_tiny, capsys):
    shutil.rmtree(dataset_dir / "val")
    run = train_tiny(EVERY_STEP)
    assert capsys.readouterr().err.count("There is no validation split") == 1
    assert not measured(run)
    assert best_checkpoint(run) is None


def test_the_best_checkpoint_is_that_of_the_best_measurement(train_tiny):
    run = train_tiny(EVERY_STEP, "log.checkpoint_minutes=10")
    values = {step: line["val_l1"] for step, line in measured(run).items()}
    best_step = min(values, key=lambda step: values[step])
    assert best_checkpoint(run).name == f"step-{best_step:06d}"
    assert load_model(run / "checkpoints" / "best").config.steps == best_step


@pytest.mark.parametrize(("metric", "better"), [("val_l1", 1.0), ("val_psnr", 3.0), ("val_ssim", 3.0)])
def test_better_is_less_for_l1_and_more_for_the_others(metric, better):
    best = Best(step=1, metric=metric, value=2.0, num_pairs=3)
    other = Best(step=2, metric=metric, value=better, num_pairs=3)
    assert best.or_better(other) == other.or_better(best) == other
    assert best.or_better(Best(step=3, metric=metric, value=2.0, num_pairs=3)) == best, "the earlier of equals"


def test_a_best_by_another_measure_is_left_behind(dataset, recipe_path):
    validation = Validation(dataset, load_recipe(recipe_path, ["validation.best=val_ssim"]))
    found = Measured({"val_l1": 0.5, "val_ssim": 0.1, "val_psnr": 5.0}, torch.empty(0))
    before = Best(step=1, metric="val_l1", value=0.01, num_pairs=3)
    assert validation.best(before, 2, found) == Best(step=2, metric="val_ssim", value=0.1, num_pairs=3)


def test_the_best_checkpoint_is_never_pruned(tmp_path, dataset, recipe):
    state = build_state(recipe, CPU)
    for state.step in range(1, 6):
        state.best = state.best or Best(step=1, metric="val_l1", value=0.1, num_pairs=3)
        save_state(tmp_path / "checkpoints", state, model_config(recipe, dataset))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best", "last", "step-000001", "step-000004", "step-000005"]
    again = build_state(recipe, CPU)
    load_state(last_checkpoint(tmp_path), again)
    assert again.best == state.best


@pytest.mark.parametrize(("keep", "pointer"), [("last", "last"), ("best", "best")])
def test_the_finished_model_is_the_one_asked_for(train_tiny, capsys, monkeypatch, keep, pointer):
    monkeypatch.setattr(Best, "or_better", lambda self, _: self)  # the first remains the best
    run = train_tiny(EVERY_STEP, f"validation.keep={keep}")
    kept, other = load_model(run), load_model(run / "checkpoints" / pointer)
    assert best_checkpoint(run).name == "step-000001"
    assert kept.path == run / "model"
    assert kept.config == other.config
    a = torch.rand(1, 3, 32, 32)
    assert torch.equal(kept.generator(a), other.generator(a))
    assert "Best val_l1: " in capsys.readouterr().err


def test_no_best_of_the_future_survives_a_run_that_is_set_back(train_tiny):
    run = train_tiny(EVERY_STEP)
    shutil.rmtree(run / "model")
    (run / "checkpoints" / "last").write_text("step-000005\n")
    train_tiny(EVERY_STEP, resume=run)
    values = {step: line["val_l1"] for step, line in measured(run).items()}
    assert best_checkpoint(run).name == f"step-{min(values, key=lambda step: values[step]):06d}"
