"""Small drawn photos, never square."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pix2pix_data.dataset import EncodedPair, open_dataset
from pix2pix_data.images import encode_jpeg, encode_png, write_png
from pix2pix_data.importing import ImportOptions, import_pairs, open_layout

Draw = Callable[..., np.ndarray]


def draw_photo(index: int = 0, width: int = 90, height: int = 70) -> np.ndarray:
    """A coloured disc and a box on a ramp; each index looks different."""
    rng = np.random.default_rng(index)
    ramp = np.linspace(60, 200, width, dtype=np.float32)[None, :, None] * rng.uniform(0.6, 1.2, 3).astype(np.float32)
    photo = np.broadcast_to(ramp, (height, width, 3)).clip(0, 255).astype(np.uint8).copy()
    cv2.circle(photo, (width // 3, height // 2), height // 4, rng.integers(0, 255, 3).tolist(), -1)
    cv2.rectangle(photo, (width // 2, 5), (width - 8, height // 2), rng.integers(0, 255, 3).tolist(), -1)
    return photo


@pytest.fixture(scope="session")
def draw() -> Draw:
    return draw_photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos in two folders."""
    folder = tmp_path / "photos"
    for i in range(12):
        write_png(folder / ("left" if i % 2 else "right") / f"{i:02d}.png", draw_photo(i))
    return folder


def draw_city(state: str, *, right: float = 0.0, down: float = 0.0, seed: int = 0, scene: int = 0) -> np.ndarray:
    """A street of houses, 300 x 220: by day lit by the sky, by night by windows of which each seed lights others.

    It lies `right` and `down` of where the same scene lies without them, to a fraction of a pixel.
    """
    rng, lamps = np.random.default_rng(scene), np.random.default_rng([scene, seed])
    night = state == "night"
    canvas = np.full((560, 720, 3), (12, 14, 30) if night else (190, 205, 235), np.float32)
    for left in range(0, 720, 48):
        top, wall = int(rng.integers(120, 330)), rng.uniform(70, 170, 3)
        cv2.rectangle(canvas, (left, top), (left + 44, 560), (wall * (0.25 if night else 1)).tolist(), -1)
        for row in range(top + 12, 540, 26):
            for column in range(left + 6, left + 38, 12):
                window = (255, 220, 140) if night and lamps.random() < 0.5 else wall * (0.12 if night else 0.5)
                cv2.rectangle(canvas, (column, row), (column + 7, row + 13), np.array(window).tolist(), -1)
    matrix = np.array([[0.5, 0, right - 20], [0, 0.5, down - 20]], np.float32)
    photo = cv2.warpAffine(cv2.GaussianBlur(canvas, (0, 0), 1.2), matrix, (300, 220), flags=cv2.INTER_LINEAR)
    return (photo + lamps.normal(0, 3, photo.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def city() -> Draw:
    return draw_city


CLASSES = ((0, 48, 255), (255, 80, 0), (32, 255, 224), (192, 255, 64), (174, 0, 0))


@functools.cache
def draw_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of boxes and discs, and a textured photo of the same, 128 x 96."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((96, 128), np.uint8)
    for label in (1, 2, 3, 4, 1, 2):
        left, top = int(rng.integers(0, 98)), int(rng.integers(0, 66))
        cv2.rectangle(
            labels, (left, top), (left + int(rng.integers(12, 40)), top + int(rng.integers(12, 40))), label, -1
        )
        cv2.circle(labels, (int(rng.integers(128)), int(rng.integers(96))), int(rng.integers(5, 12)), label, -1)
    light = rng.integers(30, 220, (5, 3))[labels] + np.linspace(-25, 25, 128)[None, :, None]
    photo = cv2.GaussianBlur(light + rng.normal(0, 9, (96, 128, 3)), (0, 0), 0.7)
    sides = np.array(CLASSES, np.uint8)[labels], photo.clip(0, 255).astype(np.uint8)
    for side in sides:
        side.flags.writeable = False  # others get the same
    return sides


@pytest.fixture
def scene() -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    return draw_scene


@pytest.fixture
def class_colors() -> tuple[tuple[int, int, int], ...]:
    return CLASSES


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset of 30 side-by-side scenes, five held out, each changed by a function of its number and sides."""

    def planted(change: Callable[..., tuple[np.ndarray, np.ndarray]] = lambda _, a, b: (a, b), num: int = 30) -> Path:
        for i in range(num):
            split = "val" if i % 6 == 5 else "train"
            write_png(tmp_path / "set" / split / f"{i:02d}.png", np.concatenate(change(i, *draw_scene(i)), axis=1))
        return tmp_path / "set"

    return planted


@pytest.fixture
def take_in(tmp_path: Path) -> Callable[..., tuple[dict[tuple[str, str], EncodedPair], dict[str, str]]]:
    """Import a path; returns the pairs by split and key, and the reasons by source."""

    def run(path: Path, *, workers: int = 1, **options: object):
        out = tmp_path / "out"
        with open_layout(path, ImportOptions(**options), scratch=tmp_path) as opened:
            import_pairs(opened, out, workers=workers)
        dataset = open_dataset(out)
        pairs = {(split, pair.key): pair for split in dataset.num_pairs for pair in dataset.encoded_pairs(split)}
        lines = map(json.loads, (out / "failures.jsonl").read_text().splitlines())
        return pairs, {line["source"]: line["reason"] for line in lines}

    return run


@pytest.fixture
def sides(draw: Draw) -> list[tuple[bytes, bytes]]:
    """The files of A (PNG) and B (JPEG) of a few pairs."""
    return [(encode_png(draw(i)), encode_jpeg(draw(i + 20))) for i in range(4)]
