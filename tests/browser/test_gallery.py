"""The page of a run in a real browser, opened from a file as a person does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.tally import PictureScores
from pix2pix_model.gallery.page import gallery_page
from pix2pix_model.gallery.progress import Frame, Logged, Progress
from pix2pix_model.gallery.results import Results

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
STEPS = (10, 20, 30, 40)


def flat(*color: int) -> np.ndarray:
    return np.full((64, 64, 3), color, np.uint8)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps, the made picture blue in the first and redder in each; a pair has a hostile name."""
    frames = tuple(Frame(step, (flat(60 * i, 0, 200 - 60 * i),) * 2) for i, step in enumerate(STEPS))
    logged = Logged("loss_g_l1", STEPS, (0.4, 0.3, 0.2, 0.1)), Logged("val_ssim", (40,), (0.5,))
    pictures = (flat(200, 200, 200),) * 2
    progress = Progress(
        ("A", "G(A)", "B"),
        "validation",
        (HOSTILE, "two"),
        tuple((one,) for one in pictures),
        pictures,
        frames,
        logged,
        {40: 2},
        1,
    )
    scored = tuple(PictureScores(key, {"l1": 0.1, "ssim": i / 3}) for i, key in enumerate((HOSTILE, "b", "c")))
    shown = {one.key: [pictures[0]] * 3 for one in scored}
    results = Results(HOSTILE, (Score("ssim", "SSIM", 0.5, "higher"),), scored, shown, ("A", "G(A)", "B"))
    out = tmp_path_factory.mktemp("browser") / "gallery.html"
    out.write_text(gallery_page(HOSTILE, [("state", HOSTILE)], progress, results), encoding="utf-8")
    return out


def shown_step(browser: Any) -> tuple[str, str, list[int], str]:
    """The label, the value at a curve, the number of the frame shown in each pair, and where the marker is."""
    frames = "[...document.querySelectorAll('.frames')].map(one => [...one.children].findIndex(frame => !frame.hidden))"
    return (
        browser.evaluate("document.querySelector('.step').textContent"),
        browser.evaluate("document.querySelector('[title=loss_g_l1] output').textContent"),
        browser.evaluate(frames),
        browser.evaluate("document.querySelector('[title=loss_g_l1] .marker').getAttribute('x1')"),
    )


def press(browser: Any, key: str, code: int) -> None:
    browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


def complaints_of(browser: Any) -> list[Any]:
    told = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"}
    return [event for event in browser.events if event["method"] in told]


def test_the_page_opens_on_the_last_step_and_arrow_keys_move_it(browser, page):
    browser.open(page)
    assert shown_step(browser) == ("step 40, epoch 2", "0.1", [3, 3], "320.0")
    press(browser, "ArrowLeft", 37)
    assert shown_step(browser) == ("step 30, epoch 2", "0.2", [2, 2], "240.0")
    press(browser, "ArrowRight", 39)
    press(browser, "ArrowRight", 39)
    assert shown_step(browser)[2] == [3, 3], "it ends there"
    assert not complaints_of(browser)


def test_the_slider_moves_pictures_values_and_marker_together(browser, page):
    browser.open(page)
    browser.evaluate("document.querySelector('.steps').focus()")
    press(browser, "Home", 36)
    assert shown_step(browser) == ("step 10, epoch 2", "0.4", [0, 0], "80.0")
    box = browser.evaluate("document.querySelector('.frames').getBoundingClientRect().toJSON()")
    shot = browser.screenshot()[round(box["top"]) + 9 : round(box["bottom"]) - 9, round(box["left"]) + 9 :][:, :9]
    assert shot[..., 2].mean() > 150 > shot[..., 0].mean(), "the first step is blue"
    assert browser.evaluate("document.querySelector('[title=val_ssim] output').textContent") == "-"


def test_play_runs_through_the_steps_once_and_stops(browser, page):
    browser.open(page)
    browser.evaluate("document.querySelector('.play').click()")
    assert shown_step(browser)[2] == [0, 0], "from the last it begins anew"
    assert browser.evaluate("document.querySelector('.play').textContent") == "Pause"
    ended = "new Promise(done => { const look = () => document.querySelector('.play').textContent === 'Play'"
    ended += " ? done(true) : setTimeout(look, 20); look(); })"
    browser.call("Runtime.evaluate", expression=ended, awaitPromise=True)
    assert shown_step(browser)[2] == [3, 3]


def test_hostile_names_are_text_and_nothing_is_asked_for(browser, page):
    browser.open(page)
    assert browser.evaluate("document.querySelector('.samples figcaption').textContent") == HOSTILE
    assert browser.evaluate("[...document.images].every(one => one.complete && one.naturalWidth === 64)")
    requests = [
        event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert not complaints_of(browser)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_hangs_over_the_edge_and_dark_is_dark(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    corner = browser.screenshot()[:8, :8].mean()
    assert corner < 40 if dark else corner > 240
    assert not complaints_of(browser)
