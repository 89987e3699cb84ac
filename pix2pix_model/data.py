"""From a dataset to batches: decode once, keep the pixels, cut, mirror and normalise whole batches."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pix2pix_data.console import ProgressLine, say
from pix2pix_data.dataset import PairDataset
from pix2pix_model.pair_reader import PairReader, Records, Row
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import DataSettings

__all__ = ["Batch", "Cuts", "PairCache", "cut", "draw_cuts"]

_LOOK_AHEAD = 4  # pairs waiting for each decoding thread


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step trains on.

    Attributes
    ----------
    a, b : Tensor of shape (N, C, H, W), float32
        Condition and target in [-1, 1], as the recipe says that networks see them.
    """

    a: Tensor
    b: Tensor


# --- cutting and mirroring ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cuts:
    """One draw for each pair of a batch; arrays of shape (N,)."""

    top: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]


def draw_cuts(rng: np.random.Generator, num: int, settings: DataSettings) -> Cuts:
    """Draw where each pair is cut, from cut_from to load_size - crop_size inclusive, and whether it is mirrored."""
    slacks = [load - crop for load, crop in zip(settings.load_size, settings.crop_size, strict=True)]
    top, left = (rng.integers(min(settings.cut_from, slack), slack + 1, size=num) for slack in slacks)
    mirrored = rng.random(num) < 0.5
    return Cuts(top, left, mirrored & settings.mirror)


def cut(records: Tensor, cuts: Cuts, crop_size: PictureSize) -> Tensor:
    """Cut a piece out of each record, at one place in all its sides, and mirror it where drawn.

    Parameters
    ----------
    records : Tensor of shape (N, H, W, num_bytes)
    cuts : Cuts
    crop_size : PictureSize

    Returns
    -------
    Tensor of shape (N, *crop_size, num_bytes)
    """
    down, across = (np.arange(side) for side in crop_size)
    rows = cuts.top[:, None] + down  # (N, crop_size.height)
    columns = cuts.left[:, None] + np.where(cuts.mirrored[:, None], across[::-1], across)
    one = torch.arange(len(records), device=records.device)[:, None, None]
    row = torch.from_numpy(rows).to(records.device)[:, :, None]
    column = torch.from_numpy(columns).to(records.device)[:, None, :]
    return records[one, row, column]


# --- the cache ----------------------------------------------------------------------------------------------------


class PairCache:
    """A split decoded once, at load size, in as few bytes as hold it: in memory, or in a file where memory is short.

    Parameters
    ----------
    dataset : PairDataset
    settings : DataSettings
    split : str
    spill_dir : Path
        Where the file goes if the pixels would take more than half of the free memory. The file has no name and
        vanishes with the process.

    Raises
    ------
    ImageError
        If a pair cannot be decoded, naming its key.
    FormatError
        If a further dataset of `settings.also` is not there, or lacks a key.
    """

    def __init__(self, dataset: PairDataset, settings: DataSettings, *, split: str, spill_dir: Path) -> None:
        self._settings = settings
        self._reader = PairReader(dataset, settings)
        rows, num_pairs = self._reader.rows(split), dataset.num_pairs[split]
        records = _allocate((num_pairs, *settings.load_size, self._reader.num_bytes), spill_dir)
        with ProgressLine("Reading pairs", num_pairs, unit="pairs") as progress:
            for i, record in enumerate(_read_in_order(rows, self._reader, settings.load_size)):
                records[i] = record
                progress.advance()
        for words in self._reader.doubts():
            say(words)
        self._records = torch.from_numpy(records)

    def batch(self, indices: npt.NDArray[np.int64], rng: np.random.Generator, device: torch.device) -> Batch:
        """Make the batch of these pairs with cuts drawn from `rng`."""
        cuts = draw_cuts(rng, len(indices), self._settings)
        records = self._records[torch.from_numpy(indices)].to(device)  # (N, H, W, num_bytes), uint8
        records = cut(records, cuts, self._settings.crop_size)
        return Batch(a=self._reader.given(records), b=self._reader.wanted(records))


def _read_in_order(rows: Iterator[Row], reader: PairReader, size: PictureSize) -> Iterator[Records]:
    """Decode in threads, a bounded number of pairs ahead."""
    num_threads = min(os.cpu_count() or 1, 16)
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[Records]] = deque()
        try:
            while True:
                room = num_threads * _LOOK_AHEAD - len(waiting)
                for row in islice(rows, room):
                    waiting.append(pool.submit(reader.read, row, size))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _allocate(shape: tuple[int, ...], spill_dir: Path) -> npt.NDArray[np.uint8]:
    num_bytes = int(np.prod(shape))
    if num_bytes <= _free_memory() / 2:
        return np.empty(shape, np.uint8)
    say(f"The pixels take {num_bytes / 2**30:.1f} GiB, over half of the free memory: kept in a file in {spill_dir}")
    with tempfile.TemporaryFile(dir=spill_dir) as file:
        file.truncate(num_bytes)
        return np.memmap(file, np.uint8, "r+", shape=shape)  # the map outlives the file's handle


def _free_memory() -> float:
    """Return the bytes of memory that a process can still get, as well as the system tells."""
    limits = []
    meminfo, cgroup_limit = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
    if meminfo.is_file():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    if cgroup_limit.is_file() and (limit := cgroup_limit.read_text().strip()).isdigit():
        limits.append(int(limit))
    return min(limits, default=8 * 2**30)
