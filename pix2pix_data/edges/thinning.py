"""Thinning of a binary drawing to one-pixel lines, by table lookup."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import BoolMap

__all__ = ["thin"]

_EAST_THEN_ANTICLOCKWISE = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
"""(row, column) in a 3x3 window of the neighbours x1 ... x8, as the paper numbers them."""


def thin(drawing: BoolMap) -> BoolMap:
    """Wear lines away from both sides until they are one pixel wide; ends and connections stay.

    Parameters
    ----------
    drawing : ndarray of shape (H, W), bool
        True on a line. Outside the map everything is False.

    Returns
    -------
    ndarray of shape (H, W), bool
        The same as MATLAB's `bwmorph(drawing, "thin", inf)` and `skimage.morphology.thin(drawing)`.

    References
    ----------
    Lam, Lee and Suen 1992, "Thinning methodologies: a comprehensive survey", IEEE PAMI 14(9); Guo and Hall 1989.
    """
    neighbour_bits, keep_tables = _tables()
    lines = drawing.astype(np.uint8)
    neighbours = np.empty_like(lines)
    num_lines = cv2.countNonZero(lines)
    while True:
        for keep in keep_tables:
            cv2.filter2D(lines, cv2.CV_8U, neighbour_bits, dst=neighbours, borderType=cv2.BORDER_CONSTANT)
            cv2.LUT(neighbours, keep, dst=neighbours)
            cv2.bitwise_and(lines, neighbours, dst=lines)
        num_before, num_lines = num_lines, cv2.countNonZero(lines)
        if num_lines == num_before:
            return lines.view(np.bool_)


@functools.cache
def _tables() -> tuple[npt.NDArray[np.float32], tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Return the 3x3 weights that turn neighbours into a byte, and for each pass whether such a pixel stays."""
    neighbour_bits = np.zeros((3, 3), np.float32)
    for bit, place in enumerate(_EAST_THEN_ANTICLOCKWISE):
        neighbour_bits[place] = 1 << bit

    codes = np.arange(256)
    x1, x2, x3, x4, x5, x6, x7, x8 = ((codes >> bit & 1).astype(bool) for bit in range(8))
    ring = (x1, x2, x3, x4, x5, x6, x7, x8, x1)
    crossings = sum((~ring[i] & (ring[i + 1] | ring[i + 2])).astype(int) for i in (0, 2, 4, 6))
    pairs_from_1 = sum((ring[i] | ring[i + 1]).astype(int) for i in (0, 2, 4, 6))
    pairs_from_2 = sum((ring[i] | ring[i + 1]).astype(int) for i in (1, 3, 5, 7))
    fewest = np.minimum(pairs_from_1, pairs_from_2)
    removable = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    north_east = removable & ~((x2 | x3 | ~x8) & x1)
    south_west = removable & ~((x6 | x7 | ~x4) & x5)
    return neighbour_bits, ((~north_east).astype(np.uint8), (~south_west).astype(np.uint8))
