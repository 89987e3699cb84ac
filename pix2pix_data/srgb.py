"""Decoded pictures of any mode, depth, profile and EXIF turn as sRGB pixels, with no second copy of a large one."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageCms

from pix2pix_data.errors import ImageError

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

    Pixels: TypeAlias = npt.NDArray[Any]  # (H, W) or (H, W, C)

__all__ = ["ORIENTATION_TAG", "TURNS", "profile_to_srgb", "to_levels", "to_srgb"]

_STRIP_PIXELS = 1 << 22  # converted at a time

ORIENTATION_TAG = 0x0112
"""Of EXIF and TIFF 6.0: how a picture is to be turned; 1 is upright."""

TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
"""What undoes each orientation of (H, W, C) pixels, as a view of them."""

_OPPOSITE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def to_srgb(image: Image.Image, *, orientation: int = 1) -> RGB:
    """Convert a loaded picture of any mode to sRGB pixels, transparency on white.

    A large picture is converted a strip at a time, each to its place in the turned one: at no moment is there another
    copy of the whole.

    Parameters
    ----------
    image : Image
    orientation : int
        That of EXIF, 1 to 8; any other value turns nothing.
    """
    is_on_its_side = orientation in (5, 6, 7, 8)
    upright = np.empty((*(image.size if is_on_its_side else image.size[::-1]), 3), np.uint8)
    unturned = TURNS[_OPPOSITE.get(orientation, 1)](upright)  # a view of it, as the file has its pixels
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        unturned[:] = to_levels(np.asarray(image), 255)[:, :, None]
        return upright
    for rows in _strips(image.height, image.width):
        is_whole = rows.stop - rows.start == image.height
        strip = image if is_whole else image.crop((0, rows.start, image.width, rows.stop))
        unturned[rows] = _strip_to_srgb(strip)
    return upright


def _strips(height: int, width: int) -> Iterator[slice]:
    num_rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, num_rows):
        yield slice(top, min(top + num_rows, height))


def _strip_to_srgb(image: Image.Image) -> RGB:
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        image = _on_white(image.convert("RGBA"))
    if image.mode == "LAB":
        return np.asarray(ImageCms.applyTransform(image, _lab_to_srgb()))
    if profile:
        image = _by_profile(image, profile)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def to_levels(values: npt.NDArray[Any], highest: int) -> Pixels:
    """Bring gray pixels (H, W) of any depth to levels from 0 to `highest`, of 8 bits or 16.

    `decode_photo` says what is taken as white.
    """
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ImageError("the picture holds NaN or infinite values")
    is_float = values.dtype.kind == "f"
    for white in (1.0, 255.0) if is_float else (65535.0,):
        if low >= 0 and high <= white:
            low, high = 0.0, white
            break
    levels = np.empty(values.shape, np.uint8 if highest < 256 else np.uint16)
    for rows in _strips(*values.shape):
        levels[rows] = np.rint((values[rows].astype(np.float64) - low) * (highest / max(high - low, 1e-12)))
    return levels


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, (0, 0), rgba)  # rounds (colour * alpha + 255 * (255 - alpha)) / 255 to the nearest level
    return white


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    to_srgb = profile_to_srgb(profile, image.mode)
    if to_srgb is None:
        return image
    return ImageCms.applyTransform(image, to_srgb) or image


@functools.lru_cache(maxsize=16)
def profile_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform for a colour profile, or None where it is sRGB already, damaged, or for another mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


@functools.cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
