"""Small gray copies of photos, on which a camera's photos are sorted, and what is wrong with a frame."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from pix2pix_data.errors import ImageError
from pix2pix_data.images import read_photo, resize
from pix2pix_data.limits import num_processors

if TYPE_CHECKING:
    import numpy.typing as npt

    Gray: TypeAlias = npt.NDArray[np.uint8]  # (H, W)

__all__ = ["Thumbnail", "blank_rows", "fault_of", "read_thumbnails", "to_luma"]

_LONGEST_PX = 256
_LEAST_RANGE = 12  # a frame whose brightest and darkest per cent differ by less shows nothing, even a night
_LEAST_MISSING = 0.08  # a JPEG that broke off is filled with one colour from there on


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A photo in small.

    Attributes
    ----------
    luma : ndarray of shape (h, w), uint8
        At most 256 pixels long.
    digest : bytes
        The same for two photos with the same pixels.
    """

    luma: Gray
    digest: bytes


def to_luma(image: npt.NDArray[np.uint8]) -> Gray:
    """Return the Rec. 601 luma, in [0, 255], of sRGB pixels of shape (H, W, 3)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def read_thumbnails(paths: Sequence[Path]) -> list[Thumbnail | ImageError]:
    """Read many photos in small, in several threads; an ImageError stands where one cannot be read."""
    with ThreadPoolExecutor(min(8, num_processors())) as pool:
        return list(pool.map(_read, paths))


def _read(path: Path) -> Thumbnail | ImageError:
    try:
        photo, _ = read_photo(path, enough=(_LONGEST_PX, _LONGEST_PX))
    except ImageError as error:
        return error
    rows, columns = photo.rgb.shape[:2]
    scale = min(1.0, _LONGEST_PX / max(rows, columns))
    small = resize(photo.rgb, max(1, round(columns * scale)), max(1, round(rows * scale)))
    return Thumbnail(to_luma(small), hashlib.blake2b(small.tobytes(), digest_size=16).digest())


def fault_of(luma: Gray, *, usual_blank_rows: int) -> str | None:
    """Say what is wrong with a frame, or None.

    Parameters
    ----------
    luma : ndarray of shape (h, w), uint8
    usual_blank_rows : int
        Rows at the bottom that are of one colour in most photos of the camera, such as a bar.
    """
    low, high = np.percentile(luma, (1, 99))
    if high - low < _LEAST_RANGE:
        return f"broken frame: nearly one colour, luma {low:.0f} to {high:.0f}"
    missing = blank_rows(luma) - usual_blank_rows
    if missing > _LEAST_MISSING * len(luma):
        return f"broken frame: the lowest {missing / len(luma):.0%} are one colour"
    return None


def blank_rows(luma: Gray) -> int:
    """Count the rows from the bottom upwards that are all of the bottom row's colour."""
    level = int(np.median(luma[-1]))
    differing = np.flatnonzero(np.abs(luma.astype(np.int16) - level).max(axis=1) > 1)
    return len(luma) - 1 - int(differing[-1]) if len(differing) else len(luma)
