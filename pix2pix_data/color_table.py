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

__all__ = ["ColorTable", "color_table", "nearest_labels", "paint_labels", "snap_to_palette", "to_lab"]

_FIRST_OF_CELL = np.uint32(0xFCFCFC)
_IN_CELL = np.array([(r << 16) | (g << 8) | b for r in range(4) for g in range(4) for b in range(4)], np.uint32)
_BLOCK = 1 << 13  # pixels whose distances stay in a core's cache


def to_lab(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert sRGB pixels of shape (..., 3) to CIE Lab (D65): L in [0, 100], a and b within about [-110, 110].

    Levels are those of 8 bits, also between two of them.
    OpenCV looks them up in a coarse table: within 0.2 of the formulas in L, 0.5 in a and b.
    """
    row = np.divide(pixels.reshape(1, -1, 3), np.float32(255))  # OpenCV takes a row four times as fast as a column
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

    It is filled by cells of 4 levels a side, when one of a cell's 64 colours is first met: the whole table takes
    seconds, which a hundred photos do not need, and colour by colour most of a new photo would be new. It takes 16 MiB
    of address space, and memory only where colours were met.
    """

    def __init__(self, colors: Sequence[Color]) -> None:
        self.colors = tuple(colors)
        # One more than the label, and 0 where nothing was met. In eight bits the 256th label comes out as 0 as well:
        # its cells are filled anew each time they are met.
        self._entries = np.zeros(1 << 24, np.uint8)

    def labels(self, image: RGB) -> LabelMap:
        """Find the label of each pixel of an image of shape (H, W, 3)."""
        codes = _codes(image)
        entries = self._entries.take(codes)
        if not entries.all():
            self._fill(np.unique(codes[entries == 0] & _FIRST_OF_CELL))
            entries = self._entries.take(codes)
        labels: LabelMap = entries - np.uint8(1)
        return labels

    def _fill(self, cells: npt.NDArray[np.uint32]) -> None:
        for start in range(0, len(cells), _BLOCK // len(_IN_CELL)):
            codes = cells[start : start + _BLOCK // len(_IN_CELL), None] | _IN_CELL  # (n, 64)
            colors = np.stack([codes >> 16, codes >> 8, codes], axis=2).astype(np.uint8)
            self._entries[codes] = nearest_labels(colors, self.colors) + np.uint8(1)


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
    return paint_labels(color_table(palette.colors).labels(image), palette.colors)


def paint_labels(labels: LabelMap, colors: Sequence[Color]) -> RGB:
    """Paint each label of a map (H, W) in its colour, by OpenCV in a third of numpy's time."""
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(colors), 0] = colors
    return cv2.applyColorMap(labels, table).astype(np.uint8, copy=False)


def _codes(image: RGB) -> npt.NDArray[np.uint32]:
    """Write each colour as the number 0xRRGGBB, (H, W)."""
    bgra = cv2.cvtColor(image, cv2.COLOR_RGB2BGRA)
    codes: npt.NDArray[np.uint32] = bgra.view("<u4")[:, :, 0] & np.uint32(0xFFFFFF)
    return codes
