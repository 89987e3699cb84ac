"""What a camera draws over its pictures: black bars at the border, and text that never moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import BoolMap
    from pix2pix_data.scenes.thumbnails import Gray

__all__ = ["LEAST_PHOTOS", "Overlay", "find_overlay", "no_overlay"]

LEAST_PHOTOS = 4
"""With fewer photos, of both states, a wall that happened to look the same would pass for text."""

_STILL = 20  # levels that JPEG moves a pixel of unchanging text by, at the qualities that webcams use
_BRIGHT = 150  # of letters, or of the box around them, by day and night; what only lamps light is dark by day
_BLACK = 40
_BAR_SHARE = 0.6  # the rest of a bar's row may hold its text
_WIDEST_BAR = 0.25
_SHARP = 120  # Sobel gradient of text: a step of 30 levels
_REACH_PX = (25, 9)  # digits that change lie within so much of letters that do not


@dataclass(frozen=True, slots=True)
class Overlay:
    """What lies over every picture of a camera.

    Attributes
    ----------
    top, bottom, left, right : int
        Width of the black bar at each side, in pixels.
    text : ndarray of shape (H, W), bool
        True on and around text and logos; of the whole picture, bars included.
    """

    top: int
    bottom: int
    left: int
    right: int
    text: BoolMap

    def crop(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Cut the bars off a picture of shape (H, W) or (H, W, 3)."""
        height, width = self.text.shape
        return image[self.top : height - self.bottom, self.left : width - self.right]

    @property
    def scene_text(self) -> BoolMap:
        """`text` without the bars."""
        height, width = self.text.shape
        return self.text[self.top : height - self.bottom, self.left : width - self.right]


def no_overlay(height: int, width: int) -> Overlay:
    """Return the overlay of a camera that draws nothing."""
    return Overlay(0, 0, 0, 0, np.zeros((height, width), np.bool_))


def find_overlay(lumas: Sequence[Gray]) -> Overlay:
    """Find bars and text over photos of one camera in different light.

    Parameters
    ----------
    lumas : sequence of ndarray of shape (H, W), uint8
        At least one, all of one size; fewer than `LEAST_PHOTOS` give no overlay.

    Returns
    -------
    Overlay
        A bar is made of border rows of which 60 per cent are black in every photo, up to a quarter of the picture.
        Text is made of bright, sharp pixels that change by at most 20 levels over all photos.
    """
    height, width = lumas[0].shape
    if len(lumas) < LEAST_PHOTOS:
        return no_overlay(height, width)
    lightest, darkest = lumas[0], lumas[0]
    for luma in lumas[1:]:
        lightest, darkest = np.maximum(lightest, luma), np.minimum(darkest, luma)
    black = lightest < _BLACK
    top, bottom = _bar(black.mean(axis=1)), _bar(black.mean(axis=1)[::-1])
    rows = black[top : height - bottom]
    left, right = _bar(rows.mean(axis=0)), _bar(rows.mean(axis=0)[::-1])
    return Overlay(top, bottom, left, right, _text(lightest, darkest))


def _bar(shares: Iterable[float]) -> int:
    """Count the leading rows that belong to a bar; one that reaches further than a bar may is the scene."""
    shares = list(shares)
    width = next((i for i, share in enumerate(shares) if share < _BAR_SHARE), len(shares))
    return width if width <= _WIDEST_BAR * len(shares) else 0


def _text(lightest: Gray, darkest: Gray) -> BoolMap:
    middle = cv2.addWeighted(lightest, 0.5, darkest, 0.5, 0)
    gradient = np.hypot(cv2.Sobel(middle, cv2.CV_32F, 1, 0), cv2.Sobel(middle, cv2.CV_32F, 0, 1))
    still = (cv2.subtract(lightest, darkest) <= _STILL) & (darkest >= _BRIGHT)
    sharp = (still & (gradient > _SHARP)).astype(np.uint8)
    # One sharp still pixel is chance; a letter has several.
    dense = cv2.boxFilter(sharp, cv2.CV_32F, (9, 9), normalize=False) >= 6
    seeds = (sharp.astype(np.bool_) & dense).astype(np.uint8)
    return cv2.dilate(seeds, np.ones(_REACH_PX[::-1], np.uint8)).astype(np.bool_)
