"""Contact sheets: pictures that belong together, such as A | G(A) | B, in a labelled grid on white; and swatches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pix2pix_data.images import resize, resize_nearest

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["cut_sheet", "draw_sheet", "draw_swatches", "to_cell"]

_CELL_PX = (128, 256)
_GROUPS_ACROSS = 3
_GAP_PX = 8
_TEXT_PX = 14
_LINE_PX = _TEXT_PX + 6
_FIRST_TOP_PX = _LINE_PX + _GAP_PX // 2
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
    cell_width = max(picture.shape[1] for group in groups for picture in group)
    across, group_width = _across(len(groups), len(titles), cell_width)
    rows = [range(start, min(start + across, len(groups))) for start in range(0, len(groups), across)]
    heights = [max(picture.shape[0] for i in row for picture in groups[i]) for row in rows]

    sheet = _white(*_sheet_size(across, group_width, heights))
    for i in range(across):
        for j, title in enumerate(titles):
            _write(sheet, _GAP_PX + i * group_width + j * (cell_width + _GAP_PX), _GAP_PX // 2, title, cell_width)
    top = _FIRST_TOP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = _GAP_PX + column * group_width
            for j, picture in enumerate(groups[i]):
                x = left + j * (cell_width + _GAP_PX)
                sheet[top : top + picture.shape[0], x : x + picture.shape[1]] = picture
            _write(sheet, left, top + height + 2, captions[i], group_width - _GAP_PX)
        top += height + 2 * _LINE_PX
    return sheet


def to_cell(picture: RGB, cell_px: tuple[int, int] = _CELL_PX) -> RGB:
    """Bring a picture to the size that it has on a sheet; one of that size stays as it is."""
    height, width, factor = _cell_size(picture.shape[0], picture.shape[1], cell_px)
    return resize_nearest(picture, width, height) if factor > 1 else resize(picture, width, height)


def cut_sheet(sheet: RGB, num_groups: int, num_titles: int, size: tuple[int, int]) -> list[list[RGB]] | None:
    """Take the pictures out of a sheet that `draw_sheet` drew in its usual cells, all of one size.

    Parameters
    ----------
    sheet : ndarray of shape (height, width, 3), uint8
    num_groups, num_titles : int
        As it was drawn with.
    size : (int, int)
        Height and width that the pictures had. Those that were enlarged come back as they were; those that were
        reduced, as they are on the sheet.

    Returns
    -------
    list of list of ndarray of shape (H, W, 3), uint8, or None
        By group; None if the sheet was not drawn so, which its size tells.
    """
    height, width, factor = _cell_size(*size, _CELL_PX)
    across, group_width = _across(num_groups, num_titles, width)
    num_rows = -(-num_groups // across)
    if (sheet.shape[1], sheet.shape[0]) != _sheet_size(across, group_width, [height] * num_rows):
        return None
    groups = []
    for i in range(num_groups):
        top = _FIRST_TOP_PX + i // across * (height + 2 * _LINE_PX)
        lefts = [_GAP_PX + i % across * group_width + j * (width + _GAP_PX) for j in range(num_titles)]
        groups.append([sheet[top : top + height : factor, left : left + width : factor] for left in lefts])
    return groups


def _cell_size(height: int, width: int, cell_px: tuple[int, int]) -> tuple[int, int, int]:
    """Return the height and width of a picture on a sheet, and by what it is enlarged; 1 where it is not."""
    smallest_px, largest_px = cell_px
    longest = max(height, width)
    if longest < smallest_px:
        factor = -(-smallest_px // longest)
        return height * factor, width * factor, factor
    scale = min(1.0, largest_px / longest)
    return max(1, round(height * scale)), max(1, round(width * scale)), 1


def _across(num_groups: int, num_titles: int, cell_width: int) -> tuple[int, int]:
    """Return how many groups stand in a row, and the width of one with the gaps behind its pictures."""
    return min(_GROUPS_ACROSS, num_groups), (cell_width + _GAP_PX) * num_titles


def _sheet_size(across: int, group_width: int, heights: Sequence[int]) -> tuple[int, int]:
    """Return width and height of a sheet with rows of such heights."""
    return _GAP_PX + group_width * across, _LINE_PX + sum(heights) + len(heights) * 2 * _LINE_PX


def _white(width: int, height: int) -> RGB:
    return np.full((height, width, 3), 255, np.uint8)


def _write(sheet: RGB, left: int, top: int, text: str, max_width: int) -> None:
    font = ImageFont.load_default(_TEXT_PX)
    if font.getlength(text) > max_width:
        while text and font.getlength(text + "...") > max_width:
            text = text[:-1]
        text += "..."
    place = sheet[top : top + _LINE_PX, left : left + max_width]
    if place.size:
        line = Image.fromarray(place)
        ImageDraw.Draw(line).text((0, 0), text, fill=_INK, font=font)
        place[:] = np.asarray(line)


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
    picture = _white(width, top + -(-len(entries) // across) * (_SWATCH_PX + _GAP_PX))
    _write(picture, _GAP_PX, _GAP_PX // 2, title, width - _GAP_PX)
    for i, (color, text) in enumerate(entries):
        left, y = _GAP_PX + i % across * cell_width, top + i // across * (_SWATCH_PX + _GAP_PX)
        picture[y : y + _SWATCH_PX + 1, left : left + _SWATCH_PX + 1] = _INK
        picture[y + 1 : y + _SWATCH_PX, left + 1 : left + _SWATCH_PX] = color
        _write(picture, left + _SWATCH_PX + _GAP_PX, y + 3, text, cell_width - _SWATCH_PX - 3 * _GAP_PX)
    return picture
