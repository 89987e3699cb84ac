"""How fast pairs reach a training step, beside the dataset class of the authors' PyTorch code.

    python benchmarks/loader.py --data ../shared/data/facades

Both read side-by-side JPEG files at 286 px and cut 256 px out of them. Theirs decodes each file anew at every epoch;
ours decodes once, and cuts later epochs out of the cache, which lies in memory or in the files of an earlier run.
Processor time, in turn on one thread; medians over rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from authors_dataset import AuthorsDataset
from PIL import Image
from sides import peak_mb

from pix2pix_data.console import exit_with_errors_told, result
from pix2pix_data.dataset import open_dataset
from pix2pix_data.memory import keep_memory
from pix2pix_model import data
from pix2pix_model.data import PairCache, cut, draw_cuts
from pix2pix_model.pixel_files import FOLDER_VARIABLE
from pix2pix_model.recipe import DataSettings

LOAD_PX, CROP_PX = 286, 256
BATCHES = (1, 4, 16)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How fast pairs reach a training step.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/facades"), help="A|B files in train/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10, help="epochs from the cache in a round")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # ours would decode in one thread for each processor
    keep_memory()  # as p2p-train does
    data.WORTH_KEEPING_S = 0.0  # facades are decoded too soon to be kept
    with tempfile.TemporaryDirectory() as kept:
        compare(options.data, options.rounds, options.epochs, kept)


def compare(folder: Path, num_rounds: int, num_epochs: int, kept: str) -> None:
    """Measure all routes in turn; pixels are kept in the folder `kept`."""
    settings = DataSettings(path=folder, load_size=LOAD_PX, crop_size=CROP_PX)
    paths = sorted((folder / "train").glob("*.jpg"))
    authors = AuthorsDataset(paths, load_size=LOAD_PX, crop_size=CROP_PX)
    num_pairs, num_cached = len(paths), len(paths) * num_epochs
    opened(settings, kept)
    mapped, cache = opened(settings, kept), opened(settings)
    theirs, first, next_run, cut_only = (list[float]() for _ in range(4))
    routes = {
        **{f"ours, later epochs, batches of {batch}": (cache, batch) for batch in BATCHES},
        "    batches of 4, from kept files": (mapped, 4),
    }
    cached: dict[str, list[float]] = {name: [] for name in routes}
    for _ in range(num_rounds):
        theirs.append(pairs_per_s(num_pairs, partial(read_all, authors)))
        first.append(pairs_per_s(num_pairs, lambda: epochs(opened(settings), num_pairs, 1, 1)))
        next_run.append(pairs_per_s(num_pairs, lambda: epochs(opened(settings, kept), num_pairs, 1, 1)))
        for name, (source, batch) in routes.items():
            cached[name].append(pairs_per_s(num_cached, partial(epochs, source, num_pairs, batch, num_epochs)))
        cut_only.append(pairs_per_s(num_cached, partial(cuts, cache, settings, num_pairs, num_epochs)))

    sizes = f"{LOAD_PX} -> {CROP_PX} px"
    result(f"{num_pairs} pairs of {folder / 'train'}, {sizes}, {num_rounds} rounds, one thread")
    result(f"{'':<40} {'pairs/s':>9} {'spread':>15} {'ratio':>7}")
    print_row("the authors' dataset class, each epoch", theirs, theirs)
    print_row("ours, the first epoch", first, theirs)
    print_row("ours, the first epoch of the next run", next_run, theirs)
    for name, speeds in cached.items():
        print_row(name, speeds, theirs)
    print_row("    of which cut and mirrored, still in bytes", cut_only, theirs)
    far = furthest(cache, paths)
    same = all(np.array_equal(cache.stored(i), mapped.stored(i)) for i in range(num_pairs))
    result(
        f"pixels at load size: at most {far} of 255 from theirs; those kept in files are {'' if same else 'NOT '}equal"
    )
    result(f"memory {peak_mb():.0f} MB at most")


def opened(settings: DataSettings, kept: str = "") -> PairCache:
    """Begin as a run does, with a folder where pixels are kept, or none."""
    os.environ[FOLDER_VARIABLE] = kept
    with contextlib.redirect_stderr(io.StringIO()):
        return PairCache(open_dataset(settings.path), settings, split="train", device=torch.device("cpu"))


def pairs_per_s(num_pairs: int, do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return num_pairs / (time.process_time() - start)


def read_all(authors: AuthorsDataset) -> None:
    for i in range(len(authors)):
        authors[i]


def epochs(cache: PairCache, num_pairs: int, batch: int, num_epochs: int) -> None:
    """Make all batches of some epochs, as a step takes them."""
    rng = np.random.default_rng(0)
    for _ in range(num_epochs):
        order = rng.permutation(num_pairs)
        for start in range(0, num_pairs, batch):
            cache.batch(order[start : start + batch], rng)


def cuts(cache: PairCache, settings: DataSettings, num_pairs: int, num_epochs: int) -> None:
    """Do of an epoch what a GPU leaves to the processor: bytes in [-1, 1] are made on the device."""
    rng = np.random.default_rng(0)
    for _ in range(num_epochs):
        for index in rng.permutation(num_pairs):
            drawn = draw_cuts(rng, 1, settings)
            for side in cache.stored(index):
                cut([side], drawn, settings.crop_size)


def furthest(cache: PairCache, paths: list[Path], every: int = 20) -> int:
    """Compare what is cached with what Pillow makes, as the authors' code asks it to."""
    worst = 0
    for index in range(0, len(paths), every):
        both = Image.open(paths[index]).convert("RGB")
        middle = both.width // 2
        for stored, box in zip(cache.stored(index), ((0, 0, middle), (middle, 0, both.width)), strict=True):
            side = both.crop((*box, both.height)).resize((LOAD_PX, LOAD_PX), Image.Resampling.BICUBIC)
            worst = max(worst, int(np.abs(np.asarray(side).astype(int) - stored).max()))
    return worst


def print_row(name: str, speeds: list[float], baseline: list[float]) -> None:
    ratio = median(ours / theirs for ours, theirs in zip(speeds, baseline, strict=True))
    result(f"{name:<40} {median(speeds):9.0f} {min(speeds):7.0f}-{max(speeds):<7.0f} {ratio:6.1f}x")


if __name__ == "__main__":
    exit_with_errors_told(main)
