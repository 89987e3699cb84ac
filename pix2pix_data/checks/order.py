"""Pairs that are the other way round than most: which way that is, is learnt from the dataset itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.findings import Finding
from pix2pix_data.mends import SwapSides

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.checks.sides import SideLook

__all__ = ["swapped_sides"]

_FEWEST_TO_COMPARE = 20  # pairs from which the way round of most of them can be learnt
_STEPS = 3  # more change nothing where one pair in six is swapped
_CLEAR_ORDER = 4.0  # deviations between the sides; measured: 6 and more on nine sets, 2 on photos beside other photos
_CLEAR_GAP = 0.35  # of the usual distance, which all but one pair in twenty keep; measured: 0.7, and 0.3
_SURE_ORDER = 0.25  # of the usual distance, from which a pair is called swapped


def swapped_sides(looks: Sequence[PairLook]) -> list[Finding]:
    """Find the pairs that are the other way round than most."""
    seen = [look for look in looks if not (look.a.is_blank or look.b.is_blank or look.a.digest == look.b.digest)]
    if len(seen) < _FEWEST_TO_COMPARE:
        return []
    scores = _order_scores(np.array([np.subtract(_features(look.b), _features(look.a)) for look in seen]))
    distances = np.abs(scores)
    usual = float(np.median(distances))
    deviation = 1.4826 * float(np.median(np.abs(distances - usual)))  # of a normal distribution with that median
    if usual < _CLEAR_ORDER * deviation or np.percentile(distances, 5) < _CLEAR_GAP * usual:
        return []
    swapped = [seen[i].name for i in np.argsort(scores) if scores[i] < -_SURE_ORDER * usual]
    if not swapped:
        return []
    return [
        Finding(
            "swapped-sides",
            "error" if len(swapped) >= 0.01 * len(seen) else "warning",
            "A and B are the other way round than in most pairs",
            len(swapped),
            tuple((name,) for name in swapped[:10]),
            "the generator is shown the target and asked for the condition",
            "swap the sides of these files, or leave them out",
            (SwapSides(tuple(swapped)),),
        )
    ]


def _order_scores(differences: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Say how far each pair is one way round (above 0, as most are) or the other.

    What best tells B from A is learnt from all pairs (Fisher's linear discriminant); those that it takes for swapped
    are turned, and it is learnt again.

    Parameters
    ----------
    differences : ndarray of shape (N, features)
        B less A.
    """
    way = np.ones(len(differences))
    for _ in range(_STEPS):
        turned = differences * way[:, None]
        spread = np.cov(turned.T)
        ridge = 0.1 * np.diag(np.diag(spread)) + 1e-6 * np.eye(len(spread))  # for few pairs, and what never varies
        scores = differences @ np.linalg.solve(spread + ridge, turned.mean(axis=0))
        way = np.where(scores < 0, -1.0, 1.0)
    return np.asarray(scores if way.mean() >= 0 else -scores)


def _features(side: SideLook) -> list[float]:
    pixels = np.frombuffer(side.print, np.uint8)
    colors = [np.log2(1 + side.num_flat_colors), np.log2(side.num_colors), side.entropy]
    shares = [side.colorful, side.flat, side.two_tone]
    return [*colors, *shares, float(pixels.mean()) / 64, float(pixels.std()) / 32]
