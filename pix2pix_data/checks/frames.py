"""Constant borders: a frame of one width on most pictures tells a discriminator real from made at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from pix2pix_data.findings import Finding
from pix2pix_data.mends import CutEdges, Edges

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.pair import RGB

__all__ = ["constant_borders", "frame_of"]

_EDGES = ("top", "right", "bottom", "left")
_LEVELS = 16  # JPEG rings beside a black bar, but less than this where it matters
_SHARE_ALIKE = 0.98  # of a line's pixels
_DEEPEST = 0.25  # of the side; what goes on longer is a background, or a blank picture
_SHARE_ENDING = 0.3  # of the pixels that must change where the border ends
_NARROWEST_PX = 2
_SHARE_FRAMED = 0.5  # white space around products has another width in each picture


def frame_of(picture: RGB) -> Edges:
    """Measure the border of one colour on each edge; 0 where it is deeper than a quarter of the side."""
    turned = (picture, picture.transpose(1, 0, 2)[::-1], picture[::-1], picture.transpose(1, 0, 2))
    top, right, bottom, left = (_depth(one) for one in turned)
    return top, right, bottom, left


def _depth(picture: RGB) -> int:
    strip = np.ascontiguousarray(picture[: max(4, int(_DEEPEST * len(picture)))])
    alike = _alike(strip, np.median(strip[0], axis=0))
    differs = np.flatnonzero(cv2.reduce(alike, 1, cv2.REDUCE_AVG).ravel() < 255 * _SHARE_ALIKE)
    depth = int(differs[0]) if len(differs) else 0
    if depth == 0 or depth + 1 >= len(strip):
        return 0
    ends = np.abs(strip[depth + 1].astype(np.int16) - strip[depth - 1]).max(axis=1) > _LEVELS
    return depth if ends.mean() >= _SHARE_ENDING else 0  # a ramp or white space ends here and there


def _alike(strip: RGB, color: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return 255 where all channels are near a colour, else 0; of shape (H, W)."""
    return np.asarray(cv2.inRange(strip, (color - _LEVELS).clip(0), (color + _LEVELS).clip(0, 255)), np.uint8)


def constant_borders(looks: Sequence[PairLook]) -> list[Finding]:
    """Find edges of a side where most pictures have a border of one width, give or take a pixel."""
    borders_a = _borders([look.frame_a for look in looks])
    borders_b = _borders([look.frame_b for look in looks])
    found = [(border, f"{_EDGES[i]} of A") for i, border in enumerate(borders_a) if border.framed]
    found += [(border, f"{_EDGES[i]} of B") for i, border in enumerate(borders_b) if border.framed]
    if not found:
        return []
    framed = sorted(set().union(*(border.framed for border, _ in found)))
    return [
        Finding(
            "constant-borders",
            "warning",
            "most pictures have a border of one colour: "
            + ", ".join(f"{border.width_px} px at the {where}" for border, where in found),
            len(framed),
            tuple((looks[j].name,) for j in framed[:10]),
            "the discriminator tells real from made by the frame, and the generator learns to draw frames",
            "cut the borders off the photos and make the pairs again",
            (CutEdges(_to_cut(borders_a), _to_cut(borders_b)),),
        )
    ]


class _Border(NamedTuple):
    """A border of most pictures, and which ones have it; none where most have not."""

    width_px: int = 0
    framed: frozenset[int] = frozenset()


def _borders(frames: Sequence[Edges]) -> list[_Border]:
    """Find the border that most pictures share at each edge."""
    found = []
    for widths in zip(*frames, strict=True):
        (width, _), *_ = Counter(width for width in widths if width).most_common(1) or [(0, 0)]
        alike = frozenset(j for j, other in enumerate(widths) if width and abs(other - width) <= 1)
        is_shared = width >= _NARROWEST_PX and len(alike) >= _SHARE_FRAMED * len(frames)
        found.append(_Border(width, alike) if is_shared else _Border())
    return found


def _to_cut(borders: Sequence[_Border]) -> Edges:
    """Add two pixels to each border: some are a pixel wider, and where they end, a pixel is a mixture."""
    top, right, bottom, left = (border.width_px + 2 if border.framed else 0 for border in borders)
    return top, right, bottom, left
