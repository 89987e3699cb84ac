"""Contact sheets: pictures that belong together, such as A | G(A) | B, in a labelled grid on white; and swatches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix_data.images import resize, resize_nearest

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["draw_sheet", "draw_swatches", "to_cell"]

_CELL_PX = (128, 256)
_GROUPS_ACROSS = 3
_GAP_PX = 8
_TEXT_PX = 14
_LINE_PX = _TEXT_PX + 6
_SWATCH_PX, _SWATCH_CELL_PX = 24, 240
_INK = (60, 60, 60)


def draw_sheet(
    groups: Sequence[Sequence[RGB]],
    titles: Sequence[str],
    captions: Sequence[str],
    *,
    cell_px: tuple[int, int] = _CELL_PX,
) -> RGB:
    """Draw groups of pictures, up to three groups in a row.

    Parameters
    ----------
    groups : sequence of sequences of ndarray of shape (H, W, 3), uint8
        At least one group; all have as many pictures as there are titles. Small pictures are enlarged by a whole
        factor without smoothing, large ones reduced.
    titles : sequence of str
        What the pictures of a group are.
    captions : sequence of str
        One for each group; cut where it does not fit.
    cell_px : (int, int)
        About how large a picture is at least and at most, in pixels.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
    """
    groups = [[to_cell(picture, cell_px) for picture in group] for group in groups]
    across = min(_GROUPS_ACROSS, len(groups))
    cell_width = max(picture.shape[1] for group in groups for picture in group)
    group_width = (cell_width + _GAP_PX) * len(titles)
    rows = [range(start, min(start + across, len(groups))) for start in range(0, len(groups), across)]
    heights = [max(picture.shape[0] for i in row for picture in groups[i]) for row in rows]

    sheet = Image.new(
        "RGB", (_GAP_PX + group_width * across, _LINE_PX + sum(heights) + len(rows) * 2 * _LINE_PX), "white"
    )
    for i in range(across):
        for j, title in enumerate(titles):
            _write(sheet, _GAP_PX + i * group_width + j * (cell_width + _GAP_PX), _GAP_PX // 2, title, cell_width)
    top = _LINE_PX + _GAP_PX // 2
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = _GAP_PX + column * group_width
            for j, picture in enumerate(groups[i]):
                sheet.paste(Image.fromarray(picture), (left + j * (cell_width + _GAP_PX), top))
            _write(sheet, left, top + height + 2, captions[i], group_width - _GAP_PX)
        top += height + 2 * _LINE_PX
    return np.asarray(sheet)


def to_cell(picture: RGB, cell_px: tuple[int, int] = _CELL_PX) -> RGB:
    """Bring a picture to the size that it has on a sheet; one of that size stays as it is."""
    smallest_px, largest_px = cell_px
    height, width = picture.shape[:2]
    longest = max(height, width)
    if longest < smallest_px:
        factor = -(-smallest_px // longest)
        return resize_nearest(picture, width * factor, height * factor)
    scale = min(1.0, largest_px / longest)
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def _write(sheet: Image.Image, left: int, top: int, text: str, max_width: int) -> None:
    font = ImageFont.load_default(_TEXT_PX)
    if font.getlength(text) > max_width:
        while text and font.getlength(text + "...") > max_width:
            text = text[:-1]
        text += "..."
    ImageDraw.Draw(sheet).text((left, top), text, fill=_INK, font=font)


def draw_swatches(entries: Sequence[tuple[tuple[int, int, int], str]], width: int, *, title: str = "") -> RGB:
    """Draw squares of colour, each with a text beside it, in rows on white.

    Parameters
    ----------
    entries : sequence of ((int, int, int), str)
        sRGB colour and text.
    width : int
        Width of the picture, in pixels; texts are cut where they do not fit.
    title : str
        A line above.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
    """
    cell_width = min(_SWATCH_CELL_PX, width)
    across = max(1, width // cell_width)
    top = _GAP_PX + (_LINE_PX if title else 0)
    picture = Image.new("RGB", (width, top + -(-len(entries) // across) * (_SWATCH_PX + _GAP_PX)), "white")
    _write(picture, _GAP_PX, _GAP_PX // 2, title, width - _GAP_PX)
    for i, (color, text) in enumerate(entries):
        left, y = _GAP_PX + i % across * cell_width, top + i // across * (_SWATCH_PX + _GAP_PX)
        ImageDraw.Draw(picture).rectangle((left, y, left + _SWATCH_PX, y + _SWATCH_PX), fill=color, outline=_INK)
        _write(picture, left + _SWATCH_PX + _GAP_PX, y + 3, text, cell_width - _SWATCH_PX - 3 * _GAP_PX)
    return np.asarray(picture)
