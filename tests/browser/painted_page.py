"""The painting page in a browser, with what a hand does on it, and small models that are given something to paint."""

from __future__ import annotations

import base64
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pix2pix_data.images import decode_rgb, write_png
from pix2pix_data.side_facts import NamedColor, SideFacts
from pix2pix_model.checkpoint import ModelConfig, save_model
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.paint.painter import Painter
from pix2pix_model.sides import Sides, SideSpec

HEIGHT, WIDTH = 64, 96
ROAD, SKY, CAR = (128, 64, 128), (70, 130, 180), (0, 0, 142)
PALETTE = {"road": ROAD, "sky": SKY, "car": CAR, "traffic light": (250, 170, 30), "mystery": (9, 9, 9)}
SEGMENTS = SideFacts(
    kind="segments",
    colors=tuple(NamedColor(name=name, color="#{:02x}{:02x}{:02x}".format(*color)) for name, color in PALETTE.items()),
)
LINES = SideFacts(
    kind="lines",
    colors=(NamedColor(name="paper", color="#ffffff"), NamedColor(name="line", color="#000000")),
    line_px=1,
)
_KEY_CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Delete": 46}
CTRL, SHIFT = 2, 8  # as the DevTools protocol counts them


def make_model(folder: Path, given: SideFacts, example: np.ndarray) -> Path:
    spec = GeneratorSpec(size_px=32, width=4, dropout_at="torch")
    torch.manual_seed(0)
    config = ModelConfig(
        name="drawn",
        architecture="unet",
        spec=spec,
        sides=Sides((SideSpec(side="A"),), SideSpec(side="B")),
        crop_size=(HEIGHT, WIDTH),
        given=given,
        version="0",
    )
    save_model(folder, GENERATORS.get("unet")(spec), config, "", examples=[example])
    return folder


class Page:
    """A page at an address, and the model that is behind it."""

    def __init__(self, browser: Any, address: str, painter: Painter | None) -> None:
        self.browser, self.address, self.painter = browser, address, painter

    def open(self, *, width: int = 1200, height: int = 900, dark: bool = False, touch: bool = False) -> None:
        call = self.browser.call
        call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        call("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        call("Emulation.setEmulatedMedia", features=[scheme])
        self.browser.events.clear()
        call("Page.navigate", url=self.address)
        self.wait("document.body?.dataset.ready === 'yes'")
        self.settle()

    def run(self, script: str) -> Any:
        return self.browser.evaluate(script)

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 40
        while not self.run(condition):
            assert time.monotonic() < deadline, f"it never came to pass: {condition}\n{self.complaints()}"
            time.sleep(0.03)

    def settle(self) -> None:
        """Wait until what is shown is what was made of the newest drawing."""
        self.wait("document.querySelector('.result').dataset.shown > 0")
        before = -1
        while before != (before := int(self.run("Number(document.querySelector('.result').dataset.shown)"))):
            time.sleep(0.4)

    def complaints(self) -> list[Any]:
        told = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"}
        return [event for event in self.browser.events if event["method"] in told]

    # --- the board ------------------------------------------------------------------------------------------------

    def box(self, selector: str) -> dict[str, float]:
        return dict(self.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()"))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Say where on the screen a pixel of the drawing is."""
        board = self.box(".board")
        zoom = board["width"] / WIDTH
        return board["left"] + (x + 0.5) * zoom, board["top"] + (y + 0.5) * zoom

    def drag(self, *places: tuple[float, float]) -> None:
        self.browser.mouse("mousePressed", *places[0])
        for (x, y), (end_x, end_y) in pairwise(places):
            for part in (0.25, 0.5, 0.75, 1.0):
                self.browser.mouse("mouseMoved", x + (end_x - x) * part, y + (end_y - y) * part)
        self.browser.mouse("mouseReleased", *places[-1])

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).click()")

    def upload(self, path: Path) -> None:
        self.browser.call("DOM.enable")
        root = self.browser.call("DOM.getDocument")["root"]["nodeId"]
        node = self.browser.call("DOM.querySelector", nodeId=root, selector="#upload")["nodeId"]
        self.browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def upload_segments(self, folder: Path) -> np.ndarray:
        """Upload a picture that is nearly sky on the left and nearly car on the right; return the drawing."""
        picture = np.full((200, 300, 3), (72, 128, 182), np.uint8)
        picture[:, 150:] = (2, 3, 140)
        write_png(folder / "mine.png", picture)
        self.upload(folder / "mine.png")
        self.wait("!document.querySelector('#undo').disabled")
        return self.drawing()

    def upload_broken(self, folder: Path) -> None:
        """Upload what is no picture, and wait until the page says so."""
        (folder / "broken.png").write_bytes(b"no picture")
        self.upload(folder / "broken.png")
        self.wait("document.querySelector('.message').textContent.includes('cannot be used')")

    def key(self, key: str, *, modifiers: int = 0) -> None:
        code = _KEY_CODES.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "modifiers": modifiers, "windowsVirtualKeyCode": code}
            self.browser.call("Input.dispatchKeyEvent", **event)

    def drawing(self) -> np.ndarray:
        """Read the pixels of the drawing off the screen, once no tool covers them."""
        self.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
        self.key("b")
        time.sleep(0.15)
        shot = self.browser.screenshot()
        board = self.box(".board")
        zoom = board["width"] / WIDTH
        rows = (board["top"] + (np.arange(HEIGHT) + 0.5) * zoom).astype(int)
        columns = (board["left"] + (np.arange(WIDTH) + 0.5) * zoom).astype(int)
        return np.asarray(shot[rows][:, columns])

    def shown(self) -> np.ndarray:
        """Return the picture that the page shows as the model's."""
        self.settle()
        url = self.run("document.querySelector('.samples img').src")
        return decode_rgb(base64.b64decode(url.partition(",")[2]))


def extent(pixels: np.ndarray, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a colour; right and bottom lie one beyond."""
    rows, columns = np.nonzero((pixels == color).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
