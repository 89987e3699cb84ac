"""The painting page in a real browser, served by the command as a person starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painted_page import CAR, CTRL, HEIGHT, LINES, ROAD, SEGMENTS, SHIFT, SKY, WIDTH, Page, extent, make_model

from pix2pix_data.images import read_rgb
from pix2pix_model.checkpoint import load_model
from pix2pix_model.device import choose_device
from pix2pix_model.paint.painter import Painter


def serve(folder: Path, browser: Any) -> Iterator[Page]:
    line = [sys.executable, "-m", "pix2pix_model.cli_model", "paint", str(folder), "--no-browser", "--device", "cpu"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.communicate()
        yield Page(browser, address, Painter(load_model(folder), choose_device("cpu")))
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in told


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:40], picture[40:] = SKY, ROAD
    return picture


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory, street: np.ndarray) -> Iterator[Page]:
    yield from serve(make_model(tmp_path_factory.mktemp("paint") / "model", SEGMENTS, street), browser)


@pytest.fixture(scope="module")
def line_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    yield from serve(make_model(tmp_path_factory.mktemp("lines") / "model", LINES, blank), browser)


def test_it_begins_with_an_example_and_what_the_model_makes_of_it(page, street):
    page.open()
    assert (page.drawing() == street).all()
    assert (page.shown() == page.painter.translate(street)[0]).all()
    assert not page.complaints()


def test_classes_have_the_names_and_colours_of_the_palette(page):
    page.open()
    names = page.run("[...document.querySelectorAll('.color')].map(one => [one.textContent, one.dataset.color])")
    assert names == [[one.name, one.color] for one in SEGMENTS.colors]
    blocks = page.run("[...document.querySelectorAll('.block')].map(one => [one.textContent, one.dataset.shape])")
    assert blocks[:4] == [["road", "road"], ["sky", "sky"], ["car", "car"], ["traffic light", "light"]]
    assert [label for label, _ in blocks[4:]] == ["rectangle", "ellipse", "triangle"], "nobody knows what a mystery is"


def test_a_stroke_paints_exact_colours_and_changes_the_result(page, street):
    page.open()
    before = page.shown()
    page.click(".color:nth-child(3)")
    page.drag(page.place(20, 20), page.place(70, 30))
    after = page.drawing()
    changed = (after != street).any(axis=2)
    assert (after[changed] == CAR).all(), "no mixed colours along the stroke"
    assert 150 < changed.sum() < 800
    assert (page.shown() != before).any()
    assert (page.shown() == page.painter.translate(after)[0]).all()
    page.key("z", modifiers=CTRL)
    assert (page.drawing() == street).all()
    assert (page.shown() == before).all()
    page.key("z", modifiers=CTRL | SHIFT)
    assert (page.drawing() == after).all()
    assert not page.complaints()


def test_a_block_is_dropped_dragged_and_resized_and_undo_goes_back(page, street):
    page.open()
    shelf = page.box(".block[data-shape=car]")
    middle = ((shelf["left"] + shelf["right"]) / 2, (shelf["top"] + shelf["bottom"]) / 2)
    page.drag(middle, page.place(30, 20))
    dropped = page.drawing()
    left, top, right, bottom = extent(dropped, CAR)
    assert abs((left + right) / 2 - 30.5) <= 1.5
    assert abs((top + bottom) / 2 - 20.5) <= 1.5

    page.key("v")
    page.drag(page.place(30, 20), page.place(60, 44))
    moved = page.drawing()
    assert extent(moved, CAR) == pytest.approx((left + 30, top + 24, right + 30, bottom + 24), abs=1)

    page.key("v")
    x, y = page.place(60, 44)
    page.browser.mouse("mousePressed", x, y)
    page.browser.mouse("mouseReleased", x, y)
    time.sleep(0.3)  # its handles can be taken once they have been drawn
    right_edge, middle_row = extent(moved, CAR)[2], (extent(moved, CAR)[1] + extent(moved, CAR)[3]) / 2
    handle = page.place(right_edge - 0.5, middle_row - 0.5)
    page.drag((handle[0] + 2, handle[1]), page.place(right_edge + 9.5, middle_row))
    resized = page.drawing()
    assert extent(resized, CAR)[0] == pytest.approx(extent(moved, CAR)[0], abs=1)
    assert extent(resized, CAR)[2] == pytest.approx(right_edge + 10, abs=2)
    assert {tuple(color) for color in np.unique(resized.reshape(-1, 3), axis=0).tolist()} == {ROAD, SKY, CAR}

    for expected in (moved, dropped, street):
        page.click("#undo")
        assert (page.drawing() == expected).all()
    assert page.run("document.querySelector('#undo').disabled")
    assert not page.complaints()


def test_a_block_is_placed_moved_and_removed_by_keys_alone(page):
    page.open()
    page.click(".block[data-shape=car]")
    for _ in range(3):
        page.key("ArrowLeft", modifiers=SHIFT)
    left, _, right, _ = extent(page.drawing(), CAR)
    assert (left + right) / 2 == pytest.approx(WIDTH / 2 - 24, abs=1)
    placed = page.drawing()
    page.click(".block[data-shape=car]")
    assert (page.drawing() != placed).any()
    page.click("#undo")
    page.click(".block[data-shape=car]")
    page.key("Delete")
    assert (page.drawing() == placed).all()
    assert not page.complaints()


def test_fill_rectangle_polygon_and_eraser(page, street):
    page.open()
    page.click(".color:nth-child(3)")
    page.key("f")
    page.drag(page.place(5, 50), page.place(5, 50))
    assert (page.drawing()[40:] == CAR).all()
    page.key("r")
    page.drag(page.place(10, 10), page.place(19, 24))
    assert extent(page.drawing()[:40], CAR) == (10, 10, 20, 25)
    page.key("p")
    for corner in ((40, 5), (70, 5), (55, 30)):
        page.drag(page.place(*corner), page.place(*corner))
    page.key("Enter")
    painted = page.drawing()
    assert tuple(painted[10, 55]) == CAR
    assert tuple(painted[28, 42]) == SKY
    page.key("e")
    page.drag(page.place(0, 52), page.place(95, 52))
    assert (page.drawing()[52] == ROAD).all(), "what was there in the beginning"
    assert not page.complaints()


def test_downloads_hold_the_very_pixels(page, tmp_path):
    page.open()
    page.browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click(".color:nth-child(3)")
    page.drag(page.place(20, 20), page.place(70, 50))
    drawing = page.drawing()
    made = page.shown()
    for what, expected in (("drawing", drawing), ("result", made), ("both", np.hstack([drawing, made]))):
        page.click(f"[data-download={what}]")
        file = tmp_path / f"drawn-{what}.png"
        deadline = time.monotonic() + 20
        while not file.is_file():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (read_rgb(file) == expected).all()


def test_samples_and_the_slider(page):
    page.open()
    page.click("[data-samples='4']")
    page.wait("document.querySelectorAll('.samples img').length === 4")
    page.settle()
    assert page.run("new Set([...document.querySelectorAll('.samples img')].map(one => one.src)).size") == 4
    page.click(".samples button:nth-child(3)")
    page.key("c")
    over = "document.querySelector('.compare img').src"
    assert page.run(f"{over} === document.querySelector('.samples button:nth-child(3) img').src")
    frame = page.box(".compare")
    middle = (frame["top"] + frame["bottom"]) / 2
    page.drag((frame["left"] + frame["width"] / 2, middle), (frame["left"] + frame["width"] * 0.8, middle))
    assert page.run("Number(document.querySelector('.compare input').value)") == pytest.approx(80, abs=3)
    assert not page.complaints()


def test_an_upload_becomes_the_drawing(page, tmp_path):
    page.open()
    drawing = page.upload_segments(tmp_path)
    assert (drawing[:, : WIDTH // 2] == SKY).all()
    assert (drawing[:, WIDTH // 2 :] == CAR).all()
    page.upload_broken(tmp_path)
    assert (page.drawing() == drawing).all()


def test_lines_are_one_pixel_wide_and_black_on_white(line_page):
    line_page.open()
    line_page.drag(line_page.place(10, 10), line_page.place(80, 50))
    drawn = line_page.drawing()
    assert set(np.unique(drawn)) == {0, 255}
    assert ((drawn == 0).all(axis=2).sum(axis=0)[10:81] == 1).all(), "one pixel in each column"
    line_page.key("e")
    line_page.drag(line_page.place(0, 30), line_page.place(95, 30))
    assert (line_page.drawing()[28:33] == 255).all()
    assert (line_page.shown() == line_page.painter.translate(line_page.drawing())[0]).all()
    assert not line_page.complaints()


def test_blocks_and_rectangles_of_lines_are_outlines(line_page):
    line_page.open()
    line_page.click(".block[data-shape=ellipse]")
    ink = (line_page.drawing() == 0).all(axis=2)
    left, top, right, bottom = extent(line_page.drawing(), (0, 0, 0))
    assert not ink[(top + bottom) // 2, left + 2 : right - 2].any(), "nothing within"
    assert 2 * (right - left) < ink.sum() < 4 * (right - left), "about as many pixels as its circumference"
    line_page.key("r")
    line_page.drag(line_page.place(2, 40), line_page.place(30, 60))
    ink = (line_page.drawing() == 0).all(axis=2)
    assert ink[40, 2:31].all()
    assert ink[60, 2:31].all()
    assert not ink[42:59, 4:29].any()


def test_a_finger_paints(page, street):
    page.open(width=390, height=844, touch=True)
    page.click(".color:nth-child(3)")
    for kind, x in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 60)):
        left, top = page.place(x, 20)
        points = [] if kind == "touchEnd" else [{"x": left, "y": top}]
        page.browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    drawn = page.drawing()
    assert tuple(drawn[20, 40]) == CAR
    assert (drawn[40:-2, 2:-2] == street[40:-2, 2:-2]).all(), "all but the round corners"
    assert not page.complaints()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_hangs_over_the_edge_and_dark_is_dark(page, width, dark):
    page.open(width=width, height=844, dark=dark)
    assert page.run("document.documentElement.scrollWidth") == width
    corner = page.browser.screenshot()[:8, :8].mean()
    assert corner < 40 if dark else corner > 240
    assert not page.complaints()


def test_every_control_has_a_name(page):
    page.open()
    controls = "[...document.querySelectorAll('button, input, summary')]"
    named = "one.ariaLabel || one.textContent.trim() || one.title || one.labels?.length || one.querySelector('[alt]')"
    assert page.run(f"{controls}.filter(one => !({named})).map(one => one.outerHTML)") == []
    page.key("?")
    assert page.run("document.querySelector('#help').open")
    page.key("Escape")
