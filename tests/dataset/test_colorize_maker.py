"""Gray of both kinds, for colours whose gray is known."""

from __future__ import annotations

import numpy as np
import pytest

from pix2pix_data.makers.colorize import ColorizeMaker

RED_GREEN_BLUE = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
GRAYS = {
    "lightness": [127, 220, 76],  # the sRGB curve at 0.2126, 0.7152 and 0.0722, the luminance of each in BT.709
    "luma": [76, 150, 29],  # 255 times 0.299, 0.587 and 0.114, the weights of Rec. 601
}


@pytest.mark.parametrize("gray", GRAYS)
def test_pure_colors_have_the_gray_of_the_books(gray):
    (a,) = ColorizeMaker(gray=gray).derive([RED_GREEN_BLUE])
    assert a[0].tolist() == [[level] * 3 for level in GRAYS[gray]]


@pytest.mark.parametrize("gray", GRAYS)
def test_a_gray_photo_stays_as_it_is(gray):
    photo = np.repeat(np.arange(256, dtype=np.uint8).reshape(2, 128, 1), 3, axis=2)
    (a,) = ColorizeMaker(gray=gray).derive([photo])
    assert np.array_equal(a, photo)


def test_the_kind_of_gray_is_an_option_and_is_recorded(p2p_data, photos, tmp_path):
    done = p2p_data("colorize", photos, "--gray", "luma", "--size", "32", "--workers", "1", "--out", "pairs")
    assert done.returncode == 0, done.stderr
    assert '"gray": "luma"' in (tmp_path / "pairs" / "build.json").read_text()
    assert p2p_data("colorize", photos, "--gray", "average").returncode == 2
