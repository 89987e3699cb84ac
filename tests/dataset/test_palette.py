"""Colours from pixels, and the label of a colour."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pix2pix_data.color_table import ColorTable, nearest_labels, snap_to_palette, to_lab
from pix2pix_data.errors import FormatError
from pix2pix_data.palette import AUTO_RANGE, fit_auto_palette, fit_palette, shares_of
from pix2pix_data.palette_file import Palette, palette_json, read_names, read_palette, with_names

COLORS = ((20, 30, 40), (200, 40, 30), (90, 200, 80), (240, 240, 230))


def pixels(colors, num_each=600, spread=3, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.integers(-spread, spread + 1, (len(colors) * num_each, 3))
    return (np.repeat(np.array(colors), num_each, axis=0) + noise).clip(0, 255).astype(np.uint8)


def inertia(some, colors):
    lab = to_lab(some)
    return np.min([((lab - center) ** 2).sum(1) for center in to_lab(np.array(colors, np.uint8))], axis=0).sum()


# --- fitting


def test_palette_finds_the_colours_of_a_drawing_from_dark_to_light():
    palette = fit_palette(pixels(COLORS), 4, seed=0)
    by_lightness = sorted(COLORS, key=lambda color: to_lab(np.array([color], np.uint8))[0, 0])
    assert np.abs(np.array(palette.colors) - by_lightness).max() <= 2
    assert palette.shares == (0.25, 0.25, 0.25, 0.25)


def test_fewer_colours_than_asked_for_are_enough():
    assert len(fit_palette(pixels(COLORS, spread=0), 9, seed=0).colors) == 4


def test_one_pixel_is_one_colour():
    assert fit_palette(np.array([[1, 2, 3]], np.uint8), 5, seed=0).colors == ((1, 2, 3),)


def test_inertia_is_that_of_k_means_on_all_pixels(draw):
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    some = np.concatenate([draw(i).reshape(-1, 3) for i in range(4)])
    some = (some + rng.normal(0, 6, some.shape)).clip(0, 255).astype(np.uint8)
    full = KMeans(8, n_init=10, random_state=0).fit(to_lab(some))
    assert inertia(some, fit_palette(some, 8, seed=0).colors) < 1.02 * full.inertia_


def test_place_tells_two_blues_apart_that_colour_alone_would_not():
    some = pixels([(90, 140, 220), (84, 132, 205), (230, 120, 40), (190, 90, 20)], spread=1)
    heights = np.repeat(np.float32([0.1, 0.9, 0.5, 0.5]), 600)  # a sky, a car, and two oranges between them
    places = np.stack([np.tile(np.linspace(0, 1, 600, dtype=np.float32), 4), heights], axis=1)
    for weighed, num_blues in ((None, 1), (0.0 * places, 1), (places, 2)):
        colors = fit_palette(some, 3, seed=0, places=weighed).colors
        assert sum(blue > red for red, _, blue in colors) == num_blues
        assert len(colors) == 3


def test_colours_are_counted_by_what_one_more_would_add():
    rng = np.random.default_rng(5)
    six = ((10, 10, 10), (250, 250, 250), (250, 20, 20), (20, 250, 20), (20, 20, 250), (250, 250, 20))
    palette = fit_auto_palette(pixels(six, spread=6), seed=0)
    assert len(palette.colors) == 6
    assert "6 colours, chosen of 4 to 16" in palette.note
    noise = rng.integers(0, 256, (4000, 3)).astype(np.uint8)
    assert AUTO_RANGE[0] <= len(fit_auto_palette(noise, seed=0).colors) <= AUTO_RANGE[1]
    assert len(fit_auto_palette(pixels(COLORS[:2], spread=0), seed=0).colors) == 2


# --- labels


def test_each_pixel_takes_the_nearest_colour_in_lab(draw):
    labels = nearest_labels(draw(), COLORS)
    distances = [np.linalg.norm(to_lab(draw()) - to_lab(np.array(color, np.uint8)), axis=2) for color in COLORS]
    assert (labels == np.argmin(distances, axis=0)).mean() > 0.9999


def test_the_first_of_equal_colours_wins():
    assert nearest_labels(np.array([[[9, 9, 9]]], np.uint8), [(0, 0, 0), (9, 9, 9), (9, 9, 9)])[0, 0] == 1


def test_the_table_equals_the_nearest_colours_whatever_it_met_before(draw):
    rng = np.random.default_rng(1)
    colors = tuple(map(tuple, rng.integers(0, 256, (256, 3)).tolist()))
    table = ColorTable(colors)
    for image in (draw(0), draw(1), rng.integers(0, 256, (37, 53, 3)).astype(np.uint8), draw(0)):
        labels = table.labels(image)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, nearest_labels(image, colors))


def test_a_label_depends_on_the_colour_alone(draw):
    flat = draw().reshape(-1, 3)
    order = np.random.default_rng(0).permutation(len(flat))
    assert np.array_equal(nearest_labels(flat[order], COLORS), nearest_labels(flat, COLORS)[order])


def test_a_painting_snaps_to_the_palette_and_stays_there(draw):
    palette = Palette(COLORS)
    snapped = snap_to_palette(draw(), palette)
    assert {tuple(color) for color in snapped.reshape(-1, 3)} <= set(COLORS)
    assert np.array_equal(snap_to_palette(snapped, palette), snapped)


def test_shares_add_up():
    assert shares_of(pixels(COLORS, 50), COLORS) == (0.25, 0.25, 0.25, 0.25)


# --- files


def test_a_palette_is_read_as_it_was_written(tmp_path):
    palette = Palette(COLORS, (0.1, 0.2, 0.3, 0.4), ("road", "brick", "tree", "sky"), "by hand")
    (tmp_path / "palette.json").write_text(palette_json(palette))
    assert read_palette(tmp_path / "palette.json") == palette


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "no palette.json"),
        ('{"colors": [{"name": "sky"}]}', "no palette.json"),
        ('{"colors": [{"color": "blue"}]}', "'blue' is no colour"),
        ('{"colors": [{"color": "#0000ff"}, {"color": "#0000FF"}]}', "#0000FF is there twice"),
        ('{"colors": []}', "1 to 256 colours, this one 0"),
        (json.dumps({"colors": [{"color": f"#{i:06x}"} for i in range(257)]}), "this one 257"),
    ],
)
def test_a_wrong_palette_says_what_is_wrong(tmp_path, text, told):
    (tmp_path / "palette.json").write_text(text)
    with pytest.raises(FormatError, match=re.escape(told)):
        read_palette(tmp_path / "palette.json")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('names = ["road", "brick"]', ("road", "brick", "color 2", "color 3")),
        ('[names]\n"#F0F0E6" = "sky"\n0 = "road"', ("road", "color 1", "color 2", "sky")),
    ],
)
def test_names_are_by_order_colour_or_number(tmp_path, text, names):
    path = tmp_path / "names.toml"
    path.write_text(text)
    assert with_names(Palette(COLORS), read_names(path), path).names == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('names = ["a", "b", "c", "d", "e"]', "5 names for 4 colours"),
        ('[names]\n"#000000" = "night"', "no colour '#000000'"),
        ('[names]\n9 = "night"', "no colour '9'"),
        ("names = [1]", "no names in this file"),
        ("colors = 3", "no names in this file"),
        ("names = [", "not TOML"),
    ],
)
def test_names_that_fit_nothing_say_so(tmp_path, text, told):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=re.escape(told)):
        with_names(Palette(COLORS), read_names(path), path)


def test_names_by_colour_are_a_palette(tmp_path):
    path = tmp_path / "classes.toml"
    path.write_text('[names]\n"#0000ff" = "wall"\n"#ff0000" = "roof"')
    assert read_palette(path) == Palette(((0, 0, 255), (255, 0, 0)), names=("wall", "roof"))
    path.write_text('names = ["wall"]')
    with pytest.raises(FormatError, match="which colours they are of"):
        read_palette(path)
