"""Label maps as people keep them: class numbers or class colours, clean or smeared by JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import ImageOps

from pix2pix_data.color_table import color_table
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import open_picture, read_photo
from pix2pix_data.label_colors import VOID_COLOR, index_palette, recover_colors
from pix2pix_data.palette_file import MAX_COLORS, Color, Palette

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, BoolMap, LabelMap

__all__ = ["VOID_INDEX", "LabelPicture", "Reading", "labels_of", "learn_reading", "read_label_map", "share_clear"]

VOID_INDEX = 255
"""What many sets write where a pixel has no class, whatever the number of classes."""

_INDEX_MODES = ("1", "L", "P", "I", "I;16")
_SMEAR = 24
"""Grey levels in any channel beyond which a pixel is a mixture of its neighbours rather than a class."""
_NEIGHBOURHOOD = np.ones((5, 5), np.uint8)
# Both were tried on label maps of facades and Cityscapes that were saved as JPEG again: of 16 to 64 grey levels and
# squares of 3 to 7 px, these give the most pixels their class back (99.2 % and 98.3 %; nearest in Lab: 93.0 and 96.8).
_MOST_NUMBERS = 64  # gray maps of higher numbers, without a palette, are taken to hold gray colours
_FEWEST_CLEAR = 0.5


@dataclass(frozen=True, slots=True)
class LabelPicture:
    """A label map as it was read.

    Attributes
    ----------
    rgb : ndarray of shape (H, W, 3), uint8
        Its colours.
    index : ndarray of shape (H, W), bool or integer, or None
        Its numbers, where the file holds one whole number for each pixel.
    has_colors : bool
        True where the file's own colours are to be seen: all but those of numbers in gray.
    """

    rgb: RGB
    index: npt.NDArray[Any] | None
    has_colors: bool


def read_label_map(path: str) -> LabelPicture:
    """Read a label map; ImageError if that cannot be done."""
    photo, content = read_photo(path)
    with open_picture(content) as image:
        if image.mode not in _INDEX_MODES:
            return LabelPicture(photo.rgb, None, has_colors=True)
        is_gray = image.mode != "P" or bool((photo.rgb == photo.rgb[:, :, :1]).all())
        has_colors = image.mode == "1" or not is_gray  # black and white are colours enough for a mask
        return LabelPicture(photo.rgb, np.asarray(ImageOps.exif_transpose(image)), has_colors)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the label maps of a dataset are read.

    Attributes
    ----------
    palette : Palette
    by_index : bool
        Pixels hold the number of a class; otherwise its colour.
    has_void : bool
        The last colour of the palette is for pixels without a class, which hold `VOID_INDEX`.
    """

    palette: Palette
    by_index: bool
    has_void: bool


def learn_reading(maps: Sequence[LabelPicture], palette: Palette | None, by_index: bool | None) -> Reading:
    """Find out from some maps how all are read.

    Parameters
    ----------
    maps : sequence of LabelPicture
        At least one.
    palette : Palette or None
        The colours of the classes, where they are known.
    by_index : bool or None
        What the user says that pixels hold; None to see for oneself.

    Returns
    -------
    Reading
        With the share of the pixels of each class.

    Raises
    ------
    FormatError
        If the maps do not fit what was given.
    """
    numbers = _numbers(maps)
    if by_index is None:
        by_index = numbers is not None and _are_classes(numbers, maps, palette)
    if not by_index:
        palette = palette or recover_colors([one.rgb for one in maps])
        reading = Reading(palette, by_index=False, has_void=False)
        if (share := share_clear(maps, palette)) < _FEWEST_CLEAR:
            what = f"{1 - share:.0%} of the pixels of the label maps have no colour of the palette"
            raise FormatError(what, fix="give the palette of these maps, or none; or --kind index")
    elif numbers is None:
        raise FormatError("some label maps hold colours, not numbers", fix="leave --kind index away")
    else:
        has_void = VOID_INDEX in numbers and (palette is None or len(palette.colors) < VOID_INDEX)
        classes = numbers - {VOID_INDEX} if has_void else numbers
        if palette is None:
            palette = index_palette(min(max(classes, default=0) + 1, MAX_COLORS - has_void), has_void=has_void)
        elif has_void:
            palette = _with_void(palette)
        reading = Reading(palette, by_index=True, has_void=has_void)
    return replace(reading, palette=_with_shares(maps, reading))


def labels_of(picture: LabelPicture, reading: Reading) -> LabelMap:
    """Return the labels of a map, of shape (H, W); ImageError where it cannot be read like the others."""
    if not reading.by_index:
        return label_colors(picture.rgb, reading.palette.colors)
    if picture.index is None:
        raise ImageError("this label map holds colours, the others numbers")
    return label_indices(picture.index, len(reading.palette.colors), has_void=reading.has_void)


def label_indices(index: npt.NDArray[Any], num_colors: int, *, has_void: bool) -> LabelMap:
    """Take class numbers as labels; `VOID_INDEX` becomes the last one where the palette has a colour for it.

    Raises
    ------
    ImageError
        If a number is beyond the palette.
    """
    num_classes = num_colors - has_void
    index = index.astype(np.int64)
    void = (index == VOID_INDEX) & (has_void or num_classes <= VOID_INDEX)
    if void.any() and not has_void:
        raise ImageError(f"the number {VOID_INDEX} is beyond the {num_classes} classes of the palette")
    beyond = ((index < 0) | (index >= num_classes)) & ~void
    if beyond.any():
        raise ImageError(f"the number {int(index[beyond][0])} is beyond the {num_classes} classes of the palette")
    return np.where(void, num_classes, index).astype(np.uint8)


def label_colors(rgb: RGB, colors: tuple[Color, ...]) -> LabelMap:
    """Take class colours as labels; what JPEG mixed at a border becomes one of the classes that meet there.

    A mixture of two classes may look like a third one, so a pixel without the clear colour of a class is given to the
    nearest of those classes alone that have a clear pixel within 2 px. Nearest is meant in RGB: mixtures lie on
    straight lines there.

    Parameters
    ----------
    rgb : ndarray of shape (H, W, 3), uint8
    colors : tuple of (int, int, int)

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    labels = color_table(colors).labels(rgb)
    clear = _is_clear(rgb, labels, colors)
    if clear.all():
        return labels
    mixed = np.flatnonzero(~clear)
    mixtures = rgb.reshape(-1, 3)[mixed].astype(np.int32)
    nearest, chosen = np.full(len(mixed), 1 << 30), labels.ravel()[mixed]
    for label in np.unique(labels[clear]):
        is_near = cv2.dilate((clear & (labels == label)).astype(np.uint8), _NEIGHBOURHOOD).ravel()[mixed] > 0
        distance = ((mixtures - np.array(colors[label])) ** 2).sum(axis=1)
        is_better = is_near & (distance < nearest)
        nearest[is_better], chosen[is_better] = distance[is_better], label
    labels.ravel()[mixed] = chosen
    return labels


def _is_clear(rgb: RGB, labels: LabelMap, colors: tuple[Color, ...]) -> BoolMap:
    """Tell which pixels have the colour of their label, give or take the noise of JPEG."""
    difference = cv2.absdiff(rgb, np.array(colors, np.uint8)[labels])  # (H, W, 3)
    return np.asarray(difference.max(axis=2) <= _SMEAR)


def _with_void(palette: Palette) -> Palette:
    """Add the colour of pixels without a class."""
    names = tuple(palette.name_of(i) for i in range(len(palette.colors)))
    return Palette((*palette.colors, VOID_COLOR), names=(*names, "void"), note=palette.note)


def _numbers(maps: Sequence[LabelPicture]) -> set[int] | None:
    """Collect the numbers that maps hold; None if one of them holds colours alone."""
    found: set[int] = set()
    for one in maps:
        if one.index is None:
            return None
        found |= {int(number) for number in np.unique(one.index)}
    return found


def _are_classes(numbers: set[int], maps: Sequence[LabelPicture], palette: Palette | None) -> bool:
    """Judge whether numbers are those of classes, and not gray levels or a detour to the file's own colours."""
    classes = numbers - {VOID_INDEX}
    if not classes - {0}:  # a black and white mask
        return False
    if palette is None:
        return max(classes) < _MOST_NUMBERS and not any(one.has_colors for one in maps)
    colors = {tuple(color) for one in maps for color in np.unique(one.rgb.reshape(-1, 3), axis=0).tolist()}
    return max(classes) < len(palette.colors) and not colors <= set(palette.colors)


def share_clear(maps: Sequence[LabelPicture], palette: Palette) -> float:
    """Return the share of the pixels that have a colour of a palette, give or take the noise of JPEG."""
    table = color_table(palette.colors)
    return float(np.mean([_is_clear(one.rgb, table.labels(one.rgb), palette.colors).mean() for one in maps]))


def _with_shares(maps: Sequence[LabelPicture], reading: Reading) -> Palette:
    counts = np.zeros(MAX_COLORS, np.int64)
    for one in maps:
        counts += np.bincount(labels_of(one, reading).ravel(), minlength=MAX_COLORS)
    shares = (counts / counts.sum())[: len(reading.palette.colors)]
    return replace(reading.palette, shares=tuple(float(share) for share in np.round(shares, 6)))
