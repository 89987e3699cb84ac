"""Decoded pixels that the next run finds again: a folder of .npy files for each dataset and way of loading it.

They are a copy, made anew from the dataset whenever they are missing, damaged or of other settings, so nothing is lost
when they are removed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.atomic import write_json
from pix2pix_data.cache_folder import cache_folder

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_model.pair_reader import Form

__all__ = ["FOLDER_VARIABLE", "PixelFiles", "num_bytes_of", "pixels_folder"]

FOLDER_VARIABLE = "P2P_CACHE"
"""Environment variable: the folder of the cache; empty, and nothing is kept."""
_MAX_BYTES = 64 * 2**30  # of all datasets together; those that were not used for longest go first
_HEAD = "pixels.json"  # written last, and only there when all else is
_STALE_S = 24 * 3600.0  # a part this old is of a run that was killed


def pixels_folder() -> Path | None:
    """Return where decoded pixels are kept, or None where the user wants none."""
    return None if os.environ.get(FOLDER_VARIABLE) == "" else cache_folder() / "pixels"


@dataclass(frozen=True, slots=True)
class PixelFiles:
    """The files of one split, loaded in one way.

    Attributes
    ----------
    folder : Path
        The cache, of all datasets.
    name : str
        Differs whenever the pixels could.
    forms : sequence of (shape, dtype)
        Of each array, with the number of pairs as its first axis.
    """

    folder: Path
    name: str
    forms: Sequence[Form]

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def open(self) -> tuple[list[Pixels], list[str]] | None:
        """Map what an earlier run kept, and return it with its words about it; None if it is not there, or damaged.

        All of it is held against its checksums. That takes a fraction of what decoding does, and brings it into memory.
        """
        try:
            head = json.loads((self.path / _HEAD).read_bytes())
            # "c": torch wants arrays that may be written to; what is written would not reach the files
            arrays: list[Pixels] = [np.load(self.path / _file(i), mmap_mode="c") for i in range(len(self.forms))]
            if [(array.shape, array.dtype) for array in arrays] != list(self.forms):
                return None
            if head["checksums"] != _checksums(arrays):
                return None
            words = list(map(str, head["words"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None
        with suppress(OSError):
            os.utime(self.path)  # used last: goes last
        return arrays, words

    def keep(self, arrays: Sequence[Pixels], words: Sequence[str]) -> None:
        """Write arrays for the next run.

        Raises
        ------
        OSError
            If the disk is too small, or the folder cannot be written; nothing of it stays.
        """
        with self._part() as part:
            for i, array in enumerate(arrays):
                np.save(part / _file(i), array)
            self._close(part, arrays, words)

    @contextmanager
    def filled(self) -> Iterator[tuple[list[Pixels], list[str]]]:
        """Give arrays in files to fill, and a list for words about them; they are kept when the block ends well.

        Raises
        ------
        OSError
            As `keep`; before anything is filled where the system can reserve room.
        """
        with self._part() as part:
            arrays = [self._reserved(part / _file(i), form) for i, form in enumerate(self.forms)]
            words: list[str] = []
            yield arrays, words
            self._close(part, arrays, words)

    def _reserved(self, path: Path, form: Form) -> Pixels:
        array: Pixels = np.lib.format.open_memmap(path, mode="w+", dtype=form[1], shape=form[0])
        if hasattr(os, "posix_fallocate"):  # writing to a map that the disk has no room for would kill the process
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    def _close(self, part: Path, arrays: Sequence[Pixels], words: Sequence[str]) -> None:
        write_json(part / _HEAD, {"checksums": _checksums(arrays), "words": list(words)})

    @contextmanager
    def _part(self) -> Iterator[Path]:
        """Give a folder of this process alone that becomes the real one at the end, so that two runs can build."""
        self._make_room()
        part = self.folder / f".{self.name}.{os.getpid()}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            yield part
            shutil.rmtree(self.path, ignore_errors=True)  # damaged, or the same from another run
            part.replace(self.path)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _make_room(self) -> None:
        """Remove what was not used for longest, as far as the limit asks for it."""
        num_bytes = num_bytes_of(self.forms)
        self.folder.mkdir(parents=True, exist_ok=True)
        if num_bytes > min(_MAX_BYTES, shutil.disk_usage(self.folder).free / 2):
            raise OSError(f"{num_bytes / 2**30:.1f} GiB are more than half of what is free there, or above the limit")
        for part in self.folder.glob(".*.part"):
            if time.time() - part.stat().st_mtime > _STALE_S:
                shutil.rmtree(part, ignore_errors=True)
        kept = sorted((head.parent for head in self.folder.glob(f"*/{_HEAD}")), key=lambda path: path.stat().st_mtime)
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in kept}
        for path in kept:
            if sum(sizes.values()) + num_bytes <= _MAX_BYTES:
                return
            shutil.rmtree(path, ignore_errors=True)
            del sizes[path]


def _checksums(arrays: Sequence[Pixels]) -> list[int]:
    return [zlib.crc32(array.data) for array in arrays]


def num_bytes_of(forms: Sequence[Form]) -> int:
    """Say what arrays of these forms take."""
    return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in forms)


def _file(index: int) -> str:
    return f"{index}.npy"
