"""The palette colour nearest to any colour, looked up: exact, and found once for each colour that is met."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap
    from pix2pix_data.palette_file import Color, Palette

__all__ = ["ColorTable", "color_table", "nearest_labels", "snap_to_palette", "to_lab"]

_CELL = 4  # levels a side
_CELL_BITS = 6
_NUM_CELLS = 1 << 18
_BLOCK = 1 << 13  # pixels whose distances stay in a core's cache


def to_lab(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert sRGB pixels of shape (..., 3) to CIE Lab (D65): L in [0, 100], a and b within about [-110, 110].

    Levels are those of 8 bits, also between two of them.
    OpenCV looks them up in a coarse table: within 0.2 of the formulas in L, 0.5 in a and b.
    """
    row = pixels.reshape(1, -1, 3).astype(np.float32) / 255  # OpenCV takes a row four times as fast as a column
    return cv2.cvtColor(row, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False).reshape(pixels.shape)


def nearest_labels(image: RGB, colors: Sequence[Color]) -> LabelMap:
    """Find for each pixel the palette colour nearest in Lab; the first of equals.

    Parameters
    ----------
    image : ndarray of shape (..., 3), uint8
    colors : sequence of (int, int, int)
        At most 256 sRGB colours.

    Returns
    -------
    ndarray of shape (...), uint8
        Indices into `colors`.
    """
    pixels = image.reshape(-1, 3)
    centers = to_lab(np.array(colors, np.uint8))
    labels = np.zeros(len(pixels), np.uint8)
    for start in range(0, len(pixels), _BLOCK):
        _label_block(to_lab(pixels[start : start + _BLOCK]), centers, labels[start : start + _BLOCK])
    return labels.reshape(image.shape[:-1])


def _label_block(lab: npt.NDArray[np.float32], centers: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> None:
    """Write the labels of some pixels, colour by colour.

    So what a pixel gets depends on its own colour alone: a product of matrices rounds by where in them a row stands.
    """
    channels = np.ascontiguousarray(lab.T)  # (3, n)
    nearest = np.full(len(lab), np.inf, np.float32)
    difference, distance = np.empty_like(channels), np.empty_like(nearest)
    for label, center in enumerate(centers):
        np.subtract(channels, center[:, None], out=difference)
        np.multiply(difference, difference, out=difference)
        np.add(difference[0], difference[1], out=distance)
        np.add(distance, difference[2], out=distance)
        np.copyto(labels, label, where=distance < nearest)
        np.minimum(nearest, distance, out=nearest)


class ColorTable:
    """A table from all 2**24 colours to labels, equal to `nearest_labels` in every entry.

    Colours are kept in cells of 4 levels a side, and a cell is filled in when one of its 64 colours is first met: the
    whole table takes seconds, which a hundred photos do not need, and colour by colour most of a new photo would be
    new. It takes 16 MiB of address space, and memory only where colours were met.
    """

    def __init__(self, colors: Sequence[Color]) -> None:
        self.colors = tuple(colors)
        self._labels = np.zeros((_NUM_CELLS, _CELL**3), np.uint8)
        self._is_filled = np.zeros(_NUM_CELLS, np.bool_)

    def labels(self, image: RGB) -> LabelMap:
        """Find the label of each pixel of an image of shape (H, W, 3)."""
        red, green, blue = _PLACES
        places = red[image[:, :, 0]] | green[image[:, :, 1]] | blue[image[:, :, 2]]  # (H, W)
        is_met = np.zeros(_NUM_CELLS, np.bool_)
        is_met[places >> _CELL_BITS] = True
        new = np.flatnonzero(is_met & ~self._is_filled)
        if new.size:
            self._labels[new] = nearest_labels(_colors_of(new), self.colors)
            self._is_filled[new] = True
        found: LabelMap = self._labels.reshape(-1)[places]
        return found


@functools.lru_cache(maxsize=2)
def color_table(colors: tuple[Color, ...]) -> ColorTable:
    """Return the table of a palette; one process keeps those of the last two palettes."""
    return ColorTable(colors)


def snap_to_palette(image: RGB, palette: Palette) -> RGB:
    """Paint each pixel in the palette colour nearest to it in Lab: a user's painting, or a smeared label map.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
    palette : Palette

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
    """
    return np.array(palette.colors, np.uint8)[color_table(palette.colors).labels(image)]


def _places() -> npt.NDArray[np.int32]:
    """Say where a red, green or blue level stands in the bits of a place: cell first, then within the cell."""
    level = np.arange(256)
    cell, within = level // _CELL, level % _CELL
    return np.stack([(cell << (18 - 6 * i)) | (within << (4 - 2 * i)) for i in range(3)]).astype(np.int32)


_PLACES = _places()  # (3, 256)


def _colors_of(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the 64 colours of each cell, shape (n, 64, 3)."""
    places = (cells[:, None] << _CELL_BITS) | np.arange(_CELL**3)
    channels = [((places >> (18 - 6 * i)) & 63) * _CELL + ((places >> (4 - 2 * i)) & 3) for i in range(3)]
    return np.stack(channels, axis=2).astype(np.uint8)
