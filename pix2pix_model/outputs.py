"""Picture files of what was made: PNG with its channels and bits, or JPEG and WebP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np

from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.images import encode_jpeg, encode_png
from pix2pix_data.png import png_of_levels
from pix2pix_model.resizing import resize_bicubic
from pix2pix_model.views import View, to_array, to_tensor

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["PictureFormat", "check_format", "encode_picture"]

PictureFormat: TypeAlias = Literal["png", "jpg", "webp"]

_WEBP_QUALITY = 95


def check_format(view: View, file_format: PictureFormat) -> None:
    """Raise UsageError where a format cannot hold what a view makes."""
    if file_format == "png":
        return
    if view.dtype.itemsize > 1:
        raise UsageError(f"this model makes 16 bits, which {file_format} cannot hold", fix="use --format png")
    if file_format == "jpg" and view.num_stored == 4:
        raise UsageError("this model makes transparency, which jpg cannot hold", fix="use --format png or webp")


def encode_picture(
    view: View, stored: Pixels, file_format: PictureFormat = "png", *, alpha: Pixels | None = None
) -> bytes:
    """Encode what was made, with the channels and bits that it has.

    Parameters
    ----------
    view : View
        Of the target.
    stored : ndarray of shape (H, W, C)
        As the view stores it.
    file_format : {"png", "jpg", "webp"}
        JPEG and WebP of quality 95.
    alpha : ndarray of shape (H, W, 1), uint8, optional
        Transparency to lay over it, where what was made has none; JPEG leaves it out.
    """
    pixels = to_array(view.picture(to_tensor(stored[None])))[0]
    if alpha is not None and pixels.shape[2] < 4 and file_format != "jpg":
        pixels = _with_alpha(pixels, alpha)
    if file_format == "png":
        return encode_png(pixels) if pixels.shape[2] == 3 and pixels.dtype == np.uint8 else png_of_levels(pixels)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return encode_jpeg(pixels) if file_format == "jpg" else _encode_webp(pixels)


def _with_alpha(pixels: Pixels, alpha: Pixels) -> Pixels:
    if alpha.shape[:2] != pixels.shape[:2]:
        alpha = resize_bicubic(alpha, pixels.shape[1], pixels.shape[0])
    colors = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    levels = alpha if pixels.dtype == np.uint8 else alpha.astype(np.uint16) * 257
    return np.concatenate([colors, levels], axis=2)


def _encode_webp(pixels: Pixels) -> bytes:
    order = [2, 1, 0, 3][: pixels.shape[2]]
    flags = [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY]
    done, encoded = cv2.imencode(".webp", np.ascontiguousarray(pixels[:, :, order]), flags)
    if not done:
        raise ImageError("the picture could not be encoded as WebP, whose sides have 16,383 pixels at most")
    return encoded.tobytes()
