"""Pictures as data, with the channels and bits that are asked for: gray or colour, with transparency, 8 or 16 bits.

images.py makes of any file what people look at, sRGB of 8 bits on white. This is for what must not be lost on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from PIL import ImageOps

from pix2pix_data.channel_kinds import CHANNELS, ChannelsName
from pix2pix_data.errors import ImageError
from pix2pix_data.images import check_size, decode_rgb, open_picture
from pix2pix_data.srgb import ORIENTATION_TAG, TURNS, profile_to_srgb, to_levels, to_srgb

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    Pixels: TypeAlias = npt.NDArray[Any]  # (H, W, C), uint8 or uint16

__all__ = ["decode_channels", "premultiplied", "straight"]

_LUMA = np.array([19595, 38470, 7471], np.uint64)  # ITU-R BT.601 over 2**16, whose sum they are: gray stays as it is


def decode_channels(content: bytes, name: ChannelsName) -> Pixels:
    """Decode a picture file to the channels asked for.

    Parameters
    ----------
    content : bytes
        A whole file in any format that `decode_photo` reads.
    name : ChannelsName

    Returns
    -------
    ndarray of shape (H, W, C), uint8 or uint16
        Turned upright. Of colour, gray is the luma (BT.601); without alpha, transparency is laid on white; with it,
        opaque pictures have all of it. 8 bits become 16 by level * 257, exactly; 16 become 8 by rounding.

    Raises
    ------
    ImageError
        If the file cannot be read, or holds 16-bit colour in a space other than sRGB, which cannot be converted without
        loss here.
    """
    form = CHANNELS[name]
    if form.bits == 16:
        return _with_channels(_decode_16(content), form.num)
    if form.num == 4 and (rgba := _decode_rgba(content)) is not None:
        return rgba
    return _with_channels(decode_rgb(content), form.num)


# --- decoding -----------------------------------------------------------------------------------------------------


def _decode_16(content: bytes) -> Pixels:
    """Decode to 16 bits with the file's own channels: gray, RGB or RGBA."""
    with open_picture(content) as image:
        check_size(image.width, image.height)
        if image.mode == "F" or image.mode.startswith("I"):
            upright = ImageOps.exif_transpose(image)
            return to_levels(np.asarray(upright), 65535)[:, :, None]
        is_deep_png = image.format == "PNG" and content[24] == 16  # bits of a sample, in the head of every PNG
        if (is_deep_png or image.format == "TIFF") and (pixels := _decode_deep(content, image)) is not None:
            return pixels
    rgba = _decode_rgba(content)
    return (decode_rgb(content) if rgba is None else rgba).astype(np.uint16) * 257


def _decode_deep(content: bytes, image: Image.Image) -> Pixels | None:
    """Decode colour of 16 bits, which Pillow would round to 8; None where the file has no such."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        return None
    profile = image.info.get("icc_profile")
    if profile and profile_to_srgb(profile, "RGB") is not None:
        raise ImageError("16-bit colours in another space than sRGB: convert the file to sRGB first")
    order = [2, 1, 0, 3][: pixels.shape[2]]
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    upright = TURNS[orientation](pixels) if orientation in TURNS else pixels
    return np.ascontiguousarray(upright[:, :, order])


def _decode_rgba(content: bytes) -> Pixels | None:
    """Decode colour and transparency of 8 bits; None where there is no transparency."""
    with open_picture(content) as image:
        check_size(image.width, image.height)
        if not image.has_transparency_data:
            return None
        rgba = ImageOps.exif_transpose(image).convert("RGBA")
        return np.dstack([to_srgb(rgba.convert("RGB")), np.asarray(rgba)[:, :, 3]])


def _with_channels(pixels: Pixels, num: int) -> Pixels:
    """Bring pixels of 1, 3 or 4 channels to so many."""
    own, highest = pixels.shape[2], np.iinfo(pixels.dtype).max
    if own == num:
        return pixels
    if num == 4:
        opaque = np.full((*pixels.shape[:2], 1), highest, pixels.dtype)
        return np.concatenate([_with_channels(pixels, 3), opaque], axis=2)
    if own == 4:
        alpha = pixels[:, :, 3:].astype(np.uint64)
        on_white = pixels[:, :, :3] * alpha + highest * (highest - alpha)
        pixels = ((on_white + highest // 2) // highest).astype(pixels.dtype)
    if num == 3:
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    luma: Pixels = ((pixels.astype(np.uint64) @ _LUMA + (1 << 15)) >> np.uint64(16)).astype(pixels.dtype)
    return luma[:, :, None]


# --- transparency -------------------------------------------------------------------------------------------------


def premultiplied(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Weight colours by their alpha, so that what is invisible bleeds into nothing when pixels are mixed.

    Parameters
    ----------
    pixels : ndarray of shape (H, W, 4), uint8 or uint16

    Returns
    -------
    ndarray of shape (H, W, 4), float32, in levels
    """
    wide = pixels.astype(np.float32)
    wide[:, :, :3] *= wide[:, :, 3:] / np.iinfo(pixels.dtype).max
    return wide


def straight(weighted: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> Pixels:
    """Undo `premultiplied`; where nothing is visible, the colour is black."""
    highest = np.iinfo(dtype).max
    alpha = weighted[:, :, 3:]
    colors = weighted[:, :, :3] * (highest / np.maximum(alpha, 1e-6))
    visible = np.rint(alpha) > 0
    pixels = np.concatenate([np.where(visible, colors, 0), alpha], axis=2)
    levels: Pixels = np.clip(np.rint(pixels), 0, highest).astype(dtype)
    return levels
