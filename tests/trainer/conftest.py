"""A small drawn dataset in the classic layout, and a recipe that trains on it in a second."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ["P2P_CACHE"] = ""  # tests leave nothing in the user's cache
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: busy cores make spinning slow

import cv2
import numpy as np
import pytest
import torch

from pix2pix_data.dataset import PairDataset, open_dataset
from pix2pix_data.images import write_png
from pix2pix_model.recipe import Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.run_dir import make_run, open_run
from pix2pix_model.train import train

TrainTiny = Callable[..., Path]
P2PTrain = Callable[..., subprocess.CompletedProcess[str]]

TINY = """
[data]
path = "{path}"
load_size = 36
crop_size = 32
[generator]
width = 2
[discriminator]
width = 4
patch = 16
[train]
batch = 2
max_steps = {steps}
[log]
metrics_every = 2
samples_every = 3
num_samples = 2
checkpoint_minutes = 0
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(name="draw_pair")
def _draw_pair() -> Callable[[int], np.ndarray]:
    return draw_pair


def draw_pair(index: int, height: int = 40, width: int = 48) -> np.ndarray:
    """A | B: on the left the outline of a disc, on the right the disc filled."""
    rng = np.random.default_rng(index)
    a, b = (np.full((height, width, 3), 255, np.uint8) for _ in range(2))
    center = (int(rng.integers(12, width - 12)), int(rng.integers(12, height - 12)))
    cv2.circle(a, center, 9, (0, 0, 0), 1)
    cv2.circle(b, center, 9, (200, 60, 30), -1)
    return np.hstack([a, b])


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    """Seven pairs to train on and three for validation."""
    folder = tmp_path / "drawn"
    for split, num in (("train", 7), ("val", 3)):
        for i in range(num):
            write_png(folder / split / f"{i}.png", draw_pair(i if split == "train" else 100 + i))
    return folder


@pytest.fixture
def dataset(dataset_dir: Path) -> PairDataset:
    return open_dataset(dataset_dir)


@pytest.fixture
def recipe_path(tmp_path: Path, dataset_dir: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(path=dataset_dir.as_posix(), steps=6))
    return path


@pytest.fixture
def recipe(recipe_path: Path) -> Recipe:
    return load_recipe(recipe_path)


@pytest.fixture
def train_tiny(tmp_path: Path, recipe_path: Path) -> TrainTiny:
    """Train in this process with some settings replaced, in a new run or in one to continue; returns its folder."""

    def run(*overrides: str, resume: Path | None = None) -> Path:
        recipe = load_recipe(recipe_path, overrides)
        folder = open_run(resume, recipe) if resume else make_run(tmp_path / "runs", recipe.name)
        try:
            train(recipe, open_dataset(recipe.data.path), folder)
        finally:
            folder.lock.release()
        return folder.path

    return run


@pytest.fixture
def p2p_train(tmp_path: Path) -> P2PTrain:
    """Run p2p-train as a process of its own, in tmp_path."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(p2p_train_line(arguments), cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def p2p_train_line(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "pix2pix_model", *map(str, arguments)]
