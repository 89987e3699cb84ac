"""The classical detector: colour gradients at three scales, held against those of their surroundings.

A contour differs from a texture in that it stands out: its gradient is strong at several scales, and few of its
neighbours are like it. So the odds of an edge are a product of powers: of the gradients at a pixel, over the mean
gradients around it. No weights to load, and nothing but OpenCV to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.edges.strokes import THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pix2pix_data.pair import RGB, FloatMap

__all__ = ["ClassicalDetector"]

# Powers by Gaussian sigma in pixels, and the numbers below them. A logistic regression on published drawings of shoes
# and on the human contours of BSDS500 (training parts) gave the start; a search for the best strokes at the threshold
# of the paper, on the same photos, gave these.
_GRADIENT_POWERS = {1.2: 1.44, 2.0: 1.8, 3.0: 1.3}
_SURROUND_POWERS = {6.0: -1.24, 24.0: -1.44}
_LOG_ODDS = 4.0
_CERTAIN = 0.26
"""A faint edge is kept where it hangs together with a pixel of this probability: contours close, crumbs go."""

_UNDRAWN = np.float32(0.9 * THRESHOLD)

_FAINTEST = np.float32(0.0036)
"""Added to each gradient, in lightness from black to white per pixel: what noise and JPEG do is under it."""

_FULL_CONTRAST = 0.1
_LEAST_CONTRAST = 0.02
"""A photo whose strongest gradients are under the first is lifted to it, as if they were no less than the second:
mist and white on white keep their contours, and the noise of a blank photo stays noise."""

_ROUNDING = np.float32(1e-5)  # smoothing leaves such gradients on a blank photo
_COARSEST_SIGMA_PX = 4  # a wider Gaussian runs on a smaller picture

_DIFFERENCE = np.array([-0.5, 0, 0.5], np.float32)
_ONE = np.ones(1, np.float32)
_SUM_OF_CHANNELS = np.ones((1, 3), np.float32)


class ClassicalDetector:
    """See edges in colour gradients; an EdgeDetector.

    References
    ----------
    Di Zenzo 1986, doi:10.1016/0734-189X(86)90223-9 (gradient of a colour photo); Martin, Fowlkes and Malik 2004,
    doi:10.1109/TPAMI.2004.1273918 (logistic combination of cues); Canny 1986, doi:10.1109/TPAMI.1986.4767851 (two
    thresholds).
    """

    def __call__(self, photos: Sequence[RGB]) -> list[FloatMap]:
        return [_linked(_edge_probability(photo)) for photo in photos]


def _edge_probability(photo: RGB) -> FloatMap:
    lab = cv2.cvtColor(photo.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab) / np.float32(100)
    gradients = {sigma: _colour_gradient(lab, sigma) for sigma in _GRADIENT_POWERS}
    finest = gradients[min(gradients)]
    cues = [(power, gradients[sigma]) for sigma, power in _GRADIENT_POWERS.items()]
    cues += [(power, _wide_mean(finest, sigma)) for sigma, power in _SURROUND_POWERS.items()]
    lift = float(np.log(_FULL_CONTRAST / _contrast(finest)))
    # Cues count in units of the faintest gradient: these are the odds on a blank photo, and the floor of every map.
    blank = _LOG_ODDS + lift + sum(power for power, _ in cues) * float(np.log(_FAINTEST))
    log_odds = np.full(finest.shape, blank, np.float32)
    for power, gradient in cues:
        log_odds += np.float32(power) * np.log(1 + gradient / _FAINTEST)
    above: FloatMap = np.maximum(_logistic(log_odds) - _logistic(np.full(1, blank, np.float32)), 0)
    return above


def _contrast(gradient: FloatMap) -> float:
    """Measure a photo's strongest gradients: on a product photo, the outline is more than one pixel in a hundred."""
    return float(np.clip(np.percentile(gradient, 99), _LEAST_CONTRAST, _FULL_CONTRAST))


def _linked(probability: FloatMap) -> FloatMap:
    """Hold under the paper's threshold what would be drawn without touching a certain edge."""
    possible = (probability >= THRESHOLD).astype(np.uint8)
    num_pieces, pieces = cv2.connectedComponents(possible, connectivity=8)
    certain = np.bincount(pieces[probability >= _CERTAIN], minlength=num_pieces) > 0
    certain[0] = True  # what is not drawn anyhow stays as it is
    linked: FloatMap = np.where(certain[pieces], probability, np.minimum(probability, _UNDRAWN))
    return linked


def _colour_gradient(lab: npt.NDArray[np.float32], sigma: float) -> FloatMap:
    """Measure the steepest change of colour, (H, W, 3) to (H, W): the root of the tensor's larger eigenvalue."""
    smooth = cv2.GaussianBlur(lab, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    dx = cv2.sepFilter2D(smooth, cv2.CV_32F, _DIFFERENCE, _ONE, borderType=cv2.BORDER_REFLECT)
    dy = cv2.sepFilter2D(smooth, cv2.CV_32F, _ONE, _DIFFERENCE, borderType=cv2.BORDER_REFLECT)
    xx, xy, yy = (cv2.transform(one * other, _SUM_OF_CHANNELS) for one, other in ((dx, dx), (dx, dy), (dy, dy)))
    larger = (xx + yy + np.hypot(xx - yy, 2 * xy)) / 2
    gradient: FloatMap = np.maximum(np.sqrt(larger) - _ROUNDING, 0)
    return gradient


def _wide_mean(values: FloatMap, sigma: float) -> FloatMap:
    """Blur by a wide Gaussian, on a smaller picture where that is enough."""
    height, width = values.shape
    step = 1
    while sigma / step > _COARSEST_SIGMA_PX and min(height, width) >= 4 * step:
        step *= 2
    small = cv2.resize(values, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def _logistic(log_odds: FloatMap) -> FloatMap:
    probability: FloatMap = np.float32(1) / (np.float32(1) + np.exp(-log_odds))
    return probability
