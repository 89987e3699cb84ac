"""The page of a run: what it reads from the run's folder, and what it shows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pix2pix_data.errors import CheckpointError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_model.checkpoint import load_model
from pix2pix_model.cli_model import app
from pix2pix_model.gallery.curves import curve_figure
from pix2pix_model.gallery.progress import Logged, Progress, read_progress
from pix2pix_model.recipe_file import load_recipe


@pytest.fixture
def run(train_tiny):
    """Six steps, with sheets of two pairs after 3 and 6, and numbers after 2, 4 and 6."""
    return train_tiny("validation.every=3")


def progress_of(run: Path) -> Progress:
    return read_progress(run, load_recipe(run / "recipe.toml"), load_model(run))


def gallery(*arguments: object):
    return CliRunner().invoke(app, ["gallery", *map(str, arguments)])


def test_the_pictures_of_a_run_are_those_of_its_sheets(run):
    progress = progress_of(run)
    assert [frame.step for frame in progress.frames] == [3, 6]
    assert (progress.titles, progress.keys) == (("A", "G(A)", "B"), ("0", "1"))
    assert {one.shape for frame in progress.frames for one in frame.made} == {(32, 32, 3)}
    assert not np.array_equal(progress.frames[0].made[0], progress.frames[1].made[0]), "the generator has learned"
    model = load_model(run)
    sheet = read_rgb(run / "samples" / "000006.png")
    assert np.array_equal(sheet[24:152:4, 8:136:4], progress.given[0][0]), "enlarged fourfold on the sheet"
    assert model.config.crop_size == (32, 32)


def test_the_numbers_of_a_run_are_those_of_its_log(run):
    progress = progress_of(run)
    logged = {one.name: one for one in progress.logged}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert logged["val_l1"].steps == (3, 6)
    assert logged["loss_g_l1"].values == tuple(line["loss_g_l1"] for line in lines if "loss_g_l1" in line)
    assert logged["loss_g_l1"].at(1) is None
    assert logged["loss_g_l1"].at(5) == logged["loss_g_l1"].values[1]
    assert "lr" not in logged


def test_many_sheets_and_pairs_are_few_on_the_page(run):
    for step in range(7, 206):
        shutil.copy(run / "samples" / "000003.png", run / "samples" / f"{step:06d}.png")
    steps = [frame.step for frame in progress_of(run).frames]
    assert (len(steps), steps[0], steps[-1]) == (40, 3, 205)


def test_a_sheet_that_was_drawn_otherwise_or_is_damaged_is_counted(run):
    write_png(run / "samples" / "000001.png", np.zeros((50, 60, 3), np.uint8))
    (run / "samples" / "000002.png").write_bytes(b"half")
    progress = progress_of(run)
    assert ([frame.step for frame in progress.frames], progress.num_left_out) == ([3, 6], 2)


def test_the_half_line_of_a_run_that_trains_is_no_trouble(run):
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"step": 8, "loss_g')
    assert progress_of(run).last_step == 6


def test_a_page_shows_steps_curves_and_the_best_and_worst(run):
    ended = gallery(run, "--device", "cpu")
    assert ended.exit_code == 0, ended.output
    page = (run / "gallery.html").read_text()
    assert page.count('class="frames"') == 2
    assert page.count("<polyline") == page.count('class="marker"') == 8
    assert 'data-labels="[&quot;step 3, epoch' in page
    assert ">Worst<" in page
    assert ">Best<" in page
    assert "3 of 3 pairs of the validation split" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing is asked of anybody"


def test_an_evaluation_that_is_there_is_taken(run):
    CliRunner().invoke(app, ["evaluate", str(run), "--features", "none", "--device", "cpu"])
    scores = run / "evaluation-validation" / "evaluation.json"
    told = json.loads(scores.read_text())
    told["scores"]["ssim"]["value"] = 0.1234567
    scores.write_text(json.dumps(told))
    ended = gallery(run, "--device", "cpu")
    assert "scores are those of" in ended.output
    assert "0.123" in (run / "gallery.html").read_text()
    told["evaluated"]["model"] = "drawn, AtoB, step 5"
    scores.write_text(json.dumps(told))
    assert "evaluated anew" in gallery(run, "--device", "cpu").output


def test_a_dataset_that_has_gone_leaves_the_progress(run, dataset_dir):
    dataset_dir.rename(dataset_dir.with_name("moved"))
    ended = gallery(run, "--device", "cpu")
    assert ended.exit_code == 0, ended.output
    page = (run / "gallery.html").read_text()
    assert "No results" in page
    assert "pair 1" in page
    gallery(run, "--device", "cpu", "--on", dataset_dir.with_name("moved"))
    assert ">Best<" in (run / "gallery.html").read_text()


def test_pairs_that_are_trained_on_are_told(train_tiny, dataset_dir):
    shutil.rmtree(dataset_dir / "val")
    run = train_tiny()
    assert gallery(run, "--device", "cpu").exit_code == 0
    assert "They are trained on: there is no validation split." in (run / "gallery.html").read_text()


def test_a_model_alone_or_a_run_without_samples_is_told(run):
    assert "this is no run" in str(gallery(run / "model").exception)
    shutil.rmtree(run / "samples")
    with pytest.raises(CheckpointError, match=r"no samples yet.*log\.samples_every"):
        progress_of(run)


def test_a_curve_of_many_points_is_thinned_to_means():
    logged = Logged("loss_g_l1", tuple(range(1, 4801)), tuple(float(i % 2) for i in range(4800)))
    figure = str(curve_figure(logged, 4800, [4800]))
    points = re.findall(r"([\d.]+),([\d.]+)", figure.partition('points="')[2].partition('"')[0])
    assert len(points) == 240
    assert points[-1][0] == "320.0"
    assert len({y for _, y in points}) == 1, "each is the mean of as many zeros as ones"


def test_a_single_value_is_a_dot():
    figure = curve_figure(Logged("val_l1", (6,), (0.5,)), 6, [3, 6])
    assert 'points="320.0,92.0 320.0,92.0" class="line dot"' in figure
    assert 'data-values="- 0.5"' in figure
