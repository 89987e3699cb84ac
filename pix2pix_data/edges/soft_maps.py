"""Soft edge maps of any detector, as files, brought to strokes: the post-processing by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pix2pix_data.atomic import write_file
from pix2pix_data.console import ProgressLine
from pix2pix_data.edges.strokes import draw_strokes, resize_map, strokes
from pix2pix_data.errors import ImageError
from pix2pix_data.images import check_size, write_png
from pix2pix_data.pair import Failed

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import FloatMap

__all__ = ["MAP_SUFFIXES", "StrokeSettings", "draw_maps", "read_map"]

MAP_SUFFIXES = frozenset({".npy"})
"""What counts as a map beside picture files."""

_OVERSHOOT = 0.05  # cubic resizing leaves [0, 1] by so much; a map that leaves it by more is in other units


@dataclass(frozen=True, slots=True)
class StrokeSettings:
    """How maps become strokes: see `strokes`; `size` is (width, height) in pixels, None keeps a map's own."""

    size: tuple[int, int] | None
    threshold: float
    min_length: int


def draw_maps(maps: Sequence[tuple[str, Path]], out: Path, settings: StrokeSettings) -> list[Failed]:
    """Draw the strokes of each map as out/KEY.png, dark on white; what cannot be read goes to failures.jsonl too.

    Parameters
    ----------
    maps : sequence of (key, path)
    out : Path
    settings : StrokeSettings

    Returns
    -------
    list of Failed
    """
    failed = []
    with ProgressLine("Drawing strokes", len(maps), unit="maps") as progress:
        for key, path in maps:
            try:
                edge_map = read_map(path)
                if settings.size is not None:
                    edge_map = resize_map(edge_map, *settings.size)
                drawn = strokes(edge_map, threshold=settings.threshold, min_area=settings.min_length)
                write_png(out / f"{key}.png", draw_strokes(drawn))
            except ImageError as error:
                failed.append(Failed(key, path.name, str(error)))
            progress.advance()
    write_file(out / "failures.jsonl", "".join(one.to_line() for one in failed))
    return failed


def read_map(path: Path) -> FloatMap:
    """Read a soft edge map: a gray picture of 8 or 16 bits, or an array in a .npy file; bright is edge.

    Integers are scaled from the range of their type, floats are taken as they are.

    Returns
    -------
    ndarray of shape (H, W), float32
        In [0, 1], but for what a cubic resizing overshoots.

    Raises
    ------
    ImageError
        If it cannot be read, is in colour, or its values are no probabilities.
    """
    try:
        values: npt.NDArray[Any] = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else _pixels(path)
    except (OSError, ValueError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"no edge map: {error}") from error
    values = np.squeeze(values)
    if values.ndim == 3 and values.shape[2] == 3 and (values == values[:, :, :1]).all():
        values = values[:, :, 0]
    if values.ndim != 2 or values.size == 0:
        raise ImageError(f"an edge map is gray, of shape (H, W); this one has the shape {values.shape}")
    edge_map: FloatMap = values.astype(np.float32)
    if values.dtype.kind == "u":
        edge_map /= np.float32(np.iinfo(values.dtype).max)
    if not np.isfinite(edge_map).all() or edge_map.min() < -_OVERSHOOT or edge_map.max() > 1 + _OVERSHOOT:
        raise ImageError(f"its values are no probabilities: from {edge_map.min():g} to {edge_map.max():g}")
    return edge_map


def _pixels(path: Path) -> npt.NDArray[Any]:
    with Image.open(path) as image:
        check_size(*image.size)
        if image.mode == "I":  # how older versions of Pillow give 16 bits
            return np.asarray(image).astype(np.uint16)
        if image.mode in ("P", "LA", "RGBA", "1"):
            return np.asarray(image.convert("RGB"))
        return np.asarray(image)
