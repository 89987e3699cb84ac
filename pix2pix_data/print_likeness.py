"""How alike two prints are, where one may be cut out of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.photo_prints import PRINT_PX

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.photo_prints import Prints

    Floats = npt.NDArray[np.float32]

__all__ = ["likeness", "window"]

_DETAIL_PX = 20  # prints are compared at this size, so that a cut of one has as much detail as the whole other
_BLUR_SIGMA_PX = 2.0  # what is left of a print after a blur of this is compared: outlines, not light and shade
_MIN_DETAIL = 0.5  # standard deviation in gray levels; with less there is nothing to compare
_CUTS = ((0.97, 2), (0.95, 5), (0.9, 5))  # side of a cut, and places tried along a side
_PROMISING = 0.75  # likeness under a rough fit, from which a finer one is looked for


def window(offset: float, scale: float, num_samples: int) -> Floats:
    """Return the matrix that takes a cut of one side of a print to `num_samples` area means.

    Parameters
    ----------
    offset : float
        Place of the cut: 0 at the beginning, 1 at the end.
    scale : float
        Length of the cut, in (0, 1].
    num_samples : int

    Returns
    -------
    ndarray of shape (num_samples, 24), float32
    """
    ends = PRINT_PX * ((1 - scale) * offset + scale * np.linspace(0, 1, num_samples + 1))
    low, high, pixel = ends[:-1, None], ends[1:, None], np.arange(PRINT_PX)
    covered = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), np.float32)


def likeness(ones: Prints, others: Prints) -> Floats:
    """Compare prints pair by pair.

    Parameters
    ----------
    ones, others : ndarray of shape (N, 24, 24), uint8

    Returns
    -------
    ndarray of shape (N,), float32
        The normalised correlation of their details in [-1, 1], under the best of 55 cuts of either.
    """
    a, b = ones.astype(np.float32), others.astype(np.float32)
    best = _best_fit(a, b, _ROUGH)
    promising = np.flatnonzero(best >= _PROMISING)
    best[promising] = np.maximum(best[promising], _best_fit(a[promising], b[promising], _FINE))
    return best


def _best_fit(a: Floats, b: Floats, cuts: list[tuple[Floats, list[Floats]]]) -> Floats:
    whole_a, whole_b = (_detail(np.asarray(_WHOLE @ side @ _WHOLE.T)) for side in (a, b))
    best = _products(whole_a, whole_b)
    for down, many_across in cuts:
        bands_a, bands_b = np.asarray(down @ a), np.asarray(down @ b)
        for across in many_across:
            best = np.maximum(best, _products(_detail(np.asarray(bands_a @ across.T)), whole_b))
            best = np.maximum(best, _products(whole_a, _detail(np.asarray(bands_b @ across.T))))
    return best


def _products(ones: Floats, others: Floats) -> Floats:
    return np.asarray(np.einsum("nij,nij->n", ones, others), np.float32)


def _detail(pictures: Floats) -> Floats:
    """Take the blur away and scale to length 1; what has too little detail becomes 0."""
    fine = pictures - np.asarray(_BLUR @ pictures @ _BLUR.T)
    fine -= fine.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(_products(fine, fine))[:, None, None]
    return np.where(length >= _MIN_DETAIL * _DETAIL_PX, fine / np.maximum(length, np.float32(1e-6)), np.float32(0))


def _cuts(scale: float, num_places: int) -> list[tuple[Floats, list[Floats]]]:
    sides = [window(offset, scale, _DETAIL_PX) for offset in np.linspace(0, 1, num_places)]
    return [(side, sides) for side in sides]


def _blur() -> Floats:
    """Return a Gaussian blur of one side as a matrix; at the border it has less to take means of."""
    distance = np.arange(_DETAIL_PX)[:, None] - np.arange(_DETAIL_PX)
    weights = np.exp(-0.5 * (distance / _BLUR_SIGMA_PX) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_WHOLE = window(0, 1, _DETAIL_PX)
_BLUR = _blur()
_ROUGH = _cuts(0.93, 3)
_FINE = [cut for scale, num_places in _CUTS for cut in _cuts(scale, num_places)]
