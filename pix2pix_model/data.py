"""From a dataset to batches: decode once, keep the pixels, cut, mirror and normalise whole batches."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pix2pix_data.console import ProgressLine, say
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import UsageError
from pix2pix_data.limits import memory_limit, num_processors
from pix2pix_model.batch import Batch
from pix2pix_model.distributed import own_part, processes_of_machine
from pix2pix_model.nets import Rows
from pix2pix_model.pair_reader import Form, PairReader, Row
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.pixel_files import FOLDER_VARIABLE, PixelFiles, num_bytes_of, pixels_folder
from pix2pix_model.recipe import DataSettings
from pix2pix_model.views import to_array, to_tensor

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["Cuts", "PairCache", "cut", "cut_on_device", "draw_cuts", "to_device"]

_LOOK_AHEAD = 4  # pairs waiting for each decoding thread
WORTH_KEEPING_S = 2.0
"""What decodes sooner is decoded anew by the next run, and takes no room on the disk."""


# --- cutting and mirroring ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cuts:
    """One draw for each pair of a batch; arrays of shape (N,)."""

    top: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    mirrored: npt.NDArray[np.bool_]

    def part(self, part: slice) -> Cuts:
        """Return the draws for some pairs of the batch."""
        return Cuts(self.top[part], self.left[part], self.mirrored[part])


def draw_cuts(rng: np.random.Generator, num: int, settings: DataSettings) -> Cuts:
    """Draw where each pair is cut, from cut_from to load_size - crop_size inclusive, and whether it is mirrored."""
    slacks = [load - crop for load, crop in zip(settings.load_size, settings.crop_size, strict=True)]
    top, left = (rng.integers(min(settings.cut_from, slack), slack + 1, size=num) for slack in slacks)
    mirrored = rng.random(num) < 0.5
    return Cuts(top, left, mirrored & settings.mirror)


def cut(pictures: Sequence[Pixels], cuts: Cuts, crop_size: PictureSize) -> Pixels:
    """Cut a piece out of each picture, and mirror it where drawn; the same cuts hit all sides of a pair at one place.

    Slices of single pictures are a hundred times as fast here as one gathering index for the whole batch.

    Parameters
    ----------
    pictures : sequence of N ndarrays of shape (H, W, C)
    cuts : Cuts
    crop_size : PictureSize

    Returns
    -------
    ndarray of shape (N, *crop_size, C)
    """
    height, width = crop_size
    pieces = np.empty((len(pictures), height, width, pictures[0].shape[2]), pictures[0].dtype)
    for i, (picture, top, left, mirrored) in enumerate(zip(pictures, cuts.top, cuts.left, cuts.mirrored, strict=True)):
        piece = picture[top : top + height, left : left + width]
        if mirrored:
            cv2.flip(piece, 1, dst=pieces[i])  # 10 times as fast as piece[:, ::-1]; without dst, a tenth of all is lost
        else:
            pieces[i] = piece
    return pieces


def cut_on_device(stored: Tensor, indices: npt.NDArray[np.int64], cuts: Cuts, crop_size: PictureSize) -> Tensor:
    """Do the same as `cut` by one gathering index, where all pictures (num_pairs, H, W, C) lie on the device."""
    height, width = crop_size
    rows = cuts.top[:, None] + np.arange(height)
    columns = cuts.left[:, None] + np.where(cuts.mirrored[:, None], np.arange(width)[::-1], np.arange(width))
    picture, row, column = (to_device(torch.from_numpy(part), stored.device) for part in (indices, rows, columns))
    return stored[picture[:, None, None], row[:, :, None], column[:, None, :]]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy without waiting: a GPU goes on with the steps before, so that this batch is ready when they are done."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


# --- the cache ----------------------------------------------------------------------------------------------------


class PairCache:
    """A split decoded once, at load size, in as few bytes as hold it.

    The pixels lie on a GPU that has room to spare, else in memory, else in files that are mapped into it. What took a
    while to decode stays in files for the next run (`pixel_files`).

    Parameters
    ----------
    dataset : PairDataset
    settings : DataSettings
    split : str
    device : torch.device
        Where batches go.

    Raises
    ------
    ImageError
        If a pair cannot be decoded, naming its key.
    FormatError
        If a further dataset of `settings.also` is not there, or lacks a key.
    UsageError
        If neither the memory nor the cache has room for the pixels.
    """

    def __init__(self, dataset: PairDataset, settings: DataSettings, *, split: str, device: torch.device) -> None:
        self._settings, self._device = settings, device
        self._reader = PairReader(dataset, settings)
        self._split, self._num_pairs = split, dataset.num_pairs[split]
        self._forms: list[Form] = [
            ((self._num_pairs, *shape), dtype) for shape, dtype in self._reader.forms(settings.load_size)
        ]
        self._stored = self._kept_or_read()
        self._on_device: list[Tensor] | None = None
        if num_bytes_of(self._forms) <= _free_on(device) / 2:
            self._on_device = [to_tensor(kept).to(device) for kept in self._stored]
            self._stored = []

    def stored(self, index: int) -> list[Pixels]:
        """Return the sides of a pair as they are kept, (*load_size, num_stored) each."""
        if self._on_device is not None:
            return [to_array(stored[index]) for stored in self._on_device]
        return [kept[index] for kept in self._stored]

    def batch(self, indices: npt.NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Make the batch of these pairs with cuts drawn from `rng`; of several processes, each makes its part."""
        part, share = own_part(len(indices))
        cuts = draw_cuts(rng, len(indices), self._settings).part(part)
        pieces = self._pieces(indices[part], cuts)  # each (N, *crop_size, num_stored)
        rows = None if share == 1 else Rows(part.start, part.stop, len(indices))
        return Batch(self._reader.given(pieces), self._reader.wanted(pieces), share, rows)

    def _pieces(self, indices: npt.NDArray[np.int64], cuts: Cuts) -> list[Tensor]:
        size = self._settings.crop_size
        if self._on_device is not None:
            return [cut_on_device(stored, indices, cuts, size) for stored in self._on_device]
        cut_out = [cut([kept[i] for i in indices], cuts, size) for kept in self._stored]
        return [to_device(to_tensor(piece), self._device) for piece in cut_out]

    # --- filling ------------------------------------------------------------------------------------------------

    def _kept_or_read(self) -> list[Pixels]:
        folder = pixels_folder()
        name = self._reader.name_of_pixels(self._split, self._settings.load_size)
        files = PixelFiles(folder, name, self._forms) if folder else None
        if files and (kept := files.open()):
            arrays, words = kept
            say(f"The pixels are those that an earlier run kept in {files.path}")
            _say_all(words)
            return arrays
        if num_bytes_of(self._forms) * processes_of_machine() <= _free_memory() / 2:
            return self._read_to_memory(files)
        return self._read_to_files(files)

    def _read_to_memory(self, files: PixelFiles | None) -> list[Pixels]:
        start_s = time.monotonic()
        arrays: list[Pixels] = [np.empty(shape, dtype) for shape, dtype in self._forms]
        words = self._read(arrays)
        if files and time.monotonic() - start_s > WORTH_KEEPING_S:
            try:
                files.keep(arrays, words)
                say(f"The pixels are kept for the next run in {files.path}")
            except OSError as error:
                say(f"The pixels are not kept for the next run: {error}")
        return arrays

    def _read_to_files(self, files: PixelFiles | None) -> list[Pixels]:
        """Serve from files where memory is short."""
        needs = f"the pixels take {num_bytes_of(self._forms) / 2**30:.1f} GiB, over half of the free memory"
        fix = f"set {FOLDER_VARIABLE} to a folder with more room, or load smaller pictures (data.load_size)"
        if files is None:
            raise UsageError(f"{needs}, and {FOLDER_VARIABLE} is empty, so that no files may hold them", fix=fix)
        with ExitStack() as stack:
            try:
                arrays, words = stack.enter_context(files.filled())
            except OSError as error:
                raise UsageError(f"{needs}, and no files can: {error}", where=files.folder, fix=fix) from error
            words += self._read(arrays)
        say(f"{needs[0].upper()}{needs[1:]}: they are in {files.path}, also for the next run")
        return arrays

    def _read(self, arrays: Sequence[Pixels]) -> list[str]:
        """Decode the split into arrays; return what is to be said of it."""
        rows = self._reader.rows(self._split)
        with ProgressLine("Reading pairs", self._num_pairs, unit="pairs") as progress:
            for i, stored in enumerate(_read_in_order(rows, self._reader, self._settings.load_size)):
                for kept, side in zip(arrays, stored, strict=True):
                    kept[i] = side
                progress.advance()
        words = self._reader.doubts.words()
        _say_all(words)
        return words


def _say_all(words: Sequence[str]) -> None:
    for line in words:
        say(line)


def _read_in_order(rows: Iterator[Row], reader: PairReader, size: PictureSize) -> Iterator[list[Pixels]]:
    """Decode in threads, a bounded number of pairs ahead."""
    num_threads = min(num_processors(), 16)
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[list[Pixels]]] = deque()
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


def _free_on(device: torch.device) -> int:
    """Return the bytes that a GPU has left; 0 for others, whose memory is the computer's own."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def _free_memory() -> float:
    """Return the bytes of memory that a process can still get, as well as the system tells."""
    limits = []
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        fields = dict(line.split(":") for line in meminfo.read_text(encoding="utf-8").splitlines())
        limits.append(int(fields["MemAvailable"].split()[0]) * 1024)
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    if limit := memory_limit():
        limits.append(limit)
    return min(limits, default=8 * 2**30)
