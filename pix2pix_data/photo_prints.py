"""A print of a photo: a gray thumbnail, small enough to keep a million of and good enough to know a copy by."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import cv2
import numpy as np

from pix2pix_data.console import ProgressLine
from pix2pix_data.engines.local import run_local
from pix2pix_data.errors import ImageError
from pix2pix_data.images import decode_photo, read_photo

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.engines import ShardFunction, Tick
    from pix2pix_data.pair import RGB

    Prints: TypeAlias = npt.NDArray[np.uint8]  # (N, 24, 24)

__all__ = ["PRINT_PX", "PrintFiles", "collect_prints", "print_of", "print_of_file", "read_prints"]

Task = TypeVar("Task")

PRINT_PX = 24
_ENOUGH = (32, 32)  # a JPEG is decoded at the smallest scale that leaves 64 pixels for these 24
_TASK_PHOTOS = 256


@dataclass(frozen=True, slots=True)
class PrintFiles:
    """Where all workers write prints to: each to rows of its own."""

    prints: Path
    readable: Path

    def put(self, row: int, print_or_none: npt.NDArray[np.uint8] | None) -> None:
        """Write a print; None says that the photo cannot be read."""
        if print_or_none is not None:
            np.load(self.prints, mmap_mode="r+")[row] = print_or_none
            np.load(self.readable, mmap_mode="r+")[row] = True


@dataclass(frozen=True, slots=True)
class _Task:
    """Photos whose prints go into the rows from `start`."""

    paths: tuple[str, ...]
    start: int
    files: PrintFiles

    def __str__(self) -> str:
        return f"{self.paths[0]} or one of the {len(self.paths) - 1} photos after it"


def print_of(photo: RGB) -> npt.NDArray[np.uint8]:
    """Reduce a photo, whatever its shape, to a square of gray.

    Parameters
    ----------
    photo : ndarray of shape (H, W, 3), uint8
        sRGB pixels.

    Returns
    -------
    ndarray of shape (24, 24), uint8
        Area means of the luma.
    """
    print_ = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    for side in (_ENOUGH[0], PRINT_PX):  # two steps blur a little more than one, so that fine grain is left out
        print_ = cv2.resize(print_, (side, side), interpolation=cv2.INTER_AREA)
    return print_.astype(np.uint8, copy=False)


def print_of_file(content: bytes) -> npt.NDArray[np.uint8]:
    """Take the print of a picture file, turned upright; ImageError if it cannot be decoded."""
    return print_of(decode_photo(content, enough=_ENOUGH).rgb)


def read_prints(paths: Sequence[str], *, workers: int) -> tuple[Prints, npt.NDArray[np.bool_]]:
    """Take the prints of many files in processes; returns what `collect_prints` does."""

    def tasks(files: PrintFiles) -> list[_Task]:
        starts = range(0, len(paths), _TASK_PHOTOS)
        return [_Task(tuple(paths[start : start + _TASK_PHOTOS]), start, files) for start in starts]

    return collect_prints(_print_photos, tasks, len(paths), workers=workers)


def collect_prints(
    function: ShardFunction[Task], tasks: Callable[[PrintFiles], list[Task]], num_photos: int, *, workers: int
) -> tuple[Prints, npt.NDArray[np.bool_]]:
    """Let `function` put the prints of `num_photos` photos into files that all workers share.

    Returns
    -------
    prints : ndarray of shape (N, 24, 24), uint8
        576 bytes a photo.
    readable : ndarray of shape (N,), bool
        False where the file is no picture, and the print is blank.
    """
    with tempfile.TemporaryDirectory(prefix="p2p-prints-") as folder:
        files = PrintFiles(Path(folder, "prints.npy"), Path(folder, "readable.npy"))
        np.save(files.prints, np.zeros((num_photos, PRINT_PX, PRINT_PX), np.uint8))
        np.save(files.readable, np.zeros(num_photos, np.bool_))
        with ProgressLine("Looking for near-duplicates", num_photos, unit="photos") as progress:
            run_local(function, tasks(files), workers=workers, tick=progress.advance)
        return np.load(files.prints), np.load(files.readable)


def _print_photos(task: _Task, tick: Tick) -> None:
    for row, path in enumerate(task.paths, task.start):
        try:
            task.files.put(row, print_of(read_photo(path, enough=_ENOUGH)[0].rgb))
        except ImageError:  # the build reports it
            task.files.put(row, None)
        tick(1)
