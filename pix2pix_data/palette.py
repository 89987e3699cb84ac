"""Palettes from pixels: k-means colours in Lab."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.color_table import nearest_labels, to_lab
from pix2pix_data.palette_file import Color, Palette

if TYPE_CHECKING:
    import numpy.typing as npt
    from sklearn.cluster import KMeans
    from threadpoolctl import ThreadpoolController

__all__ = ["AUTO_GAIN", "AUTO_RANGE", "fit_auto_palette", "fit_palette", "shares_of"]

_RESTARTS = 10
_MAX_ITERATIONS = 100
_COARSE_BITS, _FINE_BITS = 5, 7
"""Bits of each channel that the pixels of one bin share: k-means begins anew on coarse bins, where it is quick, and
ends on fine ones. Against scikit-learn's on all pixels, the inertia of a sample of many photos (8 to 32 colours) is
at most 0.3 % higher, that of a single photo (8 or 16) 0.1 to 0.7 % in the median, and 3.2 % at worst."""
_FEWEST_BINS_PER_COLOR = 8  # drawings have few colours: bins would join what k-means is to tell apart

AUTO_RANGE = (4, 16)
"""Fewest and most colours that `fit_auto_palette` chooses."""
AUTO_GAIN = 0.01
"""Part of the variance of colour that one more colour must explain to be worth having."""


_PLACE_CELLS = 8
_PLACE_UNITS = 100.0  # of Lab: lightness goes from 0 to 100, as a photo does from its top to its bottom


def fit_palette(
    pixels: npt.NDArray[np.uint8], num_colors: int, *, seed: int, places: npt.NDArray[np.float32] | None = None
) -> Palette:
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
    Palette
        Ordered by lightness, then a, then b, so that labels do not depend on the order that k-means found them in.

    References
    ----------
    Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding".
    """
    points, weights = _bins(pixels, _COARSE_BITS, num_colors, places)
    return _refined(_k_means(points, weights, num_colors, seed=seed), pixels, places)


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
    points, weights = _bins(pixels, _COARSE_BITS, most)
    mean = np.average(points, axis=0, weights=weights)
    worth_having = AUTO_GAIN * float((weights @ (points - mean) ** 2).sum())
    chosen = _k_means(points, weights, fewest, seed=seed)
    while len(chosen.cluster_centers_) < most:
        finer = _k_means(points, weights, len(chosen.cluster_centers_) + 1, seed=seed)
        if chosen.inertia_ - finer.inertia_ < worth_having:
            break
        chosen = finer
    palette = _refined(chosen, pixels)
    note = (
        f"{len(palette.colors)} colours, chosen of {fewest} to {most}: one more explains less than 1% of the variance"
    )
    return Palette(palette.colors, palette.shares, note=note)


def shares_of(pixels: npt.NDArray[np.uint8], colors: tuple[Color, ...]) -> tuple[float, ...]:
    """Return for each colour the part of the pixels that is nearest to it; the parts add up to 1."""
    counts = np.bincount(nearest_labels(pixels, colors), minlength=len(colors))
    return tuple(float(share) for share in np.round(counts / counts.sum(), 6))


def _k_means(
    points: npt.NDArray[np.float32], weights: npt.NDArray[np.float64], num_colors: int, *, seed: int
) -> KMeans:
    from sklearn.cluster import KMeans

    means = KMeans(min(num_colors, len(points)), n_init=_RESTARTS, max_iter=_MAX_ITERATIONS, random_state=seed)
    with _one_thread():
        return means.fit(points, sample_weight=weights)


def _refined(coarse: KMeans, pixels: npt.NDArray[np.uint8], places: npt.NDArray[np.float32] | None = None) -> Palette:
    from sklearn.cluster import KMeans

    centers = coarse.cluster_centers_
    points, weights = _bins(pixels, _FINE_BITS, len(centers), places)
    means = KMeans(len(centers), init=centers, n_init=1, max_iter=_MAX_ITERATIONS)
    with _one_thread():
        return _ordered(means.fit(points, sample_weight=weights).cluster_centers_[:, :3], pixels)


def _one_thread() -> AbstractContextManager[object]:
    """Keep k-means on one thread: sums in another order would give other last digits."""
    limit: AbstractContextManager[object] = _thread_pools().limit(limits=1)
    return limit


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Find the thread pools once: looking through all libraries takes as long as a fit."""
    import sklearn.cluster  # noqa: F401 - brings the libraries that are to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _bins(
    pixels: npt.NDArray[np.uint8], bits: int, num_colors: int, places: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Join pixels of nearly one colour and place; returns the mean of each bin and its number of pixels.

    A mean is Lab, and the place where there are places: shape (m, 3) or (m, 5).
    """
    for shared in (bits, 8):
        wide = (pixels >> (8 - shared)).astype(np.int64)
        codes = (wide[:, 0] << 2 * shared) | (wide[:, 1] << shared) | wide[:, 2]
        if places is not None:
            across, down = (places / max(float(places.max()), 1e-6) * (_PLACE_CELLS - 1)).astype(np.int64).T
            codes = (codes * _PLACE_CELLS + across) * _PLACE_CELLS + down
        _, bin_of, counts = np.unique(codes, return_inverse=True, return_counts=True)
        if len(counts) >= _FEWEST_BINS_PER_COLOR * num_colors:
            break
    features = to_lab(pixels) if places is None else np.concatenate([to_lab(pixels), _PLACE_UNITS * places], axis=1)
    sums = np.stack([np.bincount(bin_of, weights=column) for column in features.T], axis=1)
    return (sums / counts[:, None]).astype(np.float32), counts.astype(np.float64)


def _ordered(centers: npt.NDArray[np.float32], pixels: npt.NDArray[np.uint8]) -> Palette:
    centers = centers.astype(np.float32)[np.lexsort((centers[:, 2], centers[:, 1], centers[:, 0]))]
    rgb = np.rint(np.clip(cv2.cvtColor(centers[:, None], cv2.COLOR_Lab2RGB)[:, 0], 0, 1) * 255).astype(np.uint8)
    # Two centres may round to one colour, and a colour is one label.
    colors = tuple(dict.fromkeys((int(red), int(green), int(blue)) for red, green, blue in rgb))
    return Palette(colors, shares_of(pixels, colors))
