"""Pictures inside a page: small, so that a page stays small whatever the dataset holds."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from pix2pix_data.images import encode_png, resize
from pix2pix_data.report.markup import Html, element

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["PAIR", "THUMBNAIL", "Limits", "embed"]


class Limits(NamedTuple):
    """How large a picture on the page may be: its longest side in pixels, and its file before base64 adds a third."""

    longest_px: int
    max_bytes: int


# 24 pairs of each of three splits, 48 pairs as thumbnails and 24 rejects make less than 5 MB of these.
PAIR = Limits(384, 22_000)
THUMBNAIL = Limits(160, 4_500)

_JPEG_QUALITY = 85
_FEW_COLORS = 256
_COARSE_PX = 160  # a picture below this is enlarged on the page


def embed(picture: RGB, alt: str, limits: Limits) -> Html:
    """Write a picture as an <img>, reduced as far as the limits ask for.

    Parameters
    ----------
    picture : ndarray of shape (H, W, 3), uint8
    alt : str
        What it shows, for those who do not see it.
    limits : Limits
    """
    height, width = picture.shape[:2]
    scale = min(1.0, limits.longest_px / max(height, width))
    while True:
        small = resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))
        kind, content = _encoded(small, limits.max_bytes)
        if len(content) <= limits.max_bytes or max(small.shape[:2]) == 1:
            break
        scale *= 0.75
    return element(
        "img",
        src=f"data:image/{kind};base64,{base64.b64encode(content).decode()}",
        alt=alt,
        width=width,  # with these the page keeps its place while it loads
        height=height,
        class_="coarse" if max(height, width) < _COARSE_PX else "smooth",
        draggable="false",
    )


def _encoded(picture: RGB, max_bytes: int) -> tuple[str, bytes]:
    """Encode strokes and labels without loss where that fits, anything else as JPEG."""
    if _has_few_colors(picture) and len(png := encode_png(picture)) <= max_bytes:
        return "png", png
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "jpeg", jpeg.tobytes()


def _has_few_colors(picture: RGB) -> bool:
    for step in (4, 1):  # a sixteenth of a photo's pixels tells that it is one
        red, green, blue = np.moveaxis(picture[::step, ::step].astype(np.uint32), 2, 0)
        if len(np.unique(red << 16 | green << 8 | blue)) > _FEW_COLORS:
            return False
    return True
