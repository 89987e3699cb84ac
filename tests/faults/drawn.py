"""What a user has before a command: photos, drawings, labels, cameras, a recipe; drawn, tiny, and always the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tiny_recipe import tiny_recipe

from pix2pix_data.images import write_png

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["cameras", "labels", "other_picture", "photos", "recipe", "side_by_side", "two_folders"]

_NUM = 24
_HEIGHT, _WIDTH = 44, 60
_CLASSES = ((20, 20, 20), (200, 40, 40), (40, 60, 220))


def _photo(seed: int, size: tuple[int, int] = (_HEIGHT, _WIDTH)) -> RGB:
    rng = np.random.default_rng(seed)
    height, width = size
    smooth = cv2.resize(rng.integers(0, 255, (5, 6, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    picture = np.ascontiguousarray(smooth)
    center = (int(rng.integers(15, width - 15)), int(rng.integers(12, height - 12)))
    cv2.circle(picture, center, 9, tuple(map(int, rng.integers(0, 255, 3))), -1)
    return picture


def _regions(seed: int) -> RGB:
    rng = np.random.default_rng(seed)
    picture = np.full((_HEIGHT, _WIDTH, 3), _CLASSES[0], np.uint8)
    for color in _CLASSES[1:]:
        top, left = int(rng.integers(0, _HEIGHT - 20)), int(rng.integers(0, _WIDTH - 20))
        cv2.rectangle(picture, (left, top), (left + 18, top + 14), color, -1)
    return picture


def photos(folder: Path) -> None:
    """Photos, and what lies among them: a file that is no picture, and one that is damaged."""
    for i in range(_NUM):
        write_png(folder / "photos" / f"{i:02d}.png", _photo(i))
    (folder / "photos" / "notes.txt").write_text("mine")
    (folder / "photos" / "torn.png").write_bytes((folder / "photos" / "00.png").read_bytes()[:700])


def two_folders(folder: Path) -> None:
    """Drawings and photos of the same names."""
    for i in range(_NUM):
        write_png(folder / "photos" / f"{i:02d}.png", _photo(i))
        write_png(folder / "drawings" / f"{i:02d}.png", _regions(i))


def labels(folder: Path) -> None:
    """Label maps in three colours, their photos, and the names of the classes."""
    for i in range(_NUM):
        write_png(folder / "photos" / f"{i:02d}.png", _photo(i))
        write_png(folder / "labels" / f"{i:02d}.png", _regions(i))
    classes = "".join(f'"#{bytes(color).hex()}" = "class {i}"\n' for i, color in enumerate(_CLASSES))
    (folder / "classes.toml").write_text(f"[names]\n{classes}")


def cameras(folder: Path) -> None:
    """Twelve cameras, each with a day and two nights."""
    for camera in range(12):
        day = _photo(camera)
        at = folder / "webcams" / f"camera-{camera:02d}"
        write_png(at / "20130701_120000.png", day)
        for i in (1, 2):
            write_png(at / f"2013070{i}_230000.png", np.ascontiguousarray(day // (3 + i)))


def side_by_side(folder: Path) -> None:
    """Pairs as the authors' code reads them."""
    for i in range(_NUM):
        split = "val" if i % 6 == 0 else "train"
        write_png(folder / "pairs" / split / f"{i:02d}.png", np.hstack([_regions(i), _photo(i)]))


def recipe(folder: Path) -> None:
    """A recipe of a run that takes a second, with all that a checkpoint must carry."""
    (folder / "tiny.toml").write_text(tiny_recipe("tiny", "edges-out", num_steps=40))


def other_picture(path: Path, seed: int) -> None:
    """Write another picture where one was, as a program of the user would: in place, slowly enough to be caught at."""
    write_png(path.with_name("another.png"), _photo(1000 + seed, (_HEIGHT + 7, _WIDTH + 9)))
    content = path.with_name("another.png").read_bytes()
    path.with_name("another.png").unlink()
    path.write_bytes(content)
