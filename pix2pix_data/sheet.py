"""Contact sheets: pictures in rows, titles over the columns, a caption under each row or picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["draw_sheet"]

_GAP_PX = 8
_TEXT_PX = 14
_INK = (60, 60, 60)


def draw_sheet(
    rows: Sequence[Sequence[RGB]],
    titles: Sequence[str] = (),
    captions: Sequence[str | Sequence[str]] = (),
) -> RGB:
    """Draw pictures as a labelled grid on white.

    Parameters
    ----------
    rows : sequence of sequences of ndarray of shape (H, W, 3), uint8
        At least one picture in all; rows may be short, sizes may differ.
    titles : sequence of str
        One for each column.
    captions : sequence of str or of sequences of str
        One for each row, or one for each picture of each row; cut where they do not fit.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
    """
    num_columns = max(len(row) for row in rows)
    widths = [max(row[i].shape[1] for row in rows if i < len(row)) for i in range(num_columns)]
    heights = [max(image.shape[0] for image in row) for row in rows]
    text_height = _TEXT_PX + 6
    title_height = text_height if titles else 0
    caption_height = text_height if captions else 0
    width = sum(widths) + _GAP_PX * (num_columns + 1)
    height = title_height + _GAP_PX + sum(heights) + (caption_height + _GAP_PX) * len(rows)

    sheet = Image.new("RGB", (width, height), "white")
    lefts = [_GAP_PX + sum(widths[:i]) + _GAP_PX * i for i in range(num_columns)]
    for i, title in enumerate(titles):
        _write(sheet, lefts[i], _GAP_PX // 2, title, widths[i])
    top = title_height + _GAP_PX
    for i, row in enumerate(rows):
        for left, image in zip(lefts, row, strict=False):
            sheet.paste(Image.fromarray(image), (left, top))
        caption = captions[i] if i < len(captions) else ""
        if isinstance(caption, str):
            _write(sheet, lefts[0], top + heights[i] + 2, caption, width - 2 * _GAP_PX)
        else:
            for j, text in enumerate(caption):
                _write(sheet, lefts[j], top + heights[i] + 2, text, widths[j])
        top += heights[i] + caption_height + _GAP_PX
    return np.asarray(sheet)


def _write(sheet: Image.Image, left: int, top: int, text: str, max_width: int) -> None:
    font = ImageFont.load_default(_TEXT_PX)
    if font.getlength(text) > max_width:
        while text and font.getlength(text + "...") > max_width:
            text = text[:-1]
        text += "..."
    ImageDraw.Draw(sheet).text((left, top), text, fill=_INK, font=font)
