"""How far two photos of one scene lie apart, and how to lay them on each other.

Day and night share no brightness, but walls, roofs and shores are edges in both: the shift is found on gradients.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, BoolMap, FloatMap
    from pix2pix_data.scenes.thumbnails import Gray

__all__ = ["SMALLEST_PX", "Shift", "find_shift", "lay_over"]

SMALLEST_PX = 32
"""Shortest side on which a shift can be found."""

_LONGEST_PX = 1024  # larger photos are reduced; a tenth of a pixel there is far below one of the dataset
_BLUR_PX = 1.0
_SURROUND_PX = 16.0
_ECC_SMOOTHING_PX = 5
_FAR_PX = 8
_BESIDE_PX = 12
_SURE_CORRELATION = 0.4  # measured: photos of two cameras reach 0.2
_LEAST_RISE = 0.05  # measured: day and night of one camera reach 0.09 and more, photos of two cameras at most 0.012
_ECC_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-4)


@dataclass(frozen=True, slots=True)
class Shift:
    """Where B lies: its pixel (row + down, column + right) shows what A has at (row, column).

    Attributes
    ----------
    right, down : float
        Pixels of the photos.
    correlation : float
        Of the two gradient pictures once they lie on each other, in [-1, 1].
    rise : float
        How far the correlation stands above those a dozen pixels away in four directions. Cloud and glare lower all
        of them alike, so this, and not the correlation, tells whether both photos show one scene.
    least_rise : float
        What it takes to be no chance.
    """

    right: float
    down: float
    correlation: float
    rise: float = 0.0
    least_rise: float = 0.0

    @property
    def is_sure(self) -> bool:
        """Whether the photos show one scene; rows of like windows make no rise, but no two scenes correlate so."""
        return self.rise >= self.least_rise or self.correlation >= _SURE_CORRELATION

    @property
    def length_px(self) -> float:
        return float(np.hypot(self.right, self.down))


def find_shift(a: Gray, b: Gray, ignored: BoolMap | None = None) -> Shift:
    """Find the shift of B against A to a fraction of a pixel.

    Phase correlation of the gradient pictures gives the shift to about half a pixel however large it is, and
    enhanced correlation with the same pictures refines it. Of what they find, the shift counts under which the
    pictures correlate best.

    Parameters
    ----------
    a, b : ndarray of shape (H, W), uint8
        Luma; no side shorter than `SMALLEST_PX`.
    ignored : ndarray of shape (H, W), bool, optional
        True where neither picture shows the scene, such as burnt-in text.

    References
    ----------
    Kuglin and Hines 1975, "The phase correlation image alignment method"; Evangelidis and Psarakis 2008,
    "Parametric image alignment using enhanced correlation coefficient maximization", IEEE TPAMI 30(10).
    """
    height, width = a.shape
    scale = min(1.0, _LONGEST_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    seen = np.ones((size[1], size[0]), np.uint8)
    if ignored is not None:
        seen = 1 - cv2.resize(ignored.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8)
    scene = _Scene(_edges(a, size), _edges(b, size), seen)
    coarse = scene.coarse_shift()
    best = max((coarse, *scene.refined(coarse)), key=lambda shift: shift.correlation)
    rise = best.correlation - scene.correlation_beside(best)
    return Shift(best.right * width / size[0], best.down * height / size[1], best.correlation, rise, _least_rise(size))


def lay_over(a: RGB, b: RGB, shift: Shift) -> tuple[RGB, RGB]:
    """Move A onto B and cut both to what both show, so that no pixel is made up.

    A moves because it is the condition: the target keeps its pixels as they are.

    Raises
    ------
    ValueError
        If nothing is common to both.
    """
    height, width = b.shape[:2]
    matrix = np.array([[1, 0, -shift.right], [0, 1, -shift.down]], np.float32)
    moved = cv2.warpAffine(a, matrix, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    (top, bottom), (left, right) = _common(shift.down, height), _common(shift.right, width)
    if top >= bottom or left >= right:
        raise ValueError("the photos have nothing in common")
    return moved[top:bottom, left:right].astype(np.uint8, copy=False), b[top:bottom, left:right]


def _least_rise(size: tuple[int, int]) -> float:
    """Return the least rise for pictures of a size: pictures of gradients some 6 pixels wide correlate by chance with
    a deviation of 6 over the root of their area; the best of many shifts reaches 4.5 times that.
    """
    return max(_LEAST_RISE, 4.5 * 6 / math.sqrt(size[0] * size[1]))


def _common(shift_px: float, length: int) -> tuple[int, int]:
    """Return the range of B that A reaches; bicubic resampling needs two pixels more than the shift."""
    if shift_px == 0:
        return 0, length
    reach = int(np.ceil(abs(shift_px))) + 2
    return (reach, length) if shift_px > 0 else (0, length - reach)


def _edges(luma: Gray, size: tuple[int, int]) -> FloatMap:
    """Draw gradients on a scale of their surroundings, in [0, 1]: a dim wall counts as much as a lit one."""
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    logarithm = np.log1p(cv2.GaussianBlur(small, (0, 0), _BLUR_PX))
    gradient = np.hypot(cv2.Sobel(logarithm, cv2.CV_32F, 1, 0), cv2.Sobel(logarithm, cv2.CV_32F, 0, 1))
    surround = cv2.GaussianBlur(gradient, (0, 0), _SURROUND_PX)
    return np.asarray(gradient / (gradient + surround + 1e-3), np.float32)


@dataclass(frozen=True, slots=True)
class _Scene:
    """The gradient pictures of A and B, and where they show the scene (1) and not text (0)."""

    edges_a: FloatMap
    edges_b: FloatMap
    seen: Gray

    def coarse_shift(self) -> Shift:
        height, width = self.seen.shape
        window = cv2.createHanningWindow((width, height), cv2.CV_32F)
        a, b = (np.where(self.seen == 1, edges - edges.mean(), 0) for edges in (self.edges_a, self.edges_b))
        (right, down), _ = cv2.phaseCorrelate(a, b, window)
        return self.shift(right, down)

    def refined(self, start: Shift) -> Iterator[Shift]:
        starts = [(start.right, start.down)]
        if start.length_px > _FAR_PX:
            starts.append((0.0, 0.0))  # refinement does not leave a wrong start, and most cameras stand still
        for right, down in starts:
            matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
            with contextlib.suppress(cv2.error):  # raised where it does not converge
                _, found = cv2.findTransformECC(
                    self.edges_a, self.edges_b, matrix, cv2.MOTION_TRANSLATION, _ECC_STOP, self.seen, _ECC_SMOOTHING_PX
                )
                yield self.shift(float(found[0, 2]), float(found[1, 2]))

    def shift(self, right: float, down: float) -> Shift:
        """Correlate A with B moved back, where both show the scene."""
        height, width = self.seen.shape
        (top, bottom), (left, end) = _common(-down, height), _common(-right, width)
        if bottom - top < SMALLEST_PX // 2 or end - left < SMALLEST_PX // 2:
            return Shift(right, down, -1.0)
        matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
        back, seen_back = (
            cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            for image in (_smooth(self.edges_b), self.seen.astype(np.float32))
        )
        both = ((self.seen == 1) & (seen_back > 0.99))[top:bottom, left:end]
        one, other = _smooth(self.edges_a)[top:bottom, left:end][both], back[top:bottom, left:end][both]
        if not both.any() or one.std() == 0 or other.std() == 0:
            return Shift(right, down, -1.0)
        return Shift(right, down, float(np.corrcoef(one, other)[0, 1]))

    def correlation_beside(self, best: Shift) -> float:
        """Return the highest correlation a dozen pixels off."""
        away = min(_BESIDE_PX, min(self.seen.shape) // 4)
        steps = ((away, 0), (-away, 0), (0, away), (0, -away))
        return max(self.shift(best.right + right, best.down + down).correlation for right, down in steps)


def _smooth(edges: FloatMap) -> FloatMap:
    return cv2.GaussianBlur(edges, (_ECC_SMOOTHING_PX, _ECC_SMOOTHING_PX), 0).astype(np.float32, copy=False)
