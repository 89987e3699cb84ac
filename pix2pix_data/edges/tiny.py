"""Our own small detector: a network of 850 thousand parameters that looks at a photo and at its mirror image.

How it was trained, on what, and how well it does stands in weights/README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from pix2pix_data.edges.tiles import tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pix2pix_data.pair import RGB, FloatMap

__all__ = ["TINY_WEIGHTS", "TinyDetector"]

TINY_WEIGHTS = Path(__file__).parent / "weights" / "tiny.onnx"

_CLEAR = -0.32
_CLEAREST_SHARE = 0.01
_MOST_LIFT = 2.0
"""On 19 of 20 published product photos, one pixel in a hundred has higher log odds than the first of these; on photos
of buildings, which people annotate as one piece, it is 0.6 to 1.1 lower; on noise it is 4 lower and more."""

_STRIDE = 16
_BORDER_PX = 16  # mirrored around the photo: the zeros around a convolution's input look like an edge
_TILE_PX = 60 * _STRIDE
_REACH_PX = 16 * _STRIDE
"""The network's map depends on its input within so many pixels: tiles that overlap by as much give the whole's map."""


class TinyDetector:
    """See edges with the small network that ships with the package; an EdgeDetector.

    The log odds of an edge are the mean of those of the photo and of its mirror image.

    Parameters
    ----------
    weights : Path
        An ONNX file: float32 photos (1, 3, H, W), RGB in 0..255, with sides that are multiples of 16, to log odds
        (1, 1, H, W).
    """

    def __init__(self, weights: Path = TINY_WEIGHTS) -> None:
        options = onnxruntime.SessionOptions()
        # The processes of a build share the cores; and one thread always sums in the same order.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

    def __call__(self, photos: Sequence[RGB]) -> list[FloatMap]:
        return [self._edge_map(photo) for photo in photos]

    def _edge_map(self, photo: RGB) -> FloatMap:
        height, width = photo.shape[:2]
        bottom, right = (_BORDER_PX + -(2 * _BORDER_PX + side) % _STRIDE for side in (height, width))
        padded: RGB = np.pad(photo, ((_BORDER_PX, bottom), (_BORDER_PX, right), (0, 0)), "symmetric")
        log_odds = np.empty(padded.shape[:2], np.float32)
        for rows, rows_read, rows_kept in tiles(padded.shape[0], _TILE_PX, _REACH_PX):
            for columns, columns_read, columns_kept in tiles(padded.shape[1], _TILE_PX, _REACH_PX):
                tile = padded[rows_read, columns_read]
                seen = (self._log_odds(tile) + self._log_odds(tile[:, ::-1])[:, ::-1]) / 2
                log_odds[rows, columns] = seen[rows_kept, columns_kept]
        inside: FloatMap = log_odds[_BORDER_PX : _BORDER_PX + height, _BORDER_PX : _BORDER_PX + width]
        probability: FloatMap = np.float32(1) / (1 + np.exp(-inside - _lift(inside)))
        return probability

    def _log_odds(self, photo: RGB) -> FloatMap:
        (seen,) = self._session.run(None, {"photos": photo.transpose(2, 0, 1)[None].astype(np.float32)})
        log_odds: FloatMap = seen[0, 0]
        return log_odds


def _lift(log_odds: FloatMap) -> np.float32:
    """Measure how much fainter a photo's clearest lines are than those of a product photo, within bounds.

    Facades and landscapes are drawn as clearly as shoes on white, and a blank photo stays blank.
    """
    share = _CLEAREST_SHARE * min(1.0, 256 / min(log_odds.shape))
    return np.float32(np.clip(_CLEAR - np.percentile(log_odds, 100 * (1 - share)), 0, _MOST_LIFT))
