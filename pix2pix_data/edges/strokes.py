"""From a soft edge map to the thin strokes that pix2pix was trained on.

The steps and their constants are those of the authors' post-processing, re-made from a description of it:
smooth, find the direction across each edge, keep the ridge, fade the border, threshold, thin, drop the crumbs.
Every step runs in float32 and in the authors' order: thinned lines agree with theirs to the pixel only so.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.edges.thinning import thin
from pix2pix_data.errors import ImageError

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy.typing as npt

    from pix2pix_data.pair import RGB, BoolMap, FloatMap

    Indices: TypeAlias = npt.NDArray[np.intp]

__all__ = ["MIN_AREA", "THRESHOLD", "draw_strokes", "resize_map", "strokes"]

THRESHOLD = 25 / 255
"""The authors' edge probability under which a pixel is no stroke."""

MIN_AREA = 5
"""The authors' smallest stroke, in pixels."""

_TRIANGLE_RADIUS = 4
_FADE_PX = 5
_RIDGE_FACTOR = np.float32(1.01)  # near-ties survive, which keeps a two-pixel ridge whole until it is thinned
_FLAT = np.float32(1e-5)  # keeps the direction defined where the map is flat
_INSIDE = 1.001  # a sample stays this far inside the far border, so that its four neighbours exist
_KEYS_A = -0.5  # MATLAB's cubic; OpenCV's is -0.75


def strokes(edge_map: FloatMap, *, threshold: float = THRESHOLD, min_area: int = MIN_AREA) -> BoolMap:
    """Reduce an edge-probability map to one-pixel strokes.

    Parameters
    ----------
    edge_map : ndarray of shape (H, W), float32
        Edge probability in [0, 1], where 1 is a certain edge. Eight bits are too coarse: one pixel in twenty moves.
    threshold : float
        Probability under which a pixel is not an edge, in (0, 1].
    min_area : int
        Smallest 8-connected stroke kept, in pixels.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on a stroke. The outermost ring of pixels is always False.

    Raises
    ------
    ImageError
        If `edge_map` is not two-dimensional, or empty.

    References
    ----------
    Xie and Tu 2015, arXiv:1504.06375 (detector); Isola et al. 2017, arXiv:1611.07004 (post-processing);
    Dollar and Zitnick 2015, arXiv:1406.5549 (suppression across the edge).
    """
    _check(edge_map)
    # The authors carry 1 - probability: the round trip decides the pixels that lie exactly on the threshold.
    probability = 1 - (1 - edge_map.astype(np.float32))
    faded = _ridges(probability, threshold) * _border_fade(*probability.shape)
    return _without_crumbs(thin(faded >= _lowest(threshold)), min_area)


def draw_strokes(lines: BoolMap) -> RGB:
    """Draw strokes black on white: bool (H, W) to uint8 (H, W, 3)."""
    gray = np.where(lines, 0, 255).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)


def resize_map(edge_map: FloatMap, width: int, height: int) -> FloatMap:
    """Resize a soft map as MATLAB's `imresize` does: Keys cubic, antialiased when it shrinks.

    Parameters
    ----------
    edge_map : ndarray of shape (H, W), float32
    width, height : int
        New size in pixels; the aspect is not kept.

    Returns
    -------
    ndarray of shape (height, width), float32
        May leave the range of `edge_map` a little, on both sides of a sharp edge.

    Raises
    ------
    ImageError
        If `edge_map` is not two-dimensional, or empty.
    """
    _check(edge_map)
    for axis, size in sorted(enumerate((height, width)), key=lambda item: item[1] / edge_map.shape[item[0]]):
        if size != edge_map.shape[axis]:  # the axis that shrinks most comes first
            edge_map = _resize_columns(edge_map, size) if axis == 0 else _resize_columns(edge_map.T, size).T
    return np.ascontiguousarray(edge_map, np.float32)


def _check(edge_map: FloatMap) -> None:
    if edge_map.ndim != 2 or edge_map.size == 0:
        raise ImageError(f"an edge map has the shape (H, W), not {edge_map.shape}")


def _lowest(threshold: float) -> np.float32:
    return np.float32(max(threshold, np.finfo(np.float64).eps))


# --- the ridge --------------------------------------------------------------------------------------------------


def _ridges(probability: FloatMap, threshold: float) -> FloatMap:
    """Zero each pixel that is under the threshold, or lower than the map one pixel away across the edge."""
    height, width = probability.shape
    places = np.flatnonzero(probability >= _lowest(threshold))
    rows, columns = (index.astype(np.float32) for index in np.divmod(places, width))
    cos, sin = _across_edge(probability, places)
    here = probability.take(places)
    kept = np.ones(len(places), bool)
    for sign in (-1, 1):
        x = np.clip(columns + sign * cos, 0, np.float32(max(width - _INSIDE, 0)))
        y = np.clip(rows + sign * sin, 0, np.float32(max(height - _INSIDE, 0)))
        kept &= here * _RIDGE_FACTOR >= _sample(probability, x, y)
    ridges = np.zeros_like(probability)
    ridges.put(places[kept], here[kept])
    return ridges


def _across_edge(probability: FloatMap, places: Indices) -> tuple[FloatMap, FloatMap]:
    """Find the direction across the edge at flat indices `places`: its cosine (columns) and sine (rows)."""
    # Horizontally first, and normalised there for both passes: see _triangle on rounding.
    across = _triangle(_turned(probability), scale=1 / (_TRIANGLE_RADIUS + 1) ** 4)
    xx, xy, yy = _curvatures(_triangle(_turned(across), scale=1), places)
    with np.errstate(divide="ignore", invalid="ignore"):
        tangent = np.nan_to_num(yy * np.sign(-xy) / (xx + _FLAT))
    angle = np.mod(np.arctan(tangent), np.float32(np.pi))
    return np.cos(angle), np.sin(angle)


def _turned(values: FloatMap) -> FloatMap:
    return cv2.transpose(values).astype(np.float32, copy=False)  # in memory, too: sums go along columns


def _triangle(values: FloatMap, *, scale: float) -> FloatMap:
    """Smooth each column by `scale` times [1 2 3 4 5 4 3 2 1], mirrored at its ends.

    The second difference of a triangle has three terms, so two running sums make the filter. The float32 rounding of
    these sums belongs to the reference: where the map is flat, it alone decides the direction.
    """
    side = _TRIANGLE_RADIUS + 1
    height = len(values)
    padded = np.pad(values, ((side, side), (0, 0)), "symmetric")
    steps = np.empty_like(values)
    steps[0] = _sum_at_start(padded[side : 2 * side])
    np.add(padded[: height - 1], padded[2 * side : -1], out=steps[1:])
    padded *= 2
    steps[1:] -= padded[side : side + height - 1]
    _sum_up(steps[1:])
    steps *= np.float32(scale)
    _sum_up(steps)
    return steps


def _sum_up(values: FloatMap) -> None:
    """Add to each row all rows above it: row by row, which takes a quarter of numpy's time for cumsum."""
    for above, row in itertools.pairwise(values):
        np.add(row, above, out=row)


def _sum_at_start(values: FloatMap) -> FloatMap:
    """Weigh the first pixels of each column by 9 7 5 3 1: the triangle, folded at the column's start."""
    running = np.cumsum(values, axis=0)
    weighed: FloatMap = 2 * np.cumsum(running, axis=0)[-1] - running[-1]
    return weighed


def _curvatures(values: FloatMap, places: Indices) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Differentiate twice, along columns, both and rows; returns what is at flat indices."""
    slope_x, slope_y = _slope(values, 1), _slope(values, 0)
    xx, xy, yy = _slope(slope_x, 1), _slope(slope_y, 1), _slope(slope_y, 0)
    return xx.take(places), xy.take(places), yy.take(places)


def _slope(values: FloatMap, axis: int) -> FloatMap:
    """Differentiate along an axis: centrally, and one-sided at the ends, as `numpy.gradient` in a third of the time."""
    slope = np.zeros_like(values)  # a side of one pixel has none
    if values.shape[axis] > 1:
        step = 1 if axis else values.shape[1]  # to the next pixel, in memory; what this makes of the ends is replaced
        flat, inner = values.ravel(), slope.ravel()[step:-step]
        np.subtract(flat[2 * step :], flat[: -2 * step], out=inner)
        inner *= np.float32(0.5)
        lines, ends = np.swapaxes(values, 0, axis), np.swapaxes(slope, 0, axis)
        ends[0], ends[-1] = lines[1] - lines[0], lines[-1] - lines[-2]
    return slope


def _sample(values: FloatMap, x: FloatMap, y: FloatMap) -> FloatMap:
    """Interpolate bilinearly at columns `x` and rows `y`, all inside."""
    height, width = values.shape
    column, row = np.trunc(x), np.trunc(y)
    dx, dy = x - column, y - row
    place = row.astype(np.intp) * width + column.astype(np.intp)
    right, down = int(width > 1), width * int(height > 1)  # to the next neighbour; a one-pixel side has none
    top = (1 - dx) * values.take(place) + dx * values.take(place + right)
    bottom = (1 - dx) * values.take(place + down) + dx * values.take(place + down + right)
    sample: FloatMap = (1 - dy) * top + dy * bottom
    return sample


# --- borders, crumbs, sizes -------------------------------------------------------------------------------------


def _border_fade(height: int, width: int) -> FloatMap:
    """Return weights that fall linearly to 0 over the outermost pixels."""
    down, across = (_fade(size) for size in (height, width))
    return down[:, None] * across


def _fade(size: int) -> FloatMap:
    reach = min(_FADE_PX, size // 2)
    place = np.arange(size, dtype=np.float32)
    distance = np.minimum(place, place[::-1])
    return np.where(distance < reach, distance / np.float32(_FADE_PX), np.float32(1))


def _without_crumbs(lines: BoolMap, min_area: int) -> BoolMap:
    """Drop 8-connected pieces of fewer than `min_area` pixels."""
    num_labels, labels = cv2.connectedComponents(lines.view(np.uint8), connectivity=8)
    places = np.flatnonzero(lines)  # few: strokes alone are counted and looked up
    pieces = labels.ravel().take(places)
    is_large = np.bincount(pieces, minlength=num_labels) >= min_area
    kept = np.zeros_like(lines)
    kept.put(places, is_large[pieces])
    return kept


def _resize_columns(values: FloatMap, size: int) -> FloatMap:
    """Resize along the rows' axis to `size` rows."""
    scale = size / len(values)
    stretch = max(1.0, 1 / scale)  # shrinking widens the kernel, which is the antialiasing
    centre = (np.arange(size) + 0.5) / scale - 0.5
    first = np.floor(centre - 2 * stretch).astype(np.intp) + 1
    taps = first[:, None] + np.arange(int(np.ceil(4 * stretch)) + 1)  # (size, taps)
    weights = _keys_cubic((centre[:, None] - taps) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.pad(np.arange(len(values)), taps.shape[1] + 2, "symmetric")[taps + taps.shape[1] + 2]
    resized = np.zeros((size, values.shape[1]))
    for tap in range(taps.shape[1]):
        resized += weights[:, tap, None] * values[mirrored[:, tap]]
    return resized.astype(np.float32)


def _keys_cubic(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Evaluate the kernel of Keys 1981, doi:10.1109/TASSP.1981.1163711."""
    d = np.abs(distance)
    near = (_KEYS_A + 2) * d**3 - (_KEYS_A + 3) * d**2 + 1
    far = _KEYS_A * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
