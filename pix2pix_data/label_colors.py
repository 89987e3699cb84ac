"""Colours for classes: counted in the label maps, or invented for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.errors import FormatError
from pix2pix_data.palette_file import MAX_COLORS, Color, Palette

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

__all__ = ["VOID_COLOR", "index_palette", "recover_colors"]

VOID_COLOR = (224, 224, 192)
"""PASCAL VOC's colour of pixels without a class."""

_JPEG_SPREAD = 16
"""Grey levels in any channel within which the colours of flat places are one class. Two of Cityscapes' differ by 20."""
_FLAT = 8  # grey levels between neighbours
_ENOUGH = 0.999  # of the flat pixels; the rarest of the 12 classes of facades has 0.4 % of them
_RAREST = 2e-4


def recover_colors(pictures: Sequence[RGB]) -> Palette:
    """Find the class colours of label maps by counting.

    Where the maps hold no more than 256 colours, these are the classes. Where JPEG has smeared them, the most frequent
    colour of flat places is a class, with all colours within 16 grey levels; then the next, until 99.9 % of the flat
    pixels are told.

    Parameters
    ----------
    pictures : sequence of ndarray of shape (H, W, 3), uint8

    Returns
    -------
    Palette
        The most frequent colour first; the note says how many were found and what part of the pixels they are.
    """
    colors, counts = _counted(pictures, flat_alone=False)
    if len(colors) <= MAX_COLORS:
        order = np.argsort(-counts, kind="stable")
        return _recovered(colors[order], f"the {len(colors)} colours of {len(pictures)} label maps")
    colors, counts = _counted(pictures, flat_alone=True)
    if not len(colors):
        raise FormatError("the label maps have no flat place: these are photos, or noise", fix="give --palette")
    total, told = counts.sum(), 0
    chosen: list[npt.NDArray[np.int32]] = []
    left = counts.copy()
    while told < _ENOUGH * total and len(chosen) < MAX_COLORS:
        peak = colors[left.argmax()]
        near = (np.abs(colors - peak).max(axis=1) <= _JPEG_SPREAD) & (left > 0)
        if left[near].sum() < _RAREST * total:
            break
        told += left[near].sum()
        left[near] = 0
        chosen.append(peak)
    what = f"{len(chosen)} colours recovered from {len(pictures)} label maps: {told / total:.1%} of their flat pixels"
    return _recovered(np.array(chosen), what)


def _recovered(colors: npt.NDArray[np.int32], note: str) -> Palette:
    return Palette(tuple((int(red), int(green), int(blue)) for red, green, blue in colors), note=note)


def _counted(pictures: Sequence[RGB], *, flat_alone: bool) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Count colours; returns them, of shape (n, 3), and how many pixels have each."""
    counts = np.zeros(1 << 24, np.int64)
    square = np.ones((3, 3), np.uint8)
    for picture in pictures:
        wide = picture.astype(np.int32)
        codes = (wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]
        if flat_alone:
            codes = codes[(cv2.dilate(picture, square) - cv2.erode(picture, square) <= _FLAT).all(axis=2)]
        np.add.at(counts, codes.ravel(), 1)
    found = np.flatnonzero(counts).astype(np.int32)
    return np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=1), counts[found]


def index_palette(num_classes: int, *, has_void: bool) -> Palette:
    """Invent colours for classes that have none: those of PASCAL VOC, where bits of the number become colour.

    References
    ----------
    Everingham et al. 2010, "The PASCAL visual object classes (VOC) challenge"; its development kit, VOCcolormap.
    """
    colors = [_voc_color(i) for i in range(num_classes)]
    names = [f"class {i}" for i in range(num_classes)]
    if has_void:
        colors.append(VOID_COLOR)
        names.append("void")
    return Palette(tuple(colors), names=tuple(names), note=f"{num_classes} classes by number, in PASCAL VOC's colours")


def _voc_color(index: int) -> Color:
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]
