"""The baselines of our study of making pairs, each written anew from what others' scripts do.

k-means: one scikit-learn fit for each photo, 10 restarts on all pixels, as many blogs do it; in Lab, as ours.
Strokes: the authors' post-processing step by step over the whole map, with scikit-image for thinning and crumbs. Facts:
phillipi/pix2pix 89ff2a8 (scripts/edges/PostprocessHED.m).
Colourisation: three passes over files, each decoded to floats and written as PNG: resize, gray, side by side. Facts:
affinelayer/pix2pix-tensorflow 27c45eb (tools/process.py), with Pillow's codecs and OpenCV's resizing in place of
TensorFlow's, whose start is not counted.
Combining: two files decoded, laid side by side and encoded again. Facts: junyanz/pytorch-CycleGAN-and-pix2pix 0c096f3
(datasets/combine_A_and_B.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from skimage.morphology import remove_small_objects
from skimage.morphology import thin as scikit_image_thin
from sklearn.cluster import KMeans

from pix2pix_data.color_table import to_lab

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, BoolMap, FloatMap

__all__ = ["colorize_folder", "combine", "k_means", "plain_strokes"]

_RESTARTS = 10
_LUMA = np.float32([0.2989, 0.587, 0.114])


def k_means(photo: RGB, num_colors: int) -> KMeans:
    """Fit a photo's colours; the labels of its pixels are in the result."""
    return KMeans(num_colors, n_init=_RESTARTS, random_state=0).fit(to_lab(photo).reshape(-1, 3))


# --- strokes ------------------------------------------------------------------------------------------------------


def plain_strokes(edge_map: FloatMap) -> BoolMap:
    """Reduce an edge-probability map to strokes, with the running sums of the authors' filter: its rounding decides."""
    probability = 1 - (1 - edge_map.astype(np.float32))
    smooth = _smoothed_rows(_smoothed_rows(probability, 1 / 5**4).T, 1).T
    slope_y, slope_x = np.gradient(smooth)
    xx = np.gradient(slope_x, axis=1)
    yy, xy = np.gradient(slope_y)
    with np.errstate(divide="ignore", invalid="ignore"):
        tangent = np.nan_to_num(yy * np.sign(-xy) / (xx + np.float32(1e-5)))
    angle = np.mod(np.arctan(tangent), np.float32(np.pi))
    ridges = _ridges(probability, np.cos(angle), np.sin(angle))
    lines = _faded(ridges) >= np.float32(25 / 255)
    thinned = scikit_image_thin(lines)
    return remove_small_objects(thinned, max_size=4, connectivity=2)


def _smoothed_rows(values: FloatMap, scale: float) -> FloatMap:
    """Smooth by a triangle of radius 4: sums of sums of its second difference."""
    padded = np.pad(values, ((0, 0), (5, 5)), "symmetric")
    begun = np.cumsum(padded[:, 5:10], axis=1)
    start = 2 * np.cumsum(begun, axis=1)[:, -1:] - begun[:, -1:]
    bend = padded[:, :-11] + padded[:, 10:-1] - 2 * padded[:, 5:-6]
    steps = np.concatenate([start, np.cumsum(bend, axis=1)], axis=1) * np.float32(scale)
    return np.cumsum(steps, axis=1)


def _ridges(probability: FloatMap, cos: FloatMap, sin: FloatMap) -> FloatMap:
    height, width = probability.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    kept = np.ones(probability.shape, bool)
    for sign in (-1, 1):
        x = np.clip(columns + sign * cos, 0, np.float32(width - 1.001))
        y = np.clip(rows + sign * sin, 0, np.float32(height - 1.001))
        kept &= probability * np.float32(1.01) >= _bilinear(probability, x, y)
    return np.where(kept, probability, np.float32(0))


def _bilinear(values: FloatMap, x: FloatMap, y: FloatMap) -> FloatMap:
    column, row = x.astype(np.intp), y.astype(np.intp)
    dx, dy = x - column.astype(np.float32), y - row.astype(np.float32)
    top = (1 - dx) * values[row, column] + dx * values[row, column + 1]
    bottom = (1 - dx) * values[row + 1, column] + dx * values[row + 1, column + 1]
    sample: FloatMap = (1 - dy) * top + dy * bottom
    return sample


def _faded(ridges: FloatMap) -> FloatMap:
    faded = ridges.copy()
    for distance in range(5):
        weight = np.float32(distance) / np.float32(5)
        faded[:, distance] *= weight
        faded[:, -1 - distance] *= weight
    for distance in range(5):
        weight = np.float32(distance) / np.float32(5)
        faded[distance] *= weight
        faded[-1 - distance] *= weight
    return faded


# --- files --------------------------------------------------------------------------------------------------------


def colorize_folder(paths: Sequence[Path], work: Path, size_px: int) -> None:
    """Make side-by-side PNGs of gray and colour in `work`, a new folder for each pass."""
    for name in ("resized", "gray", "both"):
        (work / name).mkdir()
    for path in paths:
        _write_floats(work / "resized" / f"{path.stem}.png", _square(_read_floats(path), size_px))
    for path in sorted((work / "resized").iterdir()):
        gray = _read_floats(path) @ _LUMA
        _write_floats(work / "gray" / path.name, np.repeat(gray[:, :, None], 3, axis=2))
    for path in sorted((work / "gray").iterdir()):
        sides = [_read_floats(path), _read_floats(work / "resized" / path.name)]
        _write_floats(work / "both" / path.name, np.concatenate(sides, axis=1))


def _square(photo: FloatMap, size_px: int) -> npt.NDArray[np.float32]:
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photo[top : top + side, left : left + side]
    how = cv2.INTER_AREA if side > size_px else cv2.INTER_CUBIC
    return cv2.resize(square, (size_px, size_px), interpolation=how).astype(np.float32, copy=False)


def _read_floats(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / np.float32(255)


def _write_floats(path: Path, picture: npt.NDArray[np.float32]) -> None:
    Image.fromarray((picture * 255 + 0.5).clip(0, 255).astype(np.uint8)).save(path)


def combine(a: Path, b: Path, both: Path) -> None:
    """Lay two files side by side, in the format that the name of `both` says."""
    sides = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in (a, b)]
    cv2.imwrite(str(both), np.concatenate(sides, axis=1))
