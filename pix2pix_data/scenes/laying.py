"""Two photos of one camera, brought to the pixels that both show: bars cut off, A moved onto B."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pix2pix_data.errors import ImageError
from pix2pix_data.images import read_rgb, resize
from pix2pix_data.scenes.alignment import SMALLEST_PX, Shift, find_shift, lay_over
from pix2pix_data.scenes.static_masks import LEAST_PHOTOS, Overlay, find_overlay, no_overlay
from pix2pix_data.scenes.thumbnails import to_luma

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, BoolMap

__all__ = ["Laying", "lay_photos"]

_GRAY = 128


@dataclass(frozen=True, slots=True)
class Laying:
    """How two photos are brought together.

    Attributes
    ----------
    align : {"correct", "check", "off"}
        Move A onto B; refuse what is off by more than `max_shift_px`; or neither.
    max_shift_px : float
        In pixels of the photos.
    mask_text : bool
        Paint burnt-in text gray on both sides.
    """

    align: Literal["correct", "check", "off"]
    max_shift_px: float
    mask_text: bool


def lay_photos(a_path: str, b_path: str, sample: tuple[str, ...], how: Laying) -> tuple[RGB, RGB]:
    """Read two photos and return the part that both show, pixel on pixel.

    Parameters
    ----------
    a_path, b_path : str
    sample : tuple of str
        Photos of the camera in both states, in which its bars and text are looked for.
    how : Laying

    Returns
    -------
    a, b : ndarray of shape (H, W, 3), uint8
        B keeps its pixels as they are.

    Raises
    ------
    ImageError
        If a photo cannot be read, or the two cannot be brought together.
    """
    a, b = _one_size(read_rgb(a_path), read_rgb(b_path))
    overlay = _overlay(sample, *b.shape[:2])
    a, b = overlay.crop(a), overlay.crop(b)
    text = overlay.scene_text
    shift = Shift(0.0, 0.0, 0.0) if how.align == "off" else _checked_shift(a, b, text, how)
    drawn = np.repeat(text[:, :, None] * np.uint8(255), 3, axis=2)
    if how.align == "correct":
        a, b = lay_over(a, b, shift)
        drawn = np.maximum(*lay_over(drawn, drawn, shift))
    if how.mask_text:
        a, b = (np.where(drawn > 0, np.uint8(_GRAY), side) for side in (a, b))
    return a, b


def _checked_shift(a: RGB, b: RGB, text: BoolMap, how: Laying) -> Shift:
    if min(b.shape[:2]) < SMALLEST_PX:
        size = f"{b.shape[1]}x{b.shape[0]} pixels"
        raise ImageError(f"too small to be aligned: {size}, less than {SMALLEST_PX} (see --align off)")
    shift = find_shift(to_luma(a), to_luma(b), text)
    if not shift.is_sure:
        told = f"edges do not fall on edges, rise {shift.rise:.2f}, less than {shift.least_rise:.2f}"
        raise ImageError(f"A and B do not show the same view: {told}")
    if shift.length_px > how.max_shift_px:
        told = f"{shift.length_px:.1f} pixels, more than {how.max_shift_px:.1f}"
        raise ImageError(f"A and B are not aligned: {told}" if how.align == "check" else f"shifted too far: {told}")
    return shift


def _one_size(a: RGB, b: RGB) -> tuple[RGB, RGB]:
    """Bring the larger photo to the size of the smaller, where both have the same proportions."""
    (rows, columns), (other_rows, other_columns) = a.shape[:2], b.shape[:2]
    if abs(columns * other_rows - other_columns * rows) > max(rows, columns, other_rows, other_columns):
        sizes = f"{columns}x{rows} and {other_columns}x{other_rows}"
        raise ImageError(f"A and B differ in shape: {sizes}, so they cannot match pixel by pixel")
    height, width = min((rows, columns), (other_rows, other_columns))
    return resize(a, width, height), resize(b, width, height)


@functools.lru_cache(maxsize=8)
def _overlay(sample: tuple[str, ...], height: int, width: int) -> Overlay:
    """Find what a camera draws over photos of one size; once for each camera in a process."""
    lumas = []
    for path in sample:
        try:
            luma = to_luma(read_rgb(path))
        except ImageError:
            continue
        if luma.shape == (height, width):
            lumas.append(luma)
    return find_overlay(lumas) if len(lumas) >= LEAST_PHOTOS else no_overlay(height, width)
