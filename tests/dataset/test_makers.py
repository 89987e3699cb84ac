"""What every maker promises, and what each one makes."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

import pix2pix_data.makers  # noqa: F401 - registers them
from pix2pix_data.images import to_lab, write_png
from pix2pix_data.maker import PAIR_MAKERS, PhotoMaker
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.makers.combine import CombineMaker
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.pair import Failed, Pair
from pix2pix_data.palette import clean_regions, fit_palette, nearest_labels

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
        lightness = to_lab(pair.b)[:, :, 0] * 2.55
        assert np.abs(pair.a[:, :, 0] - lightness).max() <= 0.51
        assert (pair.a == pair.a[:, :, :1]).all()


# --- kmeans


def bands(colors, height=30, width=20):
    """Horizontal bands, one for each colour."""
    image = np.zeros((height * len(colors), width, 3), np.uint8)
    for i, color in enumerate(colors):
        image[i * height : (i + 1) * height] = color
    return image


COLORS = ((20, 30, 40), (200, 40, 30), (90, 200, 80), (240, 240, 230))


def test_palette_finds_the_colours_of_a_drawing_from_dark_to_light():
    noise = np.random.default_rng(0).integers(-3, 4, bands(COLORS).shape)
    palette = fit_palette((bands(COLORS) + noise).clip(0, 255).astype(np.uint8).reshape(-1, 3), 4, seed=0)
    by_lightness = sorted(COLORS, key=lambda color: to_lab(np.array([color], np.uint8))[0, 0])
    assert np.abs(np.array(palette.colors) - by_lightness).max() <= 2
    assert palette.shares == (0.25, 0.25, 0.25, 0.25)


def test_fewer_colours_than_asked_for_are_enough():
    assert len(fit_palette(bands(COLORS).reshape(-1, 3), 9, seed=0).colors) == 4


def test_each_pixel_takes_the_nearest_colour_in_lab(draw):
    labels = nearest_labels(draw(), COLORS)
    distances = [np.linalg.norm(to_lab(draw()) - to_lab(np.array(color, np.uint8)), axis=2) for color in COLORS]
    assert (labels == np.argmin(distances, axis=0)).mean() > 0.9999


def test_specks_join_their_nearest_neighbour():
    labels = np.zeros((20, 31), np.uint8)
    labels[:, 15:] = 1
    speckled = labels.copy()
    speckled[3:5, 4:6] = 1
    speckled[10, 25] = 2
    assert np.array_equal(clean_regions(speckled, 5), labels)
    assert np.array_equal(clean_regions(speckled, 1), speckled)


def test_specks_alone_are_left_as_they_are():
    labels = (np.indices((6, 9)).sum(0) % 2).astype(np.uint8)
    assert np.array_equal(clean_regions(labels, 5), labels)


def test_one_palette_serves_all_and_is_written_down(photos):
    maker = KMeansMaker(size=(48, 32), colors=5)
    plans = list(maker.plan(photos))
    fitted = maker.fitted(plans)
    used = {tuple(color) for pair in fitted.make(plans) for color in np.unique(pair.a.reshape(-1, 3), axis=0)}
    entries = json.loads(fitted.extra_files()["palette.json"])["colors"]
    assert used <= {tuple(bytes.fromhex(entry["color"][1:])) for entry in entries}
    assert len(entries) == 5
    assert sum(entry["share"] for entry in entries) == pytest.approx(1, abs=1e-4)


def test_segments_have_no_small_region(photos):
    for pair in made(KMeansMaker(size=(96, 64), colors=5, min_region=40), photos):
        for color in np.unique(pair.a.reshape(-1, 3), axis=0):
            mask = (pair.a == color).all(2).astype(np.uint8)
            areas = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:, cv2.CC_STAT_AREA]
            assert areas.min() >= 40


def test_per_image_palettes_differ(photos):
    pairs = made(KMeansMaker(size=(48, 32), colors=3, per_image=True), photos)
    palettes = {tuple(map(tuple, np.unique(pair.a.reshape(-1, 3), axis=0))) for pair in pairs}
    assert len(palettes) > 6
    assert KMeansMaker(per_image=True).extra_files() == {}


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
    labels = bands(COLORS)
    write_png(tmp_path / "A" / "1.png", labels)
    write_png(tmp_path / "B" / "1.png", labels)
    (pair,) = made(CombineMaker(folder_b=tmp_path / "B", size=(33, 47), labels=True), tmp_path / "A")
    assert {tuple(color) for color in np.unique(pair.a.reshape(-1, 3), axis=0)} <= set(COLORS)
