"""The boundary benchmark of BSDS500: pixels matched one to one with people's boundaries, and the figures from them.

A soft map is suppressed to its ridges, brought to 8 bits, cut at each threshold, thinned, and matched with each
annotator's boundaries within 0.0075 of the diagonal. The matching is the largest there is and, among those, one of the
least total distance. Recall counts the matched pixels of all annotators, precision the pixels matched with any of them.

References
----------
Martin, Fowlkes and Malik 2004, doi:10.1109/TPAMI.2004.1273918 (matching); Arbelaez et al. 2011,
doi:10.1109/TPAMI.2010.161 (ODS, OIS, AP); Dollar and Zitnick 2015, arXiv:1406.5549 (ridges); Dulmage and Mendelsohn
1958, doi:10.4153/CJM-1958-052-0 (why the cheapest matching is sought in one part of the graph only).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d, map_coordinates  # type: ignore[import-untyped]
from scipy.sparse import csr_array, diags_array, hstack  # type: ignore[import-untyped]
from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
    breadth_first_order,
    connected_components,
    maximum_flow,
    min_weight_full_bipartite_matching,
)

from pix2pix_data.edges.thinning import thin

if TYPE_CHECKING:
    from pix2pix_data.pair import BoolMap, FloatMap

__all__ = ["Figures", "Matcher", "count_matches", "even_thresholds", "figures", "ridges"]

Counts: TypeAlias = npt.NDArray[np.int64]
"""(..., thresholds, 4): matched pixels of all annotators, all their pixels; drawn pixels matched, all drawn pixels."""

Indices: TypeAlias = npt.NDArray[np.int32]

RADIUS_SHARE = 0.0075
"""How far apart matched pixels may lie, as a share of the photo's diagonal."""

_FADE_PX = 5
_RIDGE_FACTOR = 1.01
_FLAT = 1e-5  # keeps the direction defined where the map is flat
_STEPS_PER_PX = 4096  # distances as whole numbers: with rounded ones the solver took up to ten times as long
_NOBODY = -1


# --- one photo ----------------------------------------------------------------------------------------------------


def even_thresholds(num_thresholds: int) -> npt.NDArray[np.float64]:
    """Return thresholds evenly inside (0, 1), ascending."""
    return np.arange(1, num_thresholds + 1) / (num_thresholds + 1)


def count_matches(
    edge_map: FloatMap, boundaries: npt.NDArray[np.bool_], thresholds: npt.NDArray[np.float64], *, suppress: bool = True
) -> Counts:
    """Match a soft map with the boundaries that people drew.

    Parameters
    ----------
    edge_map : ndarray of shape (H, W), float32
        In [0, 1], bright is edge.
    boundaries : ndarray of shape (annotators, H, W), bool
    thresholds : ndarray of shape (T,), float64
        In (0, 1), ascending.
    suppress : bool
        Whether to reduce the map to its ridges first; False for lines that are thin already.

    Returns
    -------
    ndarray of shape (T, 4), int64
        See `Counts`.
    """
    ridge_map = ridges(edge_map) if suppress else edge_map
    levels = np.rint(np.clip(ridge_map, 0, 1) * 255).astype(np.uint8)
    lowest = np.maximum(1, np.ceil(255 * thresholds - 1e-9)).astype(np.uint8)
    places = np.flatnonzero(levels >= lowest[0])
    matchers = [Matcher(boundary, places, RADIUS_SHARE * float(np.hypot(*levels.shape))) for boundary in boundaries]
    by_level: dict[np.uint8, tuple[int, ...]] = {}
    for level in lowest[::-1]:  # from few pixels to many, so that a matching can grow out of the one before
        if level not in by_level:
            drawn = np.flatnonzero(thin(levels >= level).ravel()[places]).astype(np.int32)
            hits = np.array([matcher.match(drawn) for matcher in matchers])
            by_level[level] = (hits.sum(), boundaries.sum(), hits.any(axis=0).sum(), len(drawn))
    return np.array([by_level[level] for level in lowest], np.int64)


def ridges(edge_map: FloatMap) -> FloatMap:
    """Zero each pixel that is lower than the map one pixel away across the edge, (H, W) to (H, W).

    As edge-detection papers do before this benchmark: smoothed by radius 1, where pix2pix's own strokes are not, and
    faded to zero over the outermost five pixels.
    """
    smooth = _triangle(edge_map.astype(np.float32), 1)
    height, width = smooth.shape
    angle = _across_edge(smooth)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    kept = smooth.copy()
    for sign in (-1, 1):
        y = np.clip(rows + sign * np.sin(angle), 0, height - 1.001)
        x = np.clip(columns + sign * np.cos(angle), 0, width - 1.001)
        kept[smooth * np.float32(_RIDGE_FACTOR) < map_coordinates(smooth, [y, x], order=1)] = 0
    faded: FloatMap = kept * np.outer(_fade(height), _fade(width)).astype(np.float32)
    return faded


def _across_edge(smooth: FloatMap) -> FloatMap:
    slope_y, slope_x = np.gradient(_triangle(smooth, 4))
    xx = np.gradient(slope_x, axis=1)
    yy, xy = np.gradient(slope_y)
    angle: FloatMap = np.mod(np.arctan(yy * np.sign(-xy) / (xx + np.float32(_FLAT))), np.float32(np.pi))
    return angle


def _triangle(values: FloatMap, radius: int) -> FloatMap:
    rising = np.arange(1, radius + 2, dtype=np.float32)
    weights = np.concatenate([rising, rising[-2::-1]]) / np.float32((radius + 1) ** 2)
    smooth: FloatMap = convolve1d(convolve1d(values, weights, 0), weights, 1)
    return smooth


def _fade(size: int) -> npt.NDArray[np.float64]:
    place = np.arange(size)
    return np.minimum(np.minimum(place, place[::-1]) / _FADE_PX, 1)


# --- matching -----------------------------------------------------------------------------------------------------


class Matcher:
    """One annotator's boundary, ready to be matched with many drawings.

    Parameters
    ----------
    boundary : ndarray of shape (H, W), bool
    places : ndarray of int
        Flat indices of the pixels that any of the drawings may hold; drawings are given as indices into these.
    radius : float
        Largest distance of a match in pixels.
    """

    def __init__(self, boundary: BoolMap, places: npt.NDArray[np.intp], radius: float) -> None:
        self._reach = _reach(boundary, places, radius)  # (places, boundary pixels): their distances
        self._has_any = np.diff(self._reach.indptr) > 0
        self._partner = np.full(self._reach.shape[1], _NOBODY, np.int32)  # of each boundary pixel, in the last matching
        self._position = np.full(len(places), _NOBODY, np.int32)
        self._chosen: dict[bytes, BoolMap] = {}

    def match(self, drawn: Indices) -> BoolMap:
        """Say of each drawn pixel whether it is matched, in a largest matching of the least total distance."""
        hit = np.zeros(len(drawn), bool)
        near = np.flatnonzero(self._has_any[drawn])
        if len(near):
            hit[near] = self._match_near(drawn[near])
        return hit

    def _match_near(self, drawn: Indices) -> BoolMap:
        """Find a largest matching as a flow, then settle the distances where they matter.

        A largest matching leaves no pixel over except in two parts of the graph: one where drawn pixels are too many,
        which is what the source of the flow still reaches, and one where boundary pixels are. Outside the first, every
        drawn pixel has a partner whatever the distances are.
        """
        graph = self._reach[drawn]  # (drawn, boundary pixels)
        num_drawn = len(drawn)
        residual, source = self._grow(graph, drawn)
        reached = np.zeros(residual.shape[0], bool)
        reached[breadth_first_order(residual, source, return_predecessors=False)] = True
        hit = ~reached[:num_drawn]
        crowd = np.flatnonzero(reached[:num_drawn])
        hit[crowd] = self._cheapest(graph[crowd], drawn[crowd])
        return hit

    def _grow(self, graph: csr_array, drawn: Indices) -> tuple[csr_array, int]:
        """Grow the last matching to a largest one; return what capacity is left, and the source.

        Drawings at neighbouring thresholds have most pixels in common, so most of the last matching holds: the flow
        starts from it. (Hopcroft and Karp's algorithm in scipy would do the same work, but on some photos takes
        minutes.) The nodes are the drawn pixels, the boundary's, the source, the sink.
        """
        num_drawn, num_boundary = graph.shape
        source, sink = num_drawn + num_boundary, num_drawn + num_boundary + 1
        self._position[drawn] = np.arange(num_drawn)
        partner = np.where(self._partner == _NOBODY, _NOBODY, self._position[self._partner])
        self._position[drawn] = _NOBODY
        alone = np.ones(num_drawn, bool)
        alone[partner[partner != _NOBODY]] = False
        starters = np.flatnonzero(alone)
        to_partner_or_sink = np.where(partner == _NOBODY, sink, partner)
        heads = np.concatenate([graph.indices + num_drawn, to_partner_or_sink, starters]).astype(np.int32)
        num_heads = np.concatenate([np.diff(graph.indptr), np.ones(num_boundary, np.int64), [len(starters), 0]])
        network = _network(heads, num_heads)
        residual = network - maximum_flow(network, source, sink, method="dinic").flow
        residual.eliminate_zeros()
        back = residual[num_drawn:source, :num_drawn].tocoo()  # what flowed into a boundary pixel can flow back
        self._partner.fill(_NOBODY)
        self._partner[back.row] = drawn[back.col]
        return residual, source

    def _cheapest(self, graph: csr_array, crowd: Indices) -> BoolMap:
        """Choose who of too many drawn pixels is matched, each connected piece of the graph by itself.

        A piece that was the same at the last threshold is not solved again.
        """
        hit = np.zeros(len(crowd), bool)
        unsolved = []
        for piece in _pieces(graph):
            chosen = self._chosen.get(crowd[piece].tobytes())
            if chosen is None:
                unsolved.append(piece)
            else:
                hit[piece] = chosen
        if unsolved:
            rows = np.concatenate(unsolved)
            hit[rows[_least_distance(graph[rows])]] = True
        for piece in unsolved:
            self._chosen[crowd[piece].tobytes()] = hit[piece]
        return hit


def _reach(boundary: BoolMap, places: npt.NDArray[np.intp], radius: float) -> csr_array:
    """Return the distances from each place to the boundary pixels within the radius, as a sparse matrix."""
    margin = int(np.ceil(radius))
    down, across = np.mgrid[-margin : margin + 1, -margin : margin + 1].reshape(2, -1)
    distance = np.hypot(down, across)
    inside = np.flatnonzero(distance <= radius)
    numbers = np.full(boundary.shape, _NOBODY, np.int32)
    numbers[boundary] = np.arange(boundary.sum())
    numbers = np.pad(numbers, margin, constant_values=_NOBODY)
    rows, columns = np.divmod(places, boundary.shape[1])
    near = numbers[rows[:, None] + margin + down[inside], columns[:, None] + margin + across[inside]]
    found = near != _NOBODY  # (places, pixels inside the radius)
    starts = np.concatenate([[0], np.cumsum(found.sum(axis=1))]).astype(np.int32)
    costs = np.rint(distance[inside] * _STEPS_PER_PX) + 1  # a sparse graph holds no zero
    # In raster order the disc's pixels are numbered upwards: each row of the matrix is sorted as it stands.
    return csr_array(
        (np.broadcast_to(costs, near.shape)[found], near[found], starts), shape=(len(places), int(boundary.sum()))
    )


def _network(heads: npt.NDArray[np.int32], num_heads: npt.NDArray[np.int64]) -> csr_array:
    """Build a graph of capacity one from the heads of all edges, in the order of their tails."""
    starts = np.concatenate([[0], np.cumsum(num_heads)]).astype(np.int32)
    return csr_array((np.ones(len(heads), np.int32), heads, starts), shape=(len(num_heads), len(num_heads)))


def _pieces(graph: csr_array) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each connected piece of a bipartite graph."""
    num_rows, num_columns = graph.shape
    if num_rows:
        num_heads = np.concatenate([np.diff(graph.indptr), np.zeros(num_columns, np.int64)])
        labels = connected_components(_network(graph.indices + num_rows, num_heads), directed=False)[1][:num_rows]
        order = np.argsort(labels, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _least_distance(graph: csr_array) -> npt.NDArray[np.intp]:
    """Return the rows that are matched when every column that is in use gets one."""
    used, columns = np.unique(graph.indices, return_inverse=True)
    compact = csr_array((graph.data, columns.astype(np.int32), graph.indptr), shape=(graph.shape[0], len(used)))
    # The solver may never end where a column can only go to one row. So each gets a row of its own besides, dearer than
    # any rearrangement of the others: it is never taken, as all columns can be matched.
    spare = diags_array(np.full(len(used), len(used) * compact.data.max() + 1), format="csr")
    _, rows = min_weight_full_bipartite_matching(hstack([compact.T.tocsr(), spare], format="csr"))
    matched: npt.NDArray[np.intp] = rows
    return matched


# --- figures ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """What papers report, each in [0, 1].

    Attributes
    ----------
    ods, threshold : float
        Best F with one threshold for all photos, and that threshold; between two, P and R are interpolated.
    ois : float
        F when each photo has its own best threshold.
    ap : float
        Area under the curve of precision over recall.
    """

    ods: float
    threshold: float
    ois: float
    ap: float


def figures(counts: Counts, thresholds: npt.NDArray[np.float64]) -> Figures:
    """Bring the counts of all photos, (photos, T, 4), to the benchmark's figures."""
    recall, precision = _rates(counts.sum(axis=0))
    share = np.linspace(0, 1, 100)[:, None]
    between = [
        np.append(share * curve[1:] + (1 - share) * curve[:-1], curve[-1]) for curve in (thresholds, recall, precision)
    ]
    scores = _f_score(between[1], between[2])
    best = int(np.argmax(scores))
    own_best = np.argmax(_f_score(*_rates(counts)), axis=1)
    ois = _f_score(*_rates(counts[np.arange(len(counts)), own_best].sum(axis=0)))
    return Figures(float(scores[best]), float(between[0][best]), float(ois), _average_precision(recall, precision))


def _rates(counts: Counts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return recall and precision."""
    return counts[..., 0] / np.maximum(counts[..., 1], 1), counts[..., 2] / np.maximum(counts[..., 3], 1)


def _f_score(recall: npt.NDArray[np.float64], precision: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def _average_precision(recall: npt.NDArray[np.float64], precision: npt.NDArray[np.float64]) -> float:
    """Sum the precision at each hundredth of recall; recall that no threshold reaches counts as precision 0."""
    distinct, at = np.unique(recall[::-1], return_index=True)  # of equal recalls, the one at the highest threshold
    if len(distinct) < 2:
        return 0.0
    hundredths = np.arange(0, 1.001, 0.01)
    return float(np.interp(hundredths, distinct, precision[::-1][at], left=0, right=0).sum() / 100)
