"""Fog: the part of a scene's usual structure that a photo does not show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pix2pix_data.pair import FloatMap
    from pix2pix_data.scenes.thumbnails import Gray

__all__ = ["LEAST_PHOTOS", "visibilities"]

LEAST_PHOTOS = 5
"""With fewer photos of a scene it is not known what it usually looks like."""

_MOST_PHOTOS = 64  # a median of more says nothing else
_STRUCTURE_PERCENTILE = 70
_LEAST_SHARE = 0.4
_SPREAD_PX = 3.0
"""Measured on four cameras: photos in clear air show more than 0.89 of their structure, those in fog less than 0.67."""


def visibilities(lumas: Sequence[Gray]) -> list[float]:
    """Return how much of a scene's usual structure each photo shows, in [0, 1].

    Structure is where the median gradient over the photos is among its upper 30 per cent; a photo shows it where its
    own gradient is at least 0.4 of that. Give photos of like light alone: lamps make other gradients than the sun.

    Parameters
    ----------
    lumas : sequence of ndarray of shape (h, w), uint8
        Of one camera. Fewer than `LEAST_PHOTOS` all count as 1.
    """
    if len(lumas) < LEAST_PHOTOS:
        return [1.0] * len(lumas)
    height, width = lumas[0].shape
    gradients = [_gradient(luma, width, height) for luma in lumas]
    step = -(-len(gradients) // _MOST_PHOTOS)
    usual = np.median(gradients[::step], axis=0)
    structure = usual > np.percentile(usual, _STRUCTURE_PERCENTILE)
    if not structure.any():
        return [1.0] * len(lumas)
    return [float((gradient[structure] >= _LEAST_SHARE * usual[structure]).mean()) for gradient in gradients]


def _gradient(luma: Gray, width: int, height: int) -> FloatMap:
    same = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(same, cv2.CV_32F, 1, 0), cv2.Sobel(same, cv2.CV_32F, 0, 1))
    return cv2.GaussianBlur(gradient, (0, 0), _SPREAD_PX).astype(np.float32, copy=False)
