"""k-means of weighted points: all starts at once, in products of matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.floating[Any]]

__all__ = ["Clusters", "k_means", "settled"]

_STARTS = 10
_FIRST_STEPS, _MAX_STEPS = 12, 100  # of each start, and of those that settle
_STILL = 0.02  # a move of a centre that changes nothing: a grey level is 0.4 of Lab
_LEAST = 1e-9  # keeps a division by nothing at nothing
_BLOCK = 1 << 18  # distances held at once: they stay in a core's cache


@dataclass(frozen=True, slots=True)
class Clusters:
    """Where clusters lie, and how well.

    Attributes
    ----------
    centers : ndarray of shape (k, d), float32
    inertia : float
        Squared distances of the points to their nearest centres, times their weights, added up.
    """

    centers: Floats
    inertia: float


def k_means(points: Floats, weights: Floats, num_clusters: int, *, seed: int) -> Clusters:
    """Find clusters: ten k-means++ starts go at most a dozen steps, and the best of them is returned.

    It is nearly still; `settled` takes it to its end, here or among finer points.

    Parameters
    ----------
    points : ndarray of shape (m, d), float32
        In units of which a fiftieth does not matter, such as those of Lab; no two are the same.
    weights : ndarray of shape (m,), float32
        How often each counts, above 0.
    num_clusters : int
        At most m come out.
    seed : int

    References
    ----------
    Lloyd 1982, "Least squares quantization in PCM"; Arthur and Vassilvitskii 2007, "k-means++: the advantages of
    careful seeding", whose section 7 tries several points for each centre, as is done here.
    """
    starts = _starts(points, weights, min(num_clusters, len(points)), np.random.default_rng(seed))
    centers, inertias = _moved(points, weights, starts, _FIRST_STEPS)
    best = inertias.argmin()
    return Clusters(centers[best], float(inertias[best]))


def settled(points: Floats, weights: Floats, centers: Floats) -> Clusters:
    """Move centres, shape (k, d), until each is the mean of the points that are nearest to it."""
    moved, inertias = _moved(points, weights, centers[None], _MAX_STEPS)
    return Clusters(moved[0], float(inertias[0]))


def _starts(points: Floats, weights: Floats, num: int, rng: np.random.Generator) -> Floats:
    """Draw the first centres of all starts, (starts, num, d): each the best of some that lie far from those before."""
    tries = 2 + int(np.log(num))
    each = np.arange(_STARTS)
    lifted, forms = _lifted(points), _forms(points)
    chosen = np.empty((_STARTS, num), np.intp)
    chosen[:, :1] = _drawn(np.tile(weights, (_STARTS, 1)), 1, rng)
    nearest = np.maximum(forms[chosen[:, 0]] @ lifted.T, 0)  # (starts, m)
    for i in range(1, num):
        drawn = _drawn(nearest * weights, tries, rng)  # (starts, tries)
        closer = np.minimum(forms[drawn] @ lifted.T, nearest[:, None])  # (starts, tries, m)
        best = (closer @ weights).argmin(axis=1)
        chosen[:, i], nearest = drawn[each, best], np.maximum(closer[each, best], 0)
    return points[chosen]


def _drawn(chances: Floats, num: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw `num` indices for each row of (r, m) chances that need not add up to 1."""
    steps = np.cumsum(chances, axis=1, dtype=np.float64)
    steps /= np.maximum(steps[:, -1:], _LEAST)
    row = np.arange(len(steps))[:, None]
    places = np.searchsorted((steps + row).ravel(), row + rng.random((len(steps), num)), side="right")
    drawn: npt.NDArray[np.intp] = np.minimum(places - row * steps.shape[1], steps.shape[1] - 1)
    return drawn


def _lifted(points: Floats) -> Floats:
    """Write points x of shape (m, d) as (x, 1, x^2), and centres c as (-2c, c^2, 1): the product is the distance^2."""
    return np.concatenate([points, np.ones_like(points[:, :1]), _squares(points)], axis=1)


def _forms(centers: Floats) -> Floats:
    return np.concatenate([-2 * centers, _squares(centers), np.ones_like(centers[:, :1])], axis=1)


def _squares(points: Floats) -> Floats:
    squares: Floats = (points**2).sum(axis=1, keepdims=True)
    return squares


def _moved(points: Floats, weights: Floats, centers: Floats, max_steps: int) -> tuple[Floats, Floats]:
    """Take Lloyd's steps with r sets of centres, shape (r, k, d); returns them and the inertia of each."""
    num_sets, num, size = centers.shape
    lifted = _lifted(points)
    weighted = lifted[:, : size + 1] * weights[:, None]
    block = max(1, _BLOCK // (num_sets * num))
    for _ in range(max_steps):
        flat = centers.reshape(-1, size)
        forms, sums, inertias = _forms(flat), np.zeros((len(flat), size + 1), np.float32), np.zeros(num_sets)
        for start in range(0, len(points), block):
            here = slice(start, start + block)
            apart = (forms @ lifted[here].T).reshape(num_sets, num, -1)
            least = apart.min(axis=1, keepdims=True)
            # A point exactly between two centres counts for both, which moves neither noticeably.
            sums += (apart == least).astype(np.float32).reshape(len(flat), -1) @ weighted[here]
            inertias += least[:, 0] @ weights[here]
        counts = sums[:, size:]
        means = np.where(counts > 0, sums[:, :size] / np.maximum(counts, _LEAST), flat).reshape(centers.shape)
        move, centers = np.abs(means - centers).max(), means
        if move < _STILL:
            break
    return centers, inertias
