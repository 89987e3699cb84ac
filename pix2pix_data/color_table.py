"""The palette colour nearest to any colour, looked up: exact, and found once for each colour that is met."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.images import to_lab

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap
    from pix2pix_data.palette_file import Color, Palette

__all__ = ["ColorTable", "color_table", "nearest_labels", "snap_to_palette"]

_NUM_COLORS = 1 << 24


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
    lab = to_lab(image).reshape(-1, 3)
    lightness, a, b = np.ascontiguousarray(lab.T)
    nearest = np.full(len(lab), np.inf, np.float32)
    labels = np.zeros(len(lab), np.uint8)
    # Colour by colour, so that what a pixel gets depends on nothing but its own colour: a product of matrices
    # rounds by where in the matrix a row stands.
    for label, center in enumerate(to_lab(np.array(colors, np.uint8))):
        distance = (lightness - center[0]) ** 2 + (a - center[1]) ** 2 + (b - center[2]) ** 2
        labels[distance < nearest] = label
        np.minimum(nearest, distance, out=nearest)
    return labels.reshape(image.shape[:-1])


class ColorTable:
    """A table from all 2**24 colours to labels, equal to `nearest_labels` in every entry.

    An entry is filled in when its colour is first met. Filling in all of them beforehand takes seconds, which a
    hundred photos do not need; what a photo brings that the photos before it did not is a small part of its pixels.
    The table takes 32 MiB of address space, and memory only where colours were met.
    """

    def __init__(self, colors: Sequence[Color]) -> None:
        self.colors = tuple(colors)
        self._next_label = np.zeros(_NUM_COLORS, np.uint16)  # label + 1; 0 where the colour was never met

    def labels(self, image: RGB) -> LabelMap:
        """Find the label of each pixel of an image of shape (H, W, 3)."""
        codes = _codes(image)
        found = self._next_label[codes]
        missing = found == 0
        if missing.any():
            self._next_label[codes[missing]] = nearest_labels(image[missing], self.colors).astype(np.uint16) + 1
            found = self._next_label[codes]
        return (found - 1).astype(np.uint8)


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


def _codes(image: RGB) -> npt.NDArray[np.int32]:
    wide = image.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
