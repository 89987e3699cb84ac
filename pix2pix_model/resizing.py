"""Bringing decoded pictures to the size that a recipe loads them at, as either author code does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pix2pix_data.images import resize_bicubic as resize_rgb
from pix2pix_model.recipe import ResizeName

__all__ = ["RESIZERS", "resize_bicubic", "resize_linear"]

Pixels: TypeAlias = npt.NDArray[Any]  # (H, W, C), unsigned integers or float32


def resize_bicubic(picture: Pixels, width: int, height: int) -> Pixels:
    """Resize as the authors' PyTorch code does: Pillow's antialiased bicubic, of any channels and depth.

    Parameters
    ----------
    picture : ndarray of shape (H, W, C), uint8, uint16 or float32
    width, height : int
        Size wanted, in pixels.

    Returns
    -------
    ndarray of shape (height, width, C)
        Levels beyond the dtype's are cut off; `picture` itself at the right size.
    """
    if picture.shape[:2] == (height, width):
        return picture
    if picture.dtype == np.uint8 and picture.shape[2] == 3:
        return resize_rgb(picture, width, height)
    size, how = (width, height), Image.Resampling.BICUBIC
    planes = [Image.fromarray(plane.astype(np.float32)).resize(size, how) for plane in np.moveaxis(picture, 2, 0)]
    resized: Pixels = np.dstack([np.asarray(plane) for plane in planes])
    if picture.dtype.kind == "f":
        return resized
    levels: Pixels = np.rint(resized).clip(0, np.iinfo(picture.dtype).max).astype(picture.dtype)
    return levels


def resize_linear(picture: Pixels, width: int, height: int) -> Pixels:
    """Resize as the authors' Torch code does: area means where a side shrinks, else linear from edge to edge.

    Parameters
    ----------
    picture : ndarray of shape (H, W, C), uint8, uint16 or float32
    width, height : int
        Size wanted, in pixels. Where a side grows, its first and last pixel stay the first and the last.

    Returns
    -------
    ndarray of shape (height, width, C)
        `picture` itself at the right size.

    References
    ----------
    torch/image, generic/image.c, `Main_scaleLinear_rowcol`.
    """
    rows, columns, channels = picture.shape
    smaller = (min(height, rows), min(width, columns))
    if smaller != (rows, columns):
        shrunk = cv2.resize(picture, smaller[::-1], interpolation=cv2.INTER_AREA)
        picture = shrunk.reshape(*smaller, channels).astype(picture.dtype, copy=False)
    if smaller == (height, width):
        return picture
    wide = _between_neighbours(picture.astype(np.float32), width, axis=1)
    resized = _between_neighbours(wide, height, axis=0)
    return resized if picture.dtype.kind == "f" else np.rint(resized).astype(picture.dtype)


def _between_neighbours(picture: npt.NDArray[np.float32], num: int, *, axis: int) -> npt.NDArray[np.float32]:
    last = picture.shape[axis] - 1
    place = np.linspace(0, last, num, dtype=np.float32)
    before = place.astype(np.intp)
    after = np.minimum(before + 1, last)
    share = (place - before).reshape([num if i == axis else 1 for i in range(picture.ndim)])
    mixed: npt.NDArray[np.float32] = picture.take(before, axis) * (1 - share) + picture.take(after, axis) * share
    return mixed


RESIZERS: dict[ResizeName, Callable[[Pixels, int, int], Pixels]] = {
    "bicubic": resize_bicubic,
    "linear": resize_linear,
}
