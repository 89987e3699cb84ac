"""The page of a dataset in a real browser, opened from a file as a person does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_data.dataset import EncodedPair, open_dataset
from pix2pix_data.findings import CheckResult, Facts, Finding
from pix2pix_data.images import encode_png
from pix2pix_data.report import write_report
from pix2pix_data.shards import shard_path, write_shard

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of which A is red and B is blue, one of them with a hostile name."""
    folder = tmp_path_factory.mktemp("browser") / HOSTILE.replace("/", "")
    red, blue = (encode_png(np.full((120, 160, 3), color, np.uint8)) for color in ((220, 30, 30), (30, 30, 220)))
    for split, keys in (("train", [HOSTILE, "one", "two"]), ("test", ["three"])):
        write_shard(shard_path(folder, split, 0, 1), (EncodedPair(key, "", red, blue) for key in keys))
    (folder / "build.json").write_text("{}")
    dataset = open_dataset(folder)
    examples = ((f"train/{HOSTILE}", "test/three"),)
    finding = Finding("leak", "error", HOSTILE, 1, examples, HOSTILE, f"p2p-data split {HOSTILE}")
    out = folder.parent / "report.html"
    write_report(dataset, CheckResult(Facts(dataset.num_pairs, 4, {(160, 120): 4}, HOSTILE, "photos"), (finding,)), out)
    return out


def rectangle_of(browser: Any, selector: str) -> dict[str, float]:
    script = f"document.querySelector({selector!r}).scrollIntoView({{block: 'center', behavior: 'instant'}})"
    browser.evaluate(script)
    return dict(browser.evaluate(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()"))


def share_of_red(browser: Any, box: dict[str, float]) -> float:
    shot = browser.screenshot().astype(int)
    rows, columns = (slice(round(box[start]), round(box[end])) for start, end in (("top", "bottom"), ("left", "right")))
    return float((shot[rows, columns, 0] - shot[rows, columns, 2] > 100).mean())


def complaints_of(browser: Any) -> list[Any]:
    told = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"}
    return [event for event in browser.events if event["method"] in told]


def test_a_drag_on_the_slider_changes_the_picture(browser, page):
    browser.open(page)
    box = rectangle_of(browser, ".compare")
    assert share_of_red(browser, box) == pytest.approx(0.5, abs=0.03)
    middle = (box["top"] + box["bottom"]) / 2
    browser.mouse("mousePressed", box["left"] + box["width"] / 2, middle)
    for share in (0.6, 0.7, 0.8):
        browser.mouse("mouseMoved", box["left"] + box["width"] * share, middle)
    assert share_of_red(browser, box) == pytest.approx(0.8, abs=0.03), "A shows up to the pointer"
    browser.mouse("mouseReleased", box["left"] + box["width"] * 0.8, middle)
    assert browser.evaluate("document.querySelector('.compare input').getAttribute('aria-valuetext')") == "80 % A"
    assert not complaints_of(browser)


def test_the_keyboard_moves_the_slider(browser, page):
    browser.open(page)
    browser.evaluate("document.querySelector('.compare input').focus()")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Home", code="Home", windowsVirtualKeyCode=36)
    assert share_of_red(browser, rectangle_of(browser, ".compare")) < 0.03, "only B"
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="End", code="End", windowsVirtualKeyCode=35)
    assert share_of_red(browser, rectangle_of(browser, ".compare")) > 0.9, "only A"


def test_a_choice_shows_one_split(browser, page):
    browser.open(page)
    shown = "[...document.querySelectorAll('.split')].filter(one => one.offsetHeight).map(one => one.className)"
    assert browser.evaluate(shown) == ["split train"]
    browser.evaluate("document.querySelector('[value=test]').click()")
    assert browser.evaluate(shown) == ["split test"]
    browser.evaluate("document.querySelector('[value=all]').click()")
    assert browser.evaluate(shown) == ["split train", "split test"]


def test_hostile_names_are_shown_as_text_and_nothing_is_asked_for(browser, page):
    browser.open(page)
    assert browser.evaluate("document.querySelector('.split figcaption').textContent") == HOSTILE
    assert browser.evaluate("document.querySelector('.finding h3').textContent") == HOSTILE
    assert browser.evaluate("document.scripts.length") == 1
    requests = [
        event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [page.resolve().as_uri()]
    assert not complaints_of(browser)


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_hangs_over_the_edge_and_dark_is_dark(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    corner = browser.screenshot()[:8, :8].mean()
    assert corner < 40 if dark else corner > 240
    assert not complaints_of(browser)


def test_in_print_both_sides_stand_side_by_side(browser, page):
    browser.open(page)
    browser.call("Emulation.setEmulatedMedia", media="print")
    left, right = browser.evaluate(
        "[...document.querySelectorAll('.compare img')].slice(0, 2).map(img => img.getBoundingClientRect().left)"
    )
    assert left < right
    browser.call("Emulation.setEmulatedMedia", media="")
