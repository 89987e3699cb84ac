from __future__ import annotations

import numpy as np
import pytest

from pix2pix_data.images import write_png
from pix2pix_data.sheet import cut_sheet, draw_sheet


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


@pytest.mark.parametrize("num_groups", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("size", [(32, 48), (128, 96), (200, 256)])
def test_the_pictures_of_a_sheet_are_cut_out_of_it_again(num_groups, size):
    rng = np.random.default_rng(0)
    groups = [[rng.integers(0, 255, (*size, 3), np.uint8) for _ in range(3)] for _ in range(num_groups)]
    sheet = draw_sheet(groups, ("A", "G(A)", "B"), ["x"] * num_groups)
    cut = cut_sheet(sheet, num_groups, 3, size)
    assert cut is not None
    for ours, drawn in zip(cut, groups, strict=True):
        assert np.array_equal(np.stack(ours), np.stack(drawn))


def test_a_sheet_of_another_layout_is_not_cut():
    sheet = draw_sheet([[np.zeros((32, 32, 3), np.uint8)] * 3] * 2, "ABC", ["x"] * 2)
    assert cut_sheet(sheet, 3, 3, (32, 32)) is None
    assert cut_sheet(sheet, 2, 2, (32, 32)) is None
    assert cut_sheet(sheet, 2, 3, (32, 36)) is None
    assert cut_sheet(sheet[:-1], 2, 3, (32, 32)) is None


def test_large_pictures_come_back_as_small_as_they_are_on_the_sheet():
    sheet = draw_sheet([[np.zeros((512, 1024, 3), np.uint8)]], ["A"], ["x"])
    assert cut_sheet(sheet, 1, 1, (512, 1024))[0][0].shape == (128, 256, 3)
