"""Layouts of picture files alone, as the pix2pix programs read them: side by side, and two folders."""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.export.layout import ExportLayout, NamedPair, suffix_of
from pix2pix_data.images import decode_rgb, encode_jpeg, encode_png
from pix2pix_data.layouts.pictures import PAIRS_FILE
from pix2pix_data.pair import Pair
from pix2pix_data.shards import Columns

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["JpegSideBySide", "SideBySide", "TwoFolders"]

_FOLDERS = {"train": "train", "validation": "val", "test": "test"}  # the public sets and their programs say val


class _PictureFiles(ExportLayout):
    """What both share: a folder for each split, and a file that keeps keys and groups."""

    def write(self, split: str, pairs: Iterable[NamedPair]) -> None:
        with (self.folder / PAIRS_FILE).open("a", encoding="utf-8") as known:
            for pair in pairs:
                self.write_pair(_FOLDERS[split], pair)
                record = {"split": split, "name": pair.name, "key": pair.key, "group": pair.group}
                known.write(json.dumps(record) + "\n")

    @abstractmethod
    def write_pair(self, folder: str, pair: NamedPair) -> None:
        """Write the files of one pair of the split that `folder` stands for."""


class TwoFolders(_PictureFiles):
    """trainA/ and trainB/, valA/ and so on; files of a pair have one name."""

    def write_pair(self, folder: str, pair: NamedPair) -> None:
        for side, content in (("A", pair.a), ("B", pair.b)):
            _write(self.folder / f"{folder}{side}" / (pair.name + suffix_of(content)), content)


class SideBySide(_PictureFiles):
    """train/, val/ and test/ with both sides in one PNG, A on the left: no pixel changes."""

    keeps_files = False

    def __init__(self, folder: Path, columns: Columns, num_pairs: Mapping[str, int]) -> None:
        super().__init__(folder, columns, num_pairs)
        self._num_bytes = {"before": 0, "now": 0}

    def write_pair(self, folder: str, pair: NamedPair) -> None:
        sides = Pair(pair.key, decode_rgb(pair.a), decode_rgb(pair.b), pair.group)
        name, content = self.encode(pair.name, np.hstack([sides.a, sides.b]))
        _write(self.folder / folder / name, content)
        self._num_bytes["before"] += len(pair.a) + len(pair.b)
        self._num_bytes["now"] += len(content)

    def encode(self, name: str, both: RGB) -> tuple[str, bytes]:
        """Return the name and the bytes of the file for a picture of shape (H, 2 W, 3)."""
        return f"{name}.png", encode_png(both)

    def notes(self) -> list[str]:
        return [f"PNG: every pixel of both sides is as it was, in {self._times()} the bytes of the sides by themselves"]

    def _times(self) -> str:
        return f"{self._num_bytes['now'] / self._num_bytes['before']:.2g} times"


class JpegSideBySide(SideBySide):
    """The same as JPEG of quality 95 with full chroma: small, and not what it was."""

    def __init__(self, folder: Path, columns: Columns, num_pairs: Mapping[str, int]) -> None:
        super().__init__(folder, columns, num_pairs)
        self._squared_error = {"A": 0, "B": 0}
        self._num_values = 0

    def encode(self, name: str, both: RGB) -> tuple[str, bytes]:
        content = encode_jpeg(both)
        difference = decode_rgb(content).astype(np.int32) - both
        middle = both.shape[1] // 2
        for side, part in (("A", difference[:, :middle]), ("B", difference[:, middle:])):
            self._squared_error[side] += int((part * part).sum())
        self._num_values += both.size // 2
        return f"{name}.jpg", content

    def notes(self) -> list[str]:
        told = " and ".join(f"{side} {self._psnr(error)}" for side, error in self._squared_error.items())
        size = f"JPEG quality 95: {self._times()} the bytes of the sides by themselves"
        return [size, f"this encoding changed pixels: {told}; without --jpeg no pixel changes"]

    def _psnr(self, squared_error: int) -> str:
        """Say the peak signal-to-noise ratio of all pixels together, in dB."""
        if squared_error == 0:
            return "is as it was"
        return f"has {10 * math.log10(255**2 * self._num_values / squared_error):.1f} dB PSNR"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as file:  # names differ, so that a file of this name is a fault of ours
        file.write(content)
