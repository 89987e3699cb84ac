"""Holes: where they are, what fills them, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pix2pix_data.images import write_png
from pix2pix_data.makers.inpaint import InpaintMaker
from pix2pix_data.pair import Failed, Pair, PairPlan


def made(maker, source):
    outcomes = list(maker.plan(source))
    left_out = [one for one in outcomes if isinstance(one, Failed)]
    return list(maker.make([one for one in outcomes if isinstance(one, PairPlan)])), left_out


def hole_of(pair):
    return (pair.a != pair.b).any(axis=2)


def test_the_middle_is_filled_with_the_mean_of_the_rest(photos):
    pairs, _ = made(InpaintMaker(size=(48, 32)), photos)
    for pair in pairs:
        middle = np.zeros((32, 48), bool)
        middle[8:24, 12:36] = True
        assert np.array_equal(pair.a[~middle], pair.b[~middle])
        assert (pair.a[middle] == np.rint(pair.b[~middle].mean(axis=0))).all()


@pytest.mark.parametrize(("fill", "color"), [("gray", 128), ("white", 255)])
def test_the_hole_may_be_of_one_colour_for_all(photos, fill, color):
    pairs, _ = made(InpaintMaker(size=(48, 32), fill=fill), photos)
    assert all((pair.a[8:24, 12:36] == color).all() for pair in pairs)


def test_random_holes_depend_on_the_photo_and_the_seed_alone(photos):
    one, other = (made(InpaintMaker(size=(96, 64), mask="random", fill="white"), photos)[0] for _ in range(2))
    assert all(np.array_equal(first.a, second.a) for first, second in zip(one, other, strict=True))
    reseeded, _ = made(InpaintMaker(size=(96, 64), mask="random", fill="white", mask_seed=1), photos)
    assert sum(np.array_equal(first.a, second.a) for first, second in zip(one, reseeded, strict=True)) == 0
    shares = [hole_of(pair).mean() for pair in one]
    assert 0.01 < min(shares) < max(shares) < 0.8
    assert len(set(shares)) > 6


@pytest.fixture
def masks(photos, draw):
    """Masks of half the photos' size, white in a corner; one black, one missing."""
    folder = photos.parent / "masks"
    paths = sorted(photos.glob("*/*.png"))
    for path in paths[:-1]:
        mask = np.zeros((35, 45, 3), np.uint8)
        mask[:10, :15] = 0 if path is paths[0] else 255
        write_png(folder / path.relative_to(photos), mask)
    return folder


def test_masks_of_a_folder_are_matched_by_name_and_sized_by_nearest_pixels(photos, masks):
    outcomes, left_out = made(InpaintMaker(size=(90, 70), mask=masks, fill="white"), photos)
    assert [one.reason for one in left_out] == ["no picture of this name in the folder of masks"]
    assert [one.reason for one in outcomes if isinstance(one, Failed)] == [
        "the mask has no hole: nothing of it is white"
    ]
    for pair in outcomes[1:]:
        assert isinstance(pair, Pair)
        expected = np.zeros((70, 90), bool)
        expected[:20, :30] = True
        assert np.array_equal((pair.a == 255).all(axis=2), expected)
        assert pair.b_file is not None


def test_a_picture_in_colour_is_no_mask(photos, masks):
    for path in masks.rglob("*.png"):
        write_png(path, np.full((35, 45, 3), (200, 140, 60), np.uint8))
    outcomes, _ = made(InpaintMaker(size=(90, 70), mask=masks), photos)
    assert {one.reason for one in outcomes} == {"the mask has no hole: nothing of it is white"}


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_mask_follows_its_photo_whatever_the_fit(photos, masks, fit):
    outcomes, _ = made(InpaintMaker(size=(40, 64), mask=masks, fit=fit), photos)
    assert all(pair.a.shape == pair.b.shape == (64, 40, 3) for pair in outcomes if isinstance(pair, Pair))


def test_what_is_written_down_names_the_folder_of_masks_alone(masks):
    assert InpaintMaker(mask=masks).model_dump(mode="json")["mask"] == "masks"
    assert InpaintMaker().model_dump(mode="json")["mask"] == "center"
    with pytest.raises(ValidationError, match="neither center nor random"):
        InpaintMaker(mask=masks / "nowhere")
