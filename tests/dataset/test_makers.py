"""What every maker promises, and what each one makes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

import pix2pix_data.makers  # noqa: F401 - registers them
from pix2pix_data.images import to_lab, write_png
from pix2pix_data.maker import PAIR_MAKERS, PhotoMaker
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.makers.combine import CombineMaker
from pix2pix_data.pair import Failed, Pair

PHOTO_MAKERS = [name for name in PAIR_MAKERS.names() if issubclass(PAIR_MAKERS.get(name), PhotoMaker)]


def made(maker, source):
    plans = list(maker.plan(source))
    return list(maker.fitted(plans).make(plans))


# --- every maker of photos


@pytest.mark.parametrize("name", PHOTO_MAKERS)
def test_sides_have_the_size_asked_for(name, photos):
    for outcome in made(PAIR_MAKERS.get(name)(size=(48, 32)), photos):
        assert isinstance(outcome, Pair)
        assert outcome.a.shape == outcome.b.shape == (32, 48, 3)
        assert outcome.a.dtype == np.uint8


@pytest.mark.parametrize("name", PHOTO_MAKERS)
def test_same_plans_give_same_pixels(name, photos):
    maker = PAIR_MAKERS.get(name)(size=(48, 32))
    for one, other in zip(made(maker, photos), made(maker, photos), strict=True):
        assert np.array_equal(one.a, other.a)
        assert np.array_equal(one.b, other.b)


@pytest.mark.parametrize("name", PHOTO_MAKERS)
def test_pixels_do_not_depend_on_the_company(name, photos):
    maker = PAIR_MAKERS.get(name)(size=(48, 32))
    plans = list(maker.plan(photos))
    fitted = maker.fitted(plans)
    together = list(fitted.make(plans))
    alone = [next(iter(fitted.make([plan]))) for plan in plans]
    assert all(np.array_equal(one.a, other.a) for one, other in zip(together, alone, strict=True))


@pytest.mark.parametrize("name", PHOTO_MAKERS)
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (61, 43)])
def test_any_mode_and_size_gives_a_pair(name, mode, size, tmp_path, draw):
    photo = Image.fromarray(draw(3, *size))
    gray = np.asarray(photo.convert("L"))
    if mode == "I;16":
        photo = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode == "F":
        photo = Image.fromarray(gray.astype(np.float32) / 255)
    else:
        photo = photo.convert(mode)
    (tmp_path / "photos").mkdir()
    photo.save(tmp_path / "photos" / "1.tif")
    outcomes = made(PAIR_MAKERS.get(name)(size=(48, 32)), tmp_path / "photos")
    assert [type(outcome) for outcome in outcomes] == [Pair]


@pytest.mark.parametrize("name", PHOTO_MAKERS)
def test_a_broken_photo_is_a_failure_among_pairs(name, photos):
    (photos / "left" / "00.jpg").write_bytes(b"nothing")
    outcomes = made(PAIR_MAKERS.get(name)(size=(48, 32)), photos)
    assert isinstance(outcomes[0], Failed)
    assert all(isinstance(outcome, Pair) for outcome in outcomes[1:])


@pytest.mark.parametrize("name", PAIR_MAKERS.names())
def test_a_maker_has_help_and_an_example(name):
    maker = PAIR_MAKERS.get(name)
    assert maker.summary().endswith(".")
    assert all(example.startswith(f"p2p-data {name} ") for example in maker.examples)
    assert maker.examples


def test_a_size_is_a_number_or_two():
    assert ColorizeMaker(size="512x256").size == (512, 256)
    assert ColorizeMaker(size=64).size == (64, 64)
    for wrong in ("big", "0", "1x2x3", "-5", 100_000):
        with pytest.raises(ValidationError):
            ColorizeMaker(size=wrong)


# --- colorize


def test_gray_is_the_lightness_of_the_photo(photos):
    for pair in made(ColorizeMaker(size=(48, 32)), photos):
        lightness_a, lightness_b = (to_lab(side)[:, :, 0] for side in (pair.a, pair.b))
        assert np.abs(lightness_a - lightness_b).max() <= 0.3  # half of the widest step between two grays
        assert (pair.a == pair.a[:, :, :1]).all()


def test_gray_is_the_luma_where_asked(photos):
    for pair in made(ColorizeMaker(size=(48, 32), gray="luma"), photos):
        luma = pair.b @ np.array([0.299, 0.587, 0.114])
        assert np.abs(pair.a[:, :, 0] - luma).max() <= 0.51


# --- combine


def test_two_folders_are_combined_and_the_rest_accounted_for(tmp_path, draw):
    for i in range(4):
        write_png(tmp_path / "A" / f"{i}.png", draw(i))
        write_png(tmp_path / "B" / f"{i + 1}.png", draw(i + 11))
    (tmp_path / "B" / "readme.md").write_text("hi")
    maker = CombineMaker(folder_b=tmp_path / "B", size=(90, 70))
    outcomes = list(maker.plan(tmp_path / "A"))
    failed = [one for one in outcomes if isinstance(one, Failed)]
    assert [(one.key, one.reason) for one in failed] == [
        ("0", "no picture of this name in B"),
        ("4", "no picture of this name in A"),
    ]
    assert outcomes[-1].source.endswith("readme.md")
    pairs = list(maker.make([one for one in outcomes if hasattr(one, "sources")]))
    assert np.array_equal(pairs[0].a, draw(1))
    assert np.array_equal(pairs[0].b, draw(11))


def test_sides_of_other_proportions_are_refused(tmp_path, draw):
    write_png(tmp_path / "A" / "1.png", draw(1, 90, 70))
    write_png(tmp_path / "B" / "1.png", draw(1, 90, 60))
    (outcome,) = made(CombineMaker(folder_b=tmp_path / "B"), tmp_path / "A")
    assert "differ in shape (90x70 and 90x60)" in outcome.reason


def test_a_side_at_half_size_is_brought_to_size(tmp_path, draw):
    write_png(tmp_path / "A" / "1.png", draw(1, 90, 70))
    write_png(tmp_path / "B" / "1.png", draw(1, 45, 35))
    (pair,) = made(CombineMaker(folder_b=tmp_path / "B", size=(64, 64)), tmp_path / "A")
    assert pair.a.shape == pair.b.shape


def test_label_colours_are_not_mixed(tmp_path):
    colors = ((20, 30, 40), (200, 40, 30), (90, 200, 80), (240, 240, 230))
    labels = np.repeat(np.repeat(np.array(colors, np.uint8)[:, None], 30, axis=0), 20, axis=1)
    write_png(tmp_path / "A" / "1.png", labels)
    write_png(tmp_path / "B" / "1.png", labels)
    (pair,) = made(CombineMaker(folder_b=tmp_path / "B", size=(33, 47), labels=True), tmp_path / "A")
    assert {tuple(color) for color in np.unique(pair.a.reshape(-1, 3), axis=0)} <= set(colors)
