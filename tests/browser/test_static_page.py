"""The painting page as a static folder, with the model in the browser, from hosts that only hand out files."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painted_page import CAR, HEIGHT, LINES, ROAD, SEGMENTS, SKY, WIDTH, Page, make_model
from typer.testing import CliRunner

from pix2pix_data.cache_folder import cache_folder
from pix2pix_data.images import write_png
from pix2pix_data.side_facts import SideFacts
from pix2pix_model.checkpoint import load_model
from pix2pix_model.cli_model import app
from pix2pix_model.device import choose_device
from pix2pix_model.paint.browser_runtime import TESTED
from pix2pix_model.paint.painter import Painter
from pix2pix_model.paint.static_page import LOWEST_SHARE

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

GRAY = SideFacts(kind="gray", maker="colorize", settings={"gray": "lightness"})


class Host(SimpleHTTPRequestHandler):
    """A static host; `isolated` ones send the two headers with which a browser lends threads."""

    isolated = False

    def end_headers(self) -> None:
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def host(folder: Path, handler: type[Host] = Host) -> Iterator[str]:
    """Serve the folder above a page's, and say where the page is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder.parent))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{folder.name}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def runtime() -> Path:
    """onnxruntime-web, which is neither in the repository nor on PyPI."""
    given = os.environ.get("P2P_ONNXRUNTIME_WEB")
    path = Path(given) if given else cache_folder() / f"onnxruntime-web-{TESTED.version}"
    if not path.exists():
        get = f"npm pack onnxruntime-web@{TESTED.version}"
        pytest.skip(f"no onnxruntime-web here: {get}, and name the file in P2P_ONNXRUNTIME_WEB")
    return path


def export(given: SideFacts, example: np.ndarray, runtime: Path, room: Path) -> Path:
    """Export a small model by the command; its folder lies beside the page's."""
    model, folder = make_model(room / "model", given, example), room / "page"
    line = ["export", str(model), "--to", "web", "--out", str(folder), "--runtime", str(runtime)]
    done = CliRunner().invoke(app, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return folder


@contextmanager
def hosted(folder: Path, browser: Any, handler: type[Host] = Host) -> Iterator[Page]:
    with host(folder, handler) as address:
        yield Page(browser, address, Painter(load_model(folder.parent / "model"), choose_device("cpu")))


@pytest.fixture(scope="module")
def street() -> np.ndarray:
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:40], picture[40:] = SKY, ROAD
    return picture


@pytest.fixture(scope="module")
def folder(runtime: Path, street: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(SEGMENTS, street, runtime, tmp_path_factory.mktemp("static"))


@pytest.fixture(scope="module")
def page(browser: Any, folder: Path) -> Iterator[Page]:
    with hosted(folder, browser) as one:
        yield one


def is_what_pytorch_makes(page: Page, drawing: np.ndarray) -> bool:
    apart = np.abs(page.shown().astype(int) - page.painter.translate(drawing)[0])
    return float((apart.max(axis=2) <= 1).mean()) >= LOWEST_SHARE


def test_example_and_stroke_become_the_pixels_that_pytorch_makes(page, street):
    page.open()
    assert is_what_pytorch_makes(page, street)
    before = page.shown()
    page.click(".color:nth-child(3)")
    page.drag(page.place(20, 20), page.place(70, 30))
    drawing = page.drawing()
    assert (drawing != street).any()
    assert is_what_pytorch_makes(page, drawing)
    assert (page.shown() != before).any()
    assert not page.complaints()


def test_it_asks_nothing_of_anybody_else_and_offers_what_it_can_do(page):
    page.open()
    requests = [event["params"]["request"]["url"] for event in page.browser.events if "request" in event["params"]]
    assert any(url.endswith("model.json") for url in requests)
    assert all(url.startswith((page.address, "data:")) for url in requests)
    for selector, hidden in {"#as-drawing": False, "#as-photo": True, ".counts": True, ".loading": True}.items():
        assert page.run(f"document.querySelector({selector!r}).hidden") == hidden, selector


def test_a_drawing_of_ones_own_gets_the_colours_of_the_palette(page, tmp_path):
    page.open()
    drawing = page.upload_segments(tmp_path)
    assert (drawing[:, : WIDTH // 2] == SKY).all()
    assert (drawing[:, WIDTH // 2 :] == CAR).all()
    assert is_what_pytorch_makes(page, drawing)
    page.upload_broken(tmp_path)
    assert not page.complaints()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(page, width):
    page.open(width=width, height=844)
    assert page.run("document.documentElement.scrollWidth") == width
    assert not page.complaints()


def test_lines_are_translated_too_and_no_upload_is_offered(browser, runtime, tmp_path):
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    with hosted(export(LINES, blank, runtime, tmp_path), browser) as page:
        page.open()
        page.drag(page.place(10, 10), page.place(80, 50))
        assert is_what_pytorch_makes(page, page.drawing())
        assert page.run("document.querySelector('#as-photo').hidden && document.querySelector('#as-drawing').hidden")
        assert not page.complaints()


def test_a_photo_becomes_as_gray_as_those_of_the_training(browser, runtime, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    photo = photo.repeat(8, axis=0).repeat(8, axis=1)
    write_png(tmp_path / "photo.png", photo)
    gray = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    with hosted(export(GRAY, gray, runtime, tmp_path), browser) as page:
        page.open()
        page.upload(tmp_path / "photo.png")
        page.wait("!document.querySelector('#undo').disabled")
        drawing = page.drawing()
        expected = page.painter.prepare((tmp_path / "photo.png").read_bytes(), "photo")
        assert np.abs(drawing.astype(int) - expected).max() <= 2, "OpenCV looks L up in a coarse table"
        assert is_what_pytorch_makes(page, drawing)


def test_threads_of_an_isolated_page_make_the_same(browser, folder, street):
    with hosted(folder, browser, type("Isolated", (Host,), {"isolated": True})) as page:
        page.open()
        assert page.run("crossOriginIsolated")
        assert is_what_pytorch_makes(page, street)
        assert not page.complaints()


def test_a_model_that_the_host_has_not_is_told(browser, folder, tmp_path):
    without = shutil.copytree(folder, tmp_path / "page", ignore=shutil.ignore_patterns("model.onnx"))
    with host(without) as address:
        browser.call("Page.navigate", url=address)
        told = "document.querySelector('.message')?.textContent.includes('model.onnx cannot be loaded (404)')"
        Page(browser, address, None).wait(told)


def test_a_page_that_is_opened_as_a_file_says_what_to_do(page, folder):
    page.browser.call("Page.navigate", url=(folder / "index.html").as_uri())
    page.wait("document.querySelector('.message')?.textContent.includes('python -m http.server')")
