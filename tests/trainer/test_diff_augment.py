from __future__ import annotations

import pytest
import torch

from pix2pix_model.diff_augment import draw_augmentation

KINDS = ["color", "translation", "cutout"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def ramps(num: int = 3, height: int = 24, width: int = 16) -> torch.Tensor:
    """Pictures (num, 3, height, width) whose channels are the row, the column and 1: they say where a pixel is from."""
    rows = torch.arange(height).float()[:, None].expand(height, width)
    columns = torch.arange(width).float().expand(height, width)
    return torch.stack([rows, columns, torch.ones(height, width)]).expand(num, 3, height, width)


def test_without_kinds_nothing_changes():
    b = ramps()
    augmentation = draw_augmentation([], b)
    assert augmentation.colored(b) is b
    assert augmentation.placed(b) is b


def test_a_pair_moves_by_whole_pixels_up_to_an_eighth_of_its_side():
    b = ramps(200)
    moved = draw_augmentation(["translation"], b).placed(b)
    rows, columns, inside = moved.unbind(1)
    by = set()
    for i in range(200):
        within = inside[i] == 1
        down = (rows[i] - ramps(1)[0, 0])[within].unique()
        right = (columns[i] - ramps(1)[0, 1])[within].unique()
        assert len(down) == len(right) == 1
        assert within.sum() == (24 - down.abs()) * (16 - right.abs())
        by.add((int(down), int(right)))
    assert {down for down, _ in by} == set(range(-3, 4))
    assert {right for _, right in by} == set(range(-2, 3))


def test_a_square_of_half_the_side_is_cut_out():
    b = ramps(200)
    kept = draw_augmentation(["cutout"], b).placed(b)[:, 2]
    assert kept.unique().tolist() == [0, 1]
    num_cut = (kept == 0).sum((1, 2))
    assert num_cut.max() == 12 * 8
    assert num_cut.min() >= 6 * 4  # a corner of the square at least lies in the picture
    rows = (kept == 0).any(2).sum(1)
    assert rows.max() == 12


def test_gray_stays_gray_and_brightness_is_added_to_it():
    b = torch.full((50, 3, 4, 4), 0.2)
    colored = draw_augmentation(["color"], b).colored(b)
    assert (colored - colored[:, :1, :1, :1]).abs().max() < 1e-6
    added = colored[:, 0, 0, 0] - 0.2
    assert -0.5 <= added.min() < -0.3
    assert 0.3 < added.max() < 0.5


def test_contrast_scales_about_the_mean_and_saturation_about_gray():
    b = torch.rand(50, 3, 8, 8)
    augmentation = draw_augmentation(["color"], b)
    _, saturation, contrast = augmentation.color.reshape(3, 50)
    colored = augmentation.colored(b)
    spread = [(x.mean(1) - x.mean((1, 2, 3))[:, None, None]).std((1, 2)) for x in (b, colored)]
    torch.testing.assert_close(spread[1] / spread[0], contrast)
    chroma = [(x - x.mean(1, keepdim=True)).abs().mean((1, 2, 3)) for x in (b, colored)]
    torch.testing.assert_close(chroma[1] / chroma[0], contrast * saturation)


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_learns_through_it(kind):
    b = ramps().clone().requires_grad_()
    augmentation = draw_augmentation([kind], b)
    augmentation.placed(augmentation.colored(b)).sum().backward()
    assert b.grad.count_nonzero() > b.numel() / 2
