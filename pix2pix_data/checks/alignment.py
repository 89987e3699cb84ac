"""Whether A and B lie on each other: how far one side is shifted, or whether it is mirrored.

A photo and its drawing share no brightness, but edges lie at the same places in both. So the gradients of both sides,
on a scale of their surroundings, are correlated under every shift, and under every shift with one side mirrored. The
spectrum is divided by the square root of its magnitude, half-way between plain correlation (1) and phase correlation
(0): on photos beside labels and beside strokes, this found the most shifts. One pair may be unsure; the mean over all
pairs of a dataset shows a common shift of two pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from pix2pix_data.images import resize

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, FloatMap

    Complex: TypeAlias = npt.NDArray[np.complex64]

__all__ = [
    "FLIPS",
    "REACH_PX",
    "Peak",
    "Placing",
    "Surfaces",
    "correlate",
    "peak_of",
    "placing_of",
    "reduced",
    "reduction",
]

FLIPS = ("", "left-right", "upside down", "turned by 180 degrees")
"""How B may be mirrored against A; the first is not at all."""

REACH_PX = 64
"""Largest shift looked for, each way, in pixels of the reduced pictures."""

_LONGEST_PX = 512
_SMALLEST_PX = 32
_BLUR_PX = 1.0
_SURROUND_PX = 39
_WEAK_GRADIENT = 4.0  # gray levels a pixel; weaker ones are noise rather than edges
_FLIPPED_REACH_PX = 8  # a mirrored side still fills its frame, so its shift is small

Surfaces: TypeAlias = "npt.NDArray[np.float32]"
"""(4, 2 * REACH_PX + 1, 2 * REACH_PX + 1): for each flip, the correlation by shift down and right, in deviations."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The best correlation on a surface.

    Attributes
    ----------
    right, down : float
        B's pixel (row + down, column + right) shows what A has at (row, column); in pixels of the reduced pictures.
    height : float
        In standard deviations of the surface; chance alone reaches about 5.
    """

    right: float
    down: float
    height: float

    @property
    def length_px(self) -> float:
        return float(np.hypot(self.right, self.down))


@dataclass(frozen=True, slots=True)
class Placing:
    """How the sides of one pair lie on each other.

    Attributes
    ----------
    peak : Peak
        Best shift of the sides as they are.
    at_zero : float
        Height without a shift (one pixel of play).
    flip : str
        The mirroring under which they fit best, one of `FLIPS`.
    flip_height : float
        Its height.
    """

    peak: Peak
    at_zero: float
    flip: str
    flip_height: float


def reduction(width: int, height: int) -> float:
    """Return how many pixels of a picture one pixel of its surfaces stands for."""
    return max(1.0, max(width, height) / _LONGEST_PX)


def reduced(picture: RGB) -> RGB:
    """Reduce a picture to at most 512 pixels each way, on which shifts are found."""
    height, width = picture.shape[:2]
    scale = reduction(width, height)
    return resize(picture, max(1, round(width / scale)), max(1, round(height / scale)))


def correlate(a: RGB, b: RGB) -> Surfaces | None:
    """Correlate the edges of two sides under all shifts and flips.

    Parameters
    ----------
    a, b : ndarray of shape (H, W, 3), uint8
        Reduced.

    Returns
    -------
    Surfaces or None
        None where the pictures are too small, or one of them has no edge.
    """
    height, width = a.shape[:2]
    if min(height, width) < _SMALLEST_PX:
        return None
    edges_a, edges_b = _edges(a), _edges(b)
    if edges_a.std() == 0 or edges_b.std() == 0:
        return None
    spectrum_a, spectrum_b = _spectrum(edges_a), _spectrum(edges_b)
    flips = _flips(spectrum_b, (width, height))
    return np.stack([_surface(spectrum_a, flipped, (width, height)) for flipped in flips])


def placing_of(surfaces: Surfaces) -> Placing:
    """Read one pair's surfaces."""
    middle = slice(REACH_PX - 1, REACH_PX + 2)
    near = slice(REACH_PX - _FLIPPED_REACH_PX, REACH_PX + _FLIPPED_REACH_PX + 1)
    heights = surfaces[1:, near, near].max(axis=(1, 2))
    best = int(heights.argmax())
    return Placing(
        peak_of(surfaces[0]),
        float(surfaces[0, middle, middle].max()),
        FLIPS[1 + best],
        float(heights[best]),
    )


def peak_of(surface: npt.NDArray[np.float32]) -> Peak:
    """Find the top of one surface of shape (2 * REACH_PX + 1,) * 2, to a fraction of a pixel by a parabola."""
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    right = column - REACH_PX + _parabola(surface[row, max(0, column - 1) : column + 2])
    down = row - REACH_PX + _parabola(surface[max(0, row - 1) : row + 2, column])
    return Peak(float(right), float(down), float(surface[row, column]))


def _parabola(values: npt.NDArray[np.float32]) -> float:
    """Return where three neighbouring values have their top, from the middle one; 0 at the rim."""
    if len(values) < 3:
        return 0.0
    left, top, right = (float(value) for value in values)
    bend = left - 2 * top + right
    return 0.0 if bend == 0 else 0.5 * (left - right) / bend


def _edges(picture: RGB) -> FloatMap:
    """Draw gradients on a scale of their surroundings, less their mean; of the channels, the steepest counts."""
    smooth = cv2.GaussianBlur(picture, (0, 0), _BLUR_PX)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=0.25) for axis in ((1, 0), (0, 1)))
    first, second, third = cv2.split(cv2.magnitude(across, down))
    gradient = cv2.max(cv2.max(first, second), third)
    surround = gradient
    for _ in range(2):  # two box filters are nearly a Gaussian, in a tenth of its time
        surround = cv2.blur(surround, (_SURROUND_PX, _SURROUND_PX))
    edges = gradient / (gradient + surround + _WEAK_GRADIENT)
    return np.asarray(edges - edges.mean(), np.float32)


def _spectrum(edges: FloatMap) -> Complex:
    """Transform to frequencies, each divided by the root of its magnitude; so is then a product of two, or a flip."""
    spectrum = np.fft.rfft2(edges).astype(np.complex64, copy=False)
    return np.asarray(spectrum / np.sqrt(np.abs(spectrum) + np.float32(1e-12)), np.complex64)


def _flips(spectrum: Complex, size: tuple[int, int]) -> list[Complex]:
    """Return the spectrum of a picture (width, height) as it is and under each flip, without transforming again."""
    width, height = size
    turn = np.complex64(-2j * np.pi)
    across = np.exp(turn * (np.arange(spectrum.shape[1], dtype=np.float32) * (width - 1) % width / width))
    down = np.exp(turn * (np.arange(height, dtype=np.float32) * (height - 1) % height / height))[:, None]
    rows_reversed = spectrum[-np.arange(height)]
    return [spectrum, rows_reversed.conj() * across, rows_reversed * down, spectrum.conj() * across * down]


def _surface(spectrum_a: Complex, spectrum_b: Complex, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    surface = np.fft.irfft2(spectrum_a.conj() * spectrum_b, size[::-1])
    surface /= surface.std() + 1e-12
    reach = np.arange(-REACH_PX, REACH_PX + 1)
    seen = [np.where(2 * np.abs(reach) < length, reach, length // 2) for length in size]
    return np.asarray(surface[np.ix_(seen[1], seen[0])], np.float32)
