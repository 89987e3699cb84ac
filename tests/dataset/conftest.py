"""Small drawn photos, never square."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pix2pix_data.images import write_png

Draw = Callable[..., np.ndarray]
Run = Callable[..., subprocess.CompletedProcess[str]]


def draw_photo(index: int = 0, width: int = 90, height: int = 70) -> np.ndarray:
    """A coloured disc and a box on a ramp; each index looks different."""
    rng = np.random.default_rng(index)
    ramp = np.linspace(60, 200, width, dtype=np.float32)[None, :, None] * rng.uniform(0.6, 1.2, 3).astype(np.float32)
    photo = np.broadcast_to(ramp, (height, width, 3)).clip(0, 255).astype(np.uint8).copy()
    cv2.circle(photo, (width // 3, height // 2), height // 4, rng.integers(0, 255, 3).tolist(), -1)
    cv2.rectangle(photo, (width // 2, 5), (width - 8, height // 2), rng.integers(0, 255, 3).tolist(), -1)
    return photo


@pytest.fixture
def draw() -> Draw:
    return draw_photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos in two folders."""
    folder = tmp_path / "photos"
    for i in range(12):
        write_png(folder / ("left" if i % 2 else "right") / f"{i:02d}.png", draw_photo(i))
    return folder


@pytest.fixture
def p2p_data(tmp_path: Path) -> Run:
    """Run p2p-data in a folder of its own, as a user does."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pix2pix_data", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    return files_of


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
