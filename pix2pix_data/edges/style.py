"""How strokes are drawn: as in the paper, wider, or by a hand that differs from photo to photo.

A model that only ever saw the paper's strokes is strict about them. One that saw many hands accepts a person's sketch:
its lines are fewer, thicker, bent a little, and some are missing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pix2pix_data.edges.strokes import strokes

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, BoolMap, FloatMap

__all__ = ["LineStyle", "draw_lines", "drop_strokes", "photo_generator", "sketch_style", "widen", "wobble"]

# What a sketch draws from. Pixels are those of a picture of 256 pixels and grow with its shorter side.
_REFERENCE_PX = 256
_THRESHOLD_FACTORS = (0.5, 4.0)  # more above than below: a person draws fewer lines than a detector sees
_LONGEST_MIN_LENGTH_PX = 40
_EXTRA_WIDTH_PX = 2
_MOST_DROPPED = 0.15
_LARGEST_SHIFT_PX = 1.5
_WAVELENGTHS_PX = (24, 64)  # the lower end and the largest shift keep the bent map free of folds: 2 pi 1.5 / 24 < 1
_NUM_WAVES = 3
_DETAIL_PX = 64  # a person leaves out details, never the outline


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How the lines of one picture are drawn; the defaults add nothing to the paper's look.

    Attributes
    ----------
    threshold : float
        Probability from which an edge is drawn, in (0, 1).
    min_length : int
        Shortest stroke drawn, in pixels.
    width : int
        Width of a stroke, in pixels.
    dropout : float
        Probability with which a short stroke is left out, in [0, 1].
    shift_px : float
        How far lines are bent aside where they are bent most, in pixels.
    """

    threshold: float
    min_length: int
    width: int = 1
    dropout: float = 0.0
    shift_px: float = 0.0


def photo_generator(photo: RGB, *, seed: int) -> np.random.Generator:
    """Return random numbers that depend on the seed and the photo's pixels alone: not on its place, batch or process.

    Parameters
    ----------
    photo : ndarray of shape (H, W, 3), uint8
    seed : int
        Not negative.

    Returns
    -------
    numpy.random.Generator
    """
    content = hashlib.sha256(repr(photo.shape).encode())
    content.update(photo.tobytes())
    return np.random.default_rng([seed, *np.frombuffer(content.digest(), "<u4").tolist()])


def sketch_style(plain: LineStyle, edge_map: FloatMap, generator: np.random.Generator) -> LineStyle:
    """Draw one hand at random: how it differs from `plain` in this picture.

    Parameters
    ----------
    plain : LineStyle
        Its threshold, minimum length and width are what the ranges start from.
    edge_map : ndarray of shape (H, W), float32
        Edge probability in [0, 1].
    generator : numpy.random.Generator

    Returns
    -------
    LineStyle
        `threshold` from half to four times the plain one, evenly in its logarithm, but no higher than the median
        probability on the plain strokes; `min_length` from the plain one to 40 pixels; `width` from the plain one to
        2 pixels more; `dropout` up to 0.15; `shift_px` up to 1.5. Pixels are those of a picture whose shorter side has
        256, and grow with that side.
    """
    scale = _scale(*edge_map.shape)
    low, high = _threshold_range(plain, edge_map)
    longest = max(plain.min_length, round(_LONGEST_MIN_LENGTH_PX * scale))
    return LineStyle(
        threshold=float(np.exp(generator.uniform(np.log(low), np.log(high)))),
        min_length=int(generator.integers(plain.min_length, longest, endpoint=True)),
        width=int(generator.integers(plain.width, plain.width + round(_EXTRA_WIDTH_PX * scale), endpoint=True)),
        dropout=float(generator.uniform(0, _MOST_DROPPED)),
        shift_px=float(generator.uniform(0, _LARGEST_SHIFT_PX * scale)),
    )


def draw_lines(edge_map: FloatMap, style: LineStyle, generator: np.random.Generator | None = None) -> BoolMap:
    """Reduce an edge-probability map to lines in a style.

    Parameters
    ----------
    edge_map : ndarray of shape (H, W), float32
        Edge probability in [0, 1].
    style : LineStyle
    generator : numpy.random.Generator, optional
        Needed where the style drops strokes or bends lines.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on a line.
    """
    if generator is not None and style.shift_px > 0:
        # Bent before it is thinned: the usual post-processing then closes and thins what was pulled apart.
        edge_map = wobble(edge_map, style.shift_px, generator)
    lines = strokes(edge_map, threshold=style.threshold, min_area=style.min_length)
    if generator is not None and style.dropout > 0:
        lines = drop_strokes(lines, style.dropout, generator, min_area=style.min_length)
    return widen(lines, style.width)


def wobble(edge_map: FloatMap, shift_px: float, generator: np.random.Generator) -> FloatMap:
    """Bend a map smoothly, like lines drawn by a calm hand.

    Parameters
    ----------
    edge_map : ndarray of shape (H, W), float32
    shift_px : float
        How far the map is moved where it is moved most, in pixels.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of shape (H, W), float32
    """
    height, width = edge_map.shape
    down, right = (_waves(height, width, generator) for _ in range(2))
    strength = np.float32(shift_px / np.hypot(down, right).max())
    rows, columns = np.indices((height, width), np.float32)
    return cv2.remap(
        edge_map,
        columns + strength * right,
        rows + strength * down,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32, copy=False)


def drop_strokes(lines: BoolMap, share: float, generator: np.random.Generator, *, min_area: int) -> BoolMap:
    """Leave out short strokes at random, and what is too small without them.

    A stroke is what lies between two ends or junctions of a line; one longer than a quarter of the picture's shorter
    side always stays.

    Parameters
    ----------
    lines : ndarray of shape (H, W), bool
        True on a line of one pixel's width.
    share : float
        Probability with which a short stroke is left out, in [0, 1].
    generator : numpy.random.Generator
    min_area : int
        Smallest 8-connected piece that remains, in pixels.

    Returns
    -------
    ndarray of shape (H, W), bool
        True nowhere where `lines` is not.
    """
    neighbours = cv2.boxFilter(lines.astype(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    pieces, areas = _pieces(lines & (neighbours <= 3))  # the pixel itself and two neighbours: no junction
    gone = (generator.random(len(areas)) < share) & (areas <= _DETAIL_PX * _scale(*lines.shape))
    gone[0] = False  # the background
    left, areas = _pieces(lines & ~gone[pieces])
    large = areas >= min_area
    large[0] = False
    kept: BoolMap = large[left]
    return kept


def widen(lines: BoolMap, width: int) -> BoolMap:
    """Draw one-pixel lines with a round pen, exactly `width` pixels across where a line is straight.

    Parameters
    ----------
    lines : ndarray of shape (H, W), bool
        True on a line of one pixel's width.
    width : int
        Diameter of the pen in pixels. An even pen cannot be centred: it reaches one pixel further right and down.

    Returns
    -------
    ndarray of shape (H, W), bool
    """
    if width == 1:
        return lines
    place = np.arange(width) - (width - 1) / 2
    pen = np.hypot(place[:, None], place) <= width / 2
    return cv2.dilate(lines.astype(np.uint8), pen.astype(np.uint8)).astype(bool)


def _scale(height: int, width: int) -> float:
    return min(height, width) / _REFERENCE_PX


def _threshold_range(plain: LineStyle, edge_map: FloatMap) -> tuple[float, float]:
    low, high = (plain.threshold * factor for factor in _THRESHOLD_FACTORS)
    drawn = edge_map[strokes(edge_map, threshold=plain.threshold, min_area=plain.min_length)]
    # Four times the threshold is nearly a blank sheet for a dim photo, and a pair without a drawing teaches nothing.
    return low, min(high, float(np.median(drawn))) if drawn.size else plain.threshold


def _waves(height: int, width: int, generator: np.random.Generator) -> FloatMap:
    """Add up a few plane waves of random direction, length and phase: smooth, and the same everywhere on average."""
    rows, columns = np.ogrid[:height, :width]
    waves = np.zeros((height, width))
    for _ in range(_NUM_WAVES):
        angle, phase = generator.uniform(0, 2 * np.pi, 2)
        per_px = 2 * np.pi / (generator.uniform(*_WAVELENGTHS_PX) * _scale(height, width))
        waves += np.cos(per_px * (np.sin(angle) * rows + np.cos(angle) * columns) + phase)
    return waves.astype(np.float32)


def _pieces(lines: BoolMap) -> tuple[cv2.typing.MatLike, cv2.typing.MatLike]:
    """Number the 8-connected pieces, and count the pixels of each; 0 is the background."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    return labels, stats[:, cv2.CC_STAT_AREA]
