"""All decoding, turning, fitting and encoding of pictures.

Pixels are uint8 sRGB arrays of shape (H, W, 3) everywhere outside this file.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import ImageError
from pix2pix_data.png import png_of_bits, png_of_levels
from pix2pix_data.srgb import ORIENTATION_TAG, to_srgb

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

    Pixels: TypeAlias = npt.NDArray[Any]  # (H, W, C)

__all__ = [
    "MAX_PIXELS",
    "Fit",
    "Photo",
    "check_size",
    "decode_photo",
    "decode_rgb",
    "encode_jpeg",
    "encode_png",
    "fit_to",
    "open_picture",
    "read_file",
    "read_photo",
    "read_rgb",
    "resize",
    "resize_bicubic",
    "resize_nearest",
    "write_png",
]

Fit: TypeAlias = Literal["crop", "pad", "stretch"]

MAX_PIXELS = 1 << 27
"""Largest picture decoded (134 megapixels): with alpha and its copies it stays under 1.5 GB."""
MAX_FILE_BYTES = 1 << 30

# Pillow can run Ghostscript for EPS and the Windows drawing engine for WMF, and knows the others by name alone.
_UNSAFE_OR_EMPTY = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
_HARMLESS_INFO = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"),
    *("progression", "progressive", "interlace", "dpi", "gamma", "srgb"),
}
_STDERR_LOCK = threading.Lock()
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded picture.

    Attributes
    ----------
    rgb : ndarray of shape (H, W, 3), uint8
        sRGB pixels, turned upright, transparency laid on white.
    plain : bool
        True where the file is a PNG or JPEG that holds exactly these pixels and no text, place or colour profile.
    """

    rgb: RGB
    plain: bool


# --- reading ----------------------------------------------------------------------------------------------------


def read_photo(path: str | Path, *, enough: tuple[int, int] | None = None) -> tuple[Photo, bytes]:
    """Read and decode one file; returns the picture and the bytes of the file. Raises ImageError."""
    content = read_file(path)
    return decode_photo(content, enough=enough), content


def read_file(path: str | Path) -> bytes:
    """Read a file of at most `MAX_FILE_BYTES`; ImageError if that cannot be done."""
    try:
        if (num_bytes := Path(path).stat().st_size) > MAX_FILE_BYTES:
            raise ImageError(f"the file has {num_bytes >> 20} MiB, more than {MAX_FILE_BYTES >> 20}")
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror or error}") from error


def read_rgb(path: str | Path) -> RGB:
    """Read one picture as sRGB pixels; ImageError if that cannot be done."""
    return decode_rgb(read_file(path))


def decode_rgb(content: bytes) -> RGB:
    """Decode the bytes of a picture file to sRGB pixels; ImageError if that cannot be done."""
    return decode_photo(content).rgb


def decode_photo(content: bytes, *, enough: tuple[int, int] | None = None) -> Photo:
    """Decode any picture, whatever its mode, depth, colour profile or EXIF turn.

    Parameters
    ----------
    content : bytes
        A whole file. Of an animation the first frame is taken.
    enough : (int, int), optional
        Width and height that suffice: a JPEG at least twice as large is decoded at a reduced scale,
        never smaller than twice this.

    Returns
    -------
    Photo

    Raises
    ------
    ImageError
        If the bytes are no picture, a damaged one, or one of more than `MAX_PIXELS`.

    Notes
    -----
    Integer pixels of more than 8 bits are scaled from the range of their type (16 bits); floats are taken as
    [0, 1], or [0, 255] where they exceed 1; anything outside these ranges is stretched from its minimum to its
    maximum, since the file does not say what white is.
    """
    with open_picture(content) as image:
        return _to_photo(image, enough)


@contextlib.contextmanager
def open_picture(content: bytes) -> Iterator[Image.Image]:
    """Open the bytes of a picture file in Pillow, safe formats alone; whatever goes wrong is an ImageError."""
    if not content:
        raise ImageError("the file is empty")
    _prepare_heif(content)
    try:
        with _quiet_libtiff(content), Image.open(io.BytesIO(content), formats=_formats()) as image:
            yield image
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"the file declares more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ImageError("not a picture in a known format") from None
    except Exception as error:  # Pillow's decoders raise almost anything on a damaged file
        raise ImageError(f"damaged picture: {type(error).__name__}: {error}") from error


def check_size(width: int, height: int) -> None:
    """Raise ImageError for a picture of more than `MAX_PIXELS`, before it is decoded."""
    if width * height > MAX_PIXELS:
        raise ImageError(f"the picture has {width}x{height} pixels, more than {MAX_PIXELS:,}")


@contextlib.contextmanager
def _quiet_libtiff(content: bytes) -> Iterator[None]:
    """Keep libtiff from writing to file descriptor 2 by itself; what it says of damage reaches us as an exception."""
    if not content.startswith((b"II", b"MM")):
        yield
        return
    with _STDERR_LOCK, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _to_photo(image: Image.Image, enough: tuple[int, int] | None) -> Photo:
    file_format, declared_size = image.format, image.size
    if image.width * image.height == 0:
        raise ImageError("the picture has no pixels")
    if enough is not None:
        # Turned pictures swap sides, so both orders must suffice; only the JPEG decoder heeds this.
        needed = 2 * max(enough)
        image.draft(None, (needed, needed))
    check_size(image.width, image.height)
    image.load()
    plain = (
        file_format in ("JPEG", "PNG")
        and image.mode in ("RGB", "L")
        and image.size == declared_size
        and not set(image.info) - _HARMLESS_INFO
        and not image.getexif()
        and getattr(image, "n_frames", 1) == 1
    )
    return Photo(to_srgb(image, orientation=image.getexif().get(ORIENTATION_TAG, 1)), plain)


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.preinit()  # puts the common formats first
    Image.init()
    return tuple(name for name in Image.ID if name not in _UNSAFE_OR_EMPTY)


def _prepare_heif(content: bytes) -> None:
    if content[4:8] != b"ftyp" or content[8:12] not in _HEIF_BRANDS:
        return
    try:
        import pillow_heif
    except ImportError:
        raise ImageError('HEIC needs one more package: pip install "pix2pix-kit[heic]"') from None
    pillow_heif.register_heif_opener()
    _formats.cache_clear()


# --- sizes ------------------------------------------------------------------------------------------------------


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """Resize for the eye: area means where a side shrinks, bicubic where it grows; no copy at the right size."""
    rows, columns = image.shape[:2]
    smaller = (min(width, columns), min(height, rows))
    if smaller != (columns, rows):
        image = _by_cv2(image, smaller, cv2.INTER_AREA)
    if smaller != (width, height):
        image = _by_cv2(image, (width, height), cv2.INTER_CUBIC)
    return image


def resize_nearest(image: Pixels, width: int, height: int) -> Pixels:
    """Resize labels: no colour comes out that did not go in."""
    if image.shape[:2] == (height, width):
        return image
    return _by_cv2(image, (width, height), cv2.INTER_NEAREST_EXACT)


def _by_cv2(image: Pixels, size: tuple[int, int], interpolation: int) -> Pixels:
    resized = cv2.resize(image, size, interpolation=interpolation)
    return resized.reshape(*size[::-1], *image.shape[2:]).astype(image.dtype, copy=False)  # OpenCV drops a lone channel


def resize_bicubic(image: RGB, width: int, height: int) -> RGB:
    """Resize as the authors' PyTorch code does: Pillow's antialiased bicubic; no copy at the right size."""
    if image.shape[:2] == (height, width):
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def fit_to(image: Pixels, width: int, height: int, how: Fit, *, labels: bool = False) -> Pixels:
    """Bring a picture to one size.

    Parameters
    ----------
    image : ndarray of shape (H, W, C)
    width, height : int
        Size wanted, in pixels.
    how : {"crop", "pad", "stretch"}
        Keep the proportions and cut what hangs over, half on each side; keep the whole picture and fill the
        frame with the median colour of its border (of labels, the most frequent); or stretch it.
    labels : bool
        Take nearest pixels, so that no new colour appears.

    Returns
    -------
    ndarray of shape (height, width, C)
        `image` itself where nothing had to change.
    """
    rows, columns = image.shape[:2]
    scaled = resize_nearest if labels else resize
    if how == "crop":
        # Cutting comes first, so that a picture of one pixel's width never grows beyond the frame.
        scale = min(columns / width, rows / height)
        cut_width, cut_height = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (columns - cut_width) // 2, (rows - cut_height) // 2
        image = image[top : top + cut_height, left : left + cut_width]
    elif how == "pad":
        scale = min(width / columns, height / rows)
        small = scaled(image, max(1, round(columns * scale)), max(1, round(rows * scale)))
        return _framed(small, width, height, labels=labels)
    return scaled(image, width, height)


def _framed(image: Pixels, width: int, height: int, *, labels: bool) -> Pixels:
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    framed = np.empty((height, width, image.shape[2]), image.dtype)
    if labels:
        colors, counts = np.unique(border, axis=0, return_counts=True)
        framed[:] = colors[counts.argmax()]
    else:
        framed[:] = np.median(border, axis=0).astype(image.dtype)
    top, left = (height - rows) // 2, (width - columns) // 2
    framed[top : top + rows, left : left + columns] = image
    return framed


# --- writing ----------------------------------------------------------------------------------------------------


def encode_png(image: RGB) -> bytes:
    """Encode without loss: one bit a pixel for black and white, one byte for gray, three for colour."""
    red = image[:, :, 0]
    if not ((red == image[:, :, 1]).all() and (red == image[:, :, 2]).all()):
        return png_of_levels(image)
    is_white = red == 255
    return png_of_bits(is_white) if (is_white | (red == 0)).all() else png_of_levels(red[:, :, None])


def encode_jpeg(image: RGB) -> bytes:
    """Encode as JPEG of quality 95 with full chroma."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)
    if not done:
        raise ImageError("the picture could not be encoded as JPEG")
    return encoded.tobytes()


def write_png(path: Path, image: RGB) -> None:
    """Write a PNG, whole or not at all."""
    write_file(path, encode_png(image))
