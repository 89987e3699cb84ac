"""The page of an evaluation in a real browser, opened from a file as a person does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_model.evaluation.lab_histograms import LabHistograms
from pix2pix_model.evaluation.label_scores import LabelScores
from pix2pix_model.evaluation.page import evaluation_page
from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.tally import LabelTable, PictureScores

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven pictures, red made and blue real, one of them with a hostile name."""
    pixels = [np.full((64, 64, 3), color, np.uint8) for color in ((200, 200, 200), (220, 30, 30), (30, 30, 220))]
    colors = LabHistograms(), LabHistograms()
    for counted, one in zip(colors, pixels[1:], strict=True):
        counted.add(torch.from_numpy(one[None]))
    keys = [HOSTILE, *map(str, range(6))]
    pictures = [PictureScores(key, {"l1": 0.1, "ssim": i / 7}) for i, key in enumerate(keys)]
    scores = [Score("ssim", "SSIM", 0.5, "higher", note=HOSTILE), Score("l1", "L1", 0.1, "lower", 0.05, 3, 0.01)]
    half = LabelScores(0.5, 0.5, 0.5, (0.5, float("nan")), (0.5, float("nan")))
    labels = LabelTable((HOSTILE, "sky"), half, half)
    shown = dict.fromkeys(keys, pixels)
    out = tmp_path_factory.mktemp("browser") / "report.html"
    out.write_text(
        evaluation_page(HOSTILE, [("evaluated", HOSTILE)], scores, labels, colors, pictures, shown, ("A", "G(A)", "B")),
        encoding="utf-8",
    )
    return out


def test_the_page_shows_its_pictures_and_runs_nothing_of_a_name(browser, page):
    browser.open(page)
    assert browser.evaluate("document.images.length") == 3 * 7
    assert browser.evaluate("[...document.images].every(one => one.complete && one.naturalWidth === 64)")
    assert browser.evaluate("document.querySelector('h1').textContent") == HOSTILE
    told = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"}
    assert [event for event in browser.events if event["method"] in told] == []


def test_the_pictures_of_a_pair_stand_side_by_side(browser, page):
    browser.open(page)
    boxes = browser.evaluate(
        "[...document.querySelectorAll('.sides')[0].children].map(one => one.getBoundingClientRect().toJSON())"
    )
    assert len({box["top"] for box in boxes}) == 1
    assert boxes[0]["right"] <= boxes[1]["left"] < boxes[2]["left"]
