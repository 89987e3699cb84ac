"""Runs on disk: what they hold, and that stopping one changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pix2pix_data.errors import CheckpointError, UsageError
from pix2pix_data.images import read_rgb
from pix2pix_model.checkpoint import load_model
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.run_dir import find_unfinished, make_run, open_run

SPEEDS = ["images_per_s", "data_share"]
LOGGED = ["loss_g_gan", "loss_g_l1", "loss_d_real", "loss_d_fake", "d_accuracy", "lr", *SPEEDS]
MEASURED = ["val_l1", "val_psnr", "val_ssim"]


def lines(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_speed(run: Path) -> list[dict[str, float]]:
    return [{name: value for name, value in line.items() if name not in SPEEDS} for line in lines(run)]


def weights(run: Path) -> bytes:
    return (run / "checkpoints" / "step-000006" / "model.safetensors").read_bytes()


def test_a_run_holds_what_the_design_says(train_tiny, recipe_path):
    run = train_tiny()
    assert run.name == "0001-tiny"
    assert {path.name for path in run.iterdir()} >= {
        "recipe.toml",
        "environment.json",
        "metrics.jsonl",
        "tensorboard",
        "samples",
        "checkpoints",
        "model",
    }
    assert {path.name for path in (run / "model").iterdir()} >= {"model.safetensors", "config.json", "README.md"}
    assert load_recipe(run / "recipe.toml") == load_recipe(recipe_path)
    assert {path.name for path in (run / "checkpoints").iterdir()} >= {"last", "best", "step-000005", "step-000006"}


def test_a_run_on_pictures_that_are_no_squares_makes_a_model_that_says_so(train_tiny):
    run = train_tiny("data.load_size=[36, 72]", "data.crop_size=[32, 64]", "train.max_steps=2")
    model = load_model(run)
    assert model.config.crop_size == (32, 64)
    assert json.loads((run / "model" / "config.json").read_text())["crop_size"] == [32, 64]
    assert model.generator.multiple_px == 32, "depth follows the shorter side"
    assert "64x32 px" in (run / "model" / "README.md").read_text()
    with pytest.raises(UsageError, match="multiples of 32"):
        train_tiny("data.crop_size=[32, 36]", "train.max_steps=2")


def test_metrics_are_named_as_in_the_code(train_tiny):
    logged = lines(train_tiny())
    assert [line["step"] for line in logged] == [2, 4, 6]
    assert [list(line)[2:] for line in logged] == [LOGGED, LOGGED, LOGGED + MEASURED]


def test_samples_show_the_same_validation_pairs_each_time(train_tiny):
    sheets = [read_rgb(path) for path in sorted((train_tiny() / "samples").glob("*.png"))]
    assert len(sheets) == 2
    assert sheets[0].shape == sheets[1].shape
    changed = (sheets[0] != sheets[1]).any((0, 2)).nonzero()[0]
    in_group = (changed - 8) % (3 * (128 + 8))  # pictures of 32 px are shown at 128, with a gap of 8
    assert 128 + 8 <= in_group.min() <= in_group.max() < 2 * 128 + 8, "the middle of each three alone"


def test_environment_tells_device_versions_and_data(train_tiny):
    told = json.loads((train_tiny() / "environment.json").read_text())
    assert told["dataset"]["num_pairs"] == {"train": 7, "validation": 3}
    assert "CPU" in told["starts"][0]["device"] or "GPU" in told["starts"][0]["device"]
    assert set(told["starts"][0]["versions"]) >= {"torch", "numpy"}


@pytest.mark.parametrize("setting", ["data.b_as=rgb", "data.b_as=lab", "train.ema=0.9"])
def test_six_steps_are_three_and_three_to_the_bit(train_tiny, setting):
    settings = (setting, "validation.every=1")
    whole = train_tiny(*settings)
    halves = train_tiny(*settings, "train.max_steps=3", "log.metrics_every=4")
    train_tiny(*settings, resume=halves)
    assert weights(halves) == weights(whole)
    for name in ("optimizer.safetensors", "state.json"):
        paths = [run / "checkpoints" / "step-000006" / name for run in (whole, halves)]
        assert paths[0].read_bytes() == paths[1].read_bytes()
    assert (halves / "model" / "model.safetensors").read_bytes() == (whole / "model" / "model.safetensors").read_bytes()


def test_the_averaged_generator_is_what_is_finished_and_loaded(train_tiny):
    run = train_tiny("train.ema=0.9")
    saved = load_file(run / "checkpoints" / "step-000006" / "model.safetensors")
    finished = load_file(run / "model" / "model.safetensors")
    loaded = load_model(run / "checkpoints" / "last").generator.state_dict()
    for name, tensor in finished.items():
        assert torch.equal(tensor, saved[f"average.{name}"])
        assert torch.equal(tensor, loaded[name])
    assert any(not torch.equal(tensor, saved[f"generator.{name}"]) for name, tensor in finished.items())


def test_a_run_may_begin_to_average_on_its_way(train_tiny):
    run = train_tiny("train.max_steps=3")
    train_tiny("train.ema=0.9", resume=run)
    assert load_model(run).config.steps == 6


def test_what_was_logged_after_the_checkpoint_is_logged_once(train_tiny):
    whole, stopped = train_tiny(), train_tiny()
    shutil.rmtree(stopped / "model")
    shutil.rmtree(stopped / "checkpoints" / "step-000006")
    (stopped / "checkpoints" / "last").write_text("step-000005\n")
    with (stopped / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "los')  # the half line of a kill
    train_tiny(resume=stopped)
    assert without_speed(stopped) == without_speed(whole)


def test_what_a_kill_left_half_written_is_removed(train_tiny):
    run = train_tiny("train.max_steps=3")
    (run / "checkpoints" / ".step-000004.1234.part").mkdir()
    (run / "checkpoints" / ".step-000004.1234.part" / "model.safetensors").write_bytes(b"half")
    (run / "checkpoints" / ".last.1234.part").write_text("step-0")
    (run / "samples" / ".000003.png.1234.part").write_bytes(b"half")
    train_tiny(resume=run)
    assert not list(run.rglob("*.part"))


def test_a_complete_run_is_not_continued_without_more_steps(train_tiny):
    run = train_tiny()
    with pytest.raises(CheckpointError, match="all of its 6 steps"):
        train_tiny(resume=run)
    train_tiny("train.max_steps=7", resume=run)
    assert (run / "checkpoints" / "last").read_text() == "step-000007\n"


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("generator.width=3", "generator"),
        ("data.direction=BtoA", "data.direction"),
        ("data.b_as=lab", "data.b_as"),
    ],
)
def test_a_run_keeps_its_networks(train_tiny, recipe_path, override, fault):
    run = train_tiny()
    with pytest.raises(CheckpointError, match=f"cannot change {fault} on its way"):
        open_run(run, load_recipe(recipe_path, [override]))


def test_a_locked_run_is_left_alone(tmp_path, recipe, dataset):
    from pix2pix_model.train import data_facts

    run = make_run(tmp_path / "runs", "tiny")
    run.record_start(recipe, data_facts(dataset), step=0, device_words="")
    assert find_unfinished(tmp_path / "runs", recipe, dataset.fingerprint) is None
    with pytest.raises(CheckpointError, match="another process"):
        open_run(run.path, recipe)
    run.lock.release()
    found = find_unfinished(tmp_path / "runs", recipe, dataset.fingerprint)
    assert found is not None
    assert found.path == run.path
    found.lock.release()


def test_a_folder_whose_run_was_killed_before_it_began_is_taken_again(tmp_path, recipe, dataset):
    from pix2pix_model.train import data_facts

    runs = tmp_path / "runs"
    first = make_run(runs, "tiny")
    other = make_run(runs, "tiny")
    assert (first.path.name, other.path.name) == ("0001-tiny", "0002-tiny"), "the first one is at work"
    other.record_start(recipe, data_facts(dataset), step=0, device_words="")
    for run in (first, other):
        run.lock.release()  # as a kill does
    again, third = make_run(runs, "tiny"), make_run(runs, "tiny")
    assert (again.path.name, third.path.name) == ("0001-tiny", "0003-tiny")
    for run in (again, third):
        run.lock.release()


def test_only_the_same_recipe_on_the_same_data_is_continued(tmp_path, recipe_path, recipe, dataset):
    from pix2pix_model.train import data_facts

    run = make_run(tmp_path / "runs", "tiny")
    run.record_start(recipe, data_facts(dataset), step=0, device_words="")
    run.lock.release()
    other = load_recipe(recipe_path, ["train.seed=1"])
    assert find_unfinished(tmp_path / "runs", other, dataset.fingerprint) is None
    assert find_unfinished(tmp_path / "runs", recipe, "other pairs") is None


def test_sigterm_saves_and_ends(tmp_path, recipe_path):
    line = [os.sys.executable, "-m", "pix2pix_model", str(recipe_path), "--set", "train.max_steps=1000"]
    run = tmp_path / "runs" / "0001-tiny"
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (run / "checkpoints" / "last").is_file():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "SIGTERM: saving, then stopping" in told
    assert not (run / "model").exists()
    assert not list(run.rglob("*.part"))
