from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pix2pix_model.resizing import RESIZERS, resize_linear


def draw(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(np.iinfo(dtype).max + 1, size=shape, dtype=dtype)


@pytest.mark.parametrize("resize", RESIZERS.values(), ids=RESIZERS.keys())
def test_the_right_size_is_not_copied(resize):
    picture = draw(7, 9, 3)
    assert resize(picture, 9, 7) is picture


@pytest.mark.parametrize(("height", "width"), [(286, 286), (20, 31), (70, 91)])
def test_growing_is_linear_between_the_outer_pixels(height, width):
    picture = draw(20, 31, 3)
    given = torch.from_numpy(picture).permute(2, 0, 1)[None].double()
    expected = F.interpolate(given, (height, width), mode="bilinear", align_corners=True)[0].permute(1, 2, 0)
    made = resize_linear(picture, width, height)
    assert np.abs(made - expected.numpy()).max() <= 0.51  # half a level by rounding
    assert (made[[0, 0, -1, -1], [0, -1, 0, -1]] == picture[[0, 0, -1, -1], [0, -1, 0, -1]]).all()


def test_shrinking_takes_area_means():
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, ::2] = 200
    assert (resize_linear(picture, 4, 2) == 100).all()


def test_one_side_may_grow_and_the_other_shrink():
    picture = np.repeat(np.array([[0], [100], [200]], np.uint8), 4, 1)[..., None]  # (3, 4, 1)
    assert resize_linear(picture, 2, 5)[..., 0].tolist() == [[0] * 2, [50] * 2, [100] * 2, [150] * 2, [200] * 2]


def test_deep_pictures_stay_deep():
    picture = draw(5, 6, 1, dtype=np.uint16)
    made = resize_linear(picture, 11, 3)
    assert (made.shape, made.dtype) == ((3, 11, 1), np.uint16)
    assert made.max() > 255
