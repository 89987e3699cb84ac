"""Palettes from pixels: k-means colours in Lab."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.color_table import nearest_labels, to_lab
from pix2pix_data.k_means import Clusters, k_means, settled
from pix2pix_data.palette_file import Color, Palette

if TYPE_CHECKING:
    import numpy.typing as npt
    from threadpoolctl import ThreadpoolController

__all__ = ["AUTO_GAIN", "AUTO_RANGE", "fit_auto_palette", "fit_colors", "fit_palette", "shares_of"]

_COARSE_BITS, _FINE_BITS = 5, 6
"""Bits of each channel that the pixels of one bin share: k-means begins anew on coarse bins, where it is quick, and
ends on fine ones. Against scikit-learn's on all pixels, the inertia of a photo in 8 colours is higher by 0.04 % in the
median, and by 0.7 % at worst (48 photos)."""
_MOST_BITS = 8
_FEWEST_BINS_PER_COLOR = 8  # drawings have few colours: bins would join what k-means is to tell apart
_NUMBERED_BY_TABLE = 1 << 18  # codes of bins; more would take longer than sorting them

AUTO_RANGE = (4, 16)
"""Fewest and most colours that `fit_auto_palette` chooses."""
AUTO_GAIN = 0.01
"""Part of the variance of colour that one more colour must explain to be worth having."""

_PLACE_CELLS = 8
_PLACE_UNITS = 100.0  # of Lab: lightness goes from 0 to 100, as a photo does from its top to its bottom


def fit_palette(
    pixels: npt.NDArray[np.uint8], num_colors: int, *, seed: int, places: npt.NDArray[np.float32] | None = None
) -> Palette:
    """Find colours as `fit_colors` does, and the share of the pixels that each has."""
    colors = fit_colors(pixels, num_colors, seed=seed, places=places)
    return Palette(colors, shares_of(pixels, colors))


def fit_colors(
    pixels: npt.NDArray[np.uint8], num_colors: int, *, seed: int, places: npt.NDArray[np.float32] | None = None
) -> tuple[Color, ...]:
    """Find the colours that stand best for many pixels: k-means in Lab, k-means++ starts, the best of ten.

    Pixels of nearly one colour are joined first, in bins that count as often as they have pixels: some thousand points
    instead of a hundred thousand.

    Parameters
    ----------
    pixels : ndarray of shape (n, 3), uint8
        sRGB.
    num_colors : int
        Colours wanted; fewer come out where the pixels have fewer.
    seed : int
    places : ndarray of shape (n, 2), float32, optional
        Where each pixel lies, from 0 to 1 across and down, times the weight of that; a place counts like a colour
        100 units of Lab away. What a pixel is called later depends on its colour alone.

    Returns
    -------
    tuple of (int, int, int)
        sRGB, ordered by lightness, then a, then b, so that labels do not depend on the order that k-means found them
        in.

    References
    ----------
    Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding".
    """
    fine, coarse = _bins_of(pixels, num_colors, places)
    with _one_thread():
        start = k_means(coarse.points(), coarse.weights, num_colors, seed=seed).centers
        return _ordered(settled(fine.points(), fine.weights, start).centers)


def fit_auto_palette(pixels: npt.NDArray[np.uint8], *, seed: int) -> Palette:
    """Choose the number of colours, 4 to 16, and fit them.

    It is the smallest number to which one more colour would not add: it would explain less than 1 % more of the
    variance of the pixels' colours in Lab. (The Calinski-Harabasz index, the usual choice, names 2 or 4 colours for
    photos of most kinds.)

    Parameters
    ----------
    pixels : ndarray of shape (n, 3), uint8
        sRGB.
    seed : int

    Returns
    -------
    Palette
        As from `fit_palette`; the note says what was chosen.
    """
    fewest, most = AUTO_RANGE
    fine, coarse = _bins_of(pixels, most)
    points, weights = coarse.points(), coarse.weights
    mean = np.average(points, axis=0, weights=weights)
    worth_having = AUTO_GAIN * float((weights @ (points - mean) ** 2).sum())

    def best(num_colors: int) -> Clusters:
        return settled(points, weights, k_means(points, weights, num_colors, seed=seed).centers)

    with _one_thread():
        chosen = best(fewest)
        while len(chosen.centers) < most:
            finer = best(len(chosen.centers) + 1)
            if chosen.inertia - finer.inertia < worth_having:
                break
            chosen = finer
        colors = _ordered(settled(fine.points(), fine.weights, chosen.centers).centers)
    note = f"{len(colors)} colours, chosen of {fewest} to {most}: one more explains less than 1% of the variance"
    return Palette(colors, shares_of(pixels, colors), note=note)


def shares_of(pixels: npt.NDArray[np.uint8], colors: tuple[Color, ...]) -> tuple[float, ...]:
    """Return for each colour the part of the pixels that is nearest to it; the parts add up to 1."""
    counts = np.bincount(nearest_labels(pixels, colors), minlength=len(colors))
    return tuple(float(share) for share in np.round(counts / counts.sum(), 6))


def _one_thread() -> AbstractContextManager[object]:
    """Keep k-means on one thread: sums in another order would give other last digits."""
    limit: AbstractContextManager[object] = _thread_pools().limit(limits=1)
    return limit


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Find the thread pools once: looking through all libraries takes as long as a fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


# --- bins ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bins:
    """Pixels of nearly one colour and place, joined.

    Attributes
    ----------
    means : ndarray of shape (m, 3) or (m, 5), float32
        sRGB levels, then the place if places count.
    weights : ndarray of shape (m,), float32
        How many pixels are in each.
    """

    means: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    def points(self) -> npt.NDArray[np.float32]:
        """Return where they lie for k-means: Lab, then the place."""
        lab = to_lab(self.means[:, :3])
        return np.concatenate([lab, _PLACE_UNITS * self.means[:, 3:]], axis=1) if self.means.shape[1] > 3 else lab


def _bins_of(
    pixels: npt.NDArray[np.uint8], num_colors: int, places: npt.NDArray[np.float32] | None = None
) -> tuple[_Bins, _Bins]:
    """Join pixels into fine bins, and these into coarse ones."""
    samples = pixels if places is None else np.concatenate([pixels, places], axis=1, dtype=np.float32)
    fine = _binned(samples, None, _FINE_BITS, num_colors)
    return fine, _binned(fine.means, fine.weights, _COARSE_BITS, num_colors)


def _binned(
    samples: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32] | None,
    bits: int,
    num_colors: int,
) -> _Bins:
    """Join samples, shape (n, 3) or (n, 5), in bins of `bits` bits of each channel, or finer where these are few."""
    for shared in range(bits, _MOST_BITS + 1):
        bin_of = _numbered(_codes(samples, shared))
        counts = np.bincount(bin_of, weights)
        if len(counts) >= _FEWEST_BINS_PER_COLOR * num_colors:
            break
    columns = samples.T if weights is None else samples.T * weights
    sums = np.stack([np.bincount(bin_of, weights=column) for column in columns], axis=1)
    return _Bins((sums / counts[:, None]).astype(np.float32), counts.astype(np.float32))


def _codes(samples: npt.NDArray[np.uint8] | npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.int32]:
    """Write the first bits of the three levels, and the cell of the place, one behind the other."""
    red, green, blue = (samples[:, :3].astype(np.int32) >> (_MOST_BITS - bits)).T
    codes = (red << 2 * bits) | (green << bits) | blue
    if samples.shape[1] > 3:
        places = samples[:, 3:]
        across, down = (places / max(float(places.max()), 1e-6) * (_PLACE_CELLS - 1)).astype(np.int32).T
        codes = (codes * _PLACE_CELLS + across) * _PLACE_CELLS + down  # at most 30 bits
    return np.asarray(codes, np.int32)


def _numbered(codes: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """Number the codes that there are, from 0, in their order."""
    num_codes = int(codes.max()) + 1
    if num_codes > _NUMBERED_BY_TABLE:
        return np.unique(codes, return_inverse=True)[1].reshape(-1)
    is_there = np.zeros(num_codes, np.bool_)
    is_there[codes] = True
    there = np.flatnonzero(is_there)
    number = np.empty(num_codes, np.intp)
    number[there] = np.arange(len(there))
    return number[codes]


def _ordered(centers: npt.NDArray[np.floating]) -> tuple[Color, ...]:
    centers = centers[:, :3].astype(np.float32)
    centers = centers[np.lexsort((centers[:, 2], centers[:, 1], centers[:, 0]))]
    rgb = np.rint(np.clip(cv2.cvtColor(centers[:, None], cv2.COLOR_Lab2RGB)[:, 0], 0, 1) * 255).astype(np.uint8)
    # Two centres may round to one colour, and a colour is one label.
    return tuple(dict.fromkeys((int(red), int(green), int(blue)) for red, green, blue in rgb))
