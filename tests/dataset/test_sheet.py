from __future__ import annotations

import numpy as np

from pix2pix_data.images import write_png
from pix2pix_data.sheet import draw_sheet


def test_every_picture_is_on_the_sheet():
    colors = [(200, 0, i) for i in range(8)]
    groups = [[np.full((64, 80, 3), color, np.uint8)] * 2 for color in colors]
    sheet = draw_sheet(groups, ("A", "B"), [str(i) for i in range(8)])
    for color in colors:
        assert (sheet == color).all(2).sum() == 2 * 128 * 160, "at twice its size, unsmoothed"


def test_large_pictures_are_reduced():
    sheet = draw_sheet([[np.full((900, 300, 3), 7, np.uint8)]], ("A",), ("",))
    assert (sheet == 7).all(2).sum() == 256 * 85


def test_titles_and_captions_are_written_and_cut(tmp_path):
    blank = [[np.full((64, 64, 3), 255, np.uint8)]]
    without = draw_sheet(blank, ("",), ("",))
    short, long = (draw_sheet(blank, ("A",), (caption,)) for caption in ("key", "a very long key " * 20))
    assert (without == 255).all()
    assert (short < 255).any()
    assert short.shape == long.shape
    write_png(tmp_path / "sheet.png", long)
