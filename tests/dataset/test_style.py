"""How strokes are drawn: what each step does to known lines, and that a photo's hand is its own and stays the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pix2pix_data.edges.strokes import strokes
from pix2pix_data.edges.style import (
    LineStyle,
    draw_lines,
    drop_strokes,
    photo_generator,
    sketch_style,
    widen,
    wobble,
)

HEIGHT, WIDTH = 256, 300
PLAIN = LineStyle(threshold=25 / 255, min_length=5)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def shapes() -> np.ndarray:
    """The outlines of a disc and a box."""
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(lines, (100, 120), 60, 1, 1)
    cv2.rectangle(lines, (190, 40), (260, 200), 1, 1)
    return lines.astype(bool)


def outlines(strength: float = 1.0) -> np.ndarray:
    """A soft map of the shapes."""
    return cv2.GaussianBlur(np.float32(strength) * shapes(), (0, 0), 1.2)


def ladder() -> np.ndarray:
    """Two rails longer than a quarter of the picture, and 30 rungs of 19 pixels that do not touch them."""
    lines = np.zeros((HEIGHT, WIDTH), bool)
    lines[20:220, [50, 80]] = True
    lines[30:210:6, 56:75] = True
    return lines


def furthest(lines: np.ndarray, others: np.ndarray) -> float:
    """Distance in pixels from the loneliest True of `lines` to the nearest True of `others`."""
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance[lines].max())


# --- width


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 16])
def test_straight_lines_are_exactly_as_wide_as_asked_for(width):
    lines = np.zeros((70, 90), bool)
    lines[:, 40] = True
    assert (widen(lines, width).sum(axis=1) == width).all()
    assert (widen(lines.T, width).sum(axis=0) == width).all()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("turned", [False, True])
def test_diagonal_lines_are_as_wide_as_the_grid_permits(width, turned):
    wide = widen(np.eye(90, dtype=bool)[:, :: -1 if turned else 1], width)
    across = wide[45].sum() / np.sqrt(2)
    assert abs(across - width) < 0.6


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 16])
def test_wide_lines_are_centred_on_the_thin_ones(width):
    line = np.zeros((70, 90), bool)
    line[:, 40] = True
    columns = np.flatnonzero(widen(line, width)[35])
    assert columns.mean() - 40 == (0 if width % 2 else 0.5)


def test_pen_is_round():
    dot = np.zeros((40, 50), bool)
    dot[20, 25] = True
    area = widen(dot, 15).sum()
    assert abs(area - np.pi * 7.5**2) < 6


# --- wobble


def test_bent_lines_stay_near_the_straight_ones():
    for seed in range(8):
        bent = strokes(wobble(outlines(), 1.5, generator(seed)))
        assert 0.9 < furthest(bent, shapes()) <= 2.5
        assert furthest(shapes(), bent) <= 2.5


def test_bending_opens_no_outline():
    for seed in range(8):
        bent = strokes(wobble(outlines(), 1.5, generator(seed)))
        _, regions = cv2.connectedComponents((~bent).astype(np.uint8), connectivity=4)
        assert len({regions[0, 0], regions[120, 100], regions[120, 225]}) == 3, "outside, in the disc, in the box"


def test_a_map_moves_by_as_much_as_asked_for():
    columns = np.broadcast_to(np.arange(WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    rows = np.broadcast_to(np.arange(HEIGHT, dtype=np.float32)[:, None], (HEIGHT, WIDTH))
    right, down = (wobble(place.copy(), 1.2, generator()) - place for place in (columns, rows))
    shift = np.hypot(right, down)[2:-2, 2:-2]  # at the border the map is repeated
    assert 1.0 < shift.max() <= 1.2 + 0.05


# --- dropout


def test_dropout_drops_whole_short_strokes_and_draws_nothing_new():
    lines = ladder()
    kept = drop_strokes(lines, 0.5, generator(), min_area=5)
    assert not (kept & ~lines).any()
    assert kept[20:220, [50, 80]].all(), "long lines stay"
    rungs = kept[30:210:6, 56:75].sum(axis=1)
    assert set(rungs.tolist()) == {0, 19}
    assert 5 <= (rungs == 0).sum() <= 25


def test_dropout_is_as_likely_as_asked_for():
    dropped = [(~drop_strokes(ladder(), 0.15, generator(seed), min_area=5)[30:210:6, 60]).mean() for seed in range(60)]
    assert abs(np.mean(dropped) - 0.15) < 0.03  # three deviations of 1800 draws are 0.025


def test_a_short_stroke_is_cut_off_at_its_junction():
    lines = np.zeros((HEIGHT, WIDTH), bool)
    lines[20:220, 50] = True
    lines[100, 51:70] = True
    kept = drop_strokes(lines, 1, generator(), min_area=5)
    assert kept[20:220, 50].all()
    assert not kept[:, 52:].any()


def test_no_crumbs_are_left_of_a_star_whose_arms_are_gone():
    lines = np.zeros((HEIGHT, WIDTH), bool)
    lines[100, 90:111] = lines[90:111, 100] = True
    assert not drop_strokes(lines, 1, generator(), min_area=6).any()


# --- a hand at random


def test_two_hundred_hands_fill_the_ranges_and_stay_in_them():
    certain = np.where(outlines() > 0.2, 0.9, 0).astype(np.float32)[:, :256]
    hands = [sketch_style(PLAIN, certain, generator(seed)) for seed in range(200)]
    thresholds = [hand.threshold / PLAIN.threshold for hand in hands]
    assert 0.5 <= min(thresholds) < 0.55
    assert 3.7 < max(thresholds) <= 4
    assert abs(np.median(thresholds) - np.sqrt(2)) < 0.25  # even in the logarithm
    assert {min(hand.min_length for hand in hands), max(hand.min_length for hand in hands)} == {5, 40}
    assert {hand.width for hand in hands} == {1, 2, 3}
    assert 0 <= min(hand.dropout for hand in hands) < 0.01
    assert 0.14 < max(hand.dropout for hand in hands) <= 0.15
    assert 0 <= min(hand.shift_px for hand in hands) < 0.1
    assert 1.4 < max(hand.shift_px for hand in hands) <= 1.5


@pytest.mark.parametrize(("size", "longest", "widest", "shift"), [(128, 20, 5, 0.75), (512, 80, 8, 3)])
def test_ranges_start_from_the_plain_style_and_grow_with_the_picture(size, longest, widest, shift):
    plain = LineStyle(threshold=0.2, min_length=12, width=4)
    blank = np.zeros((size, size), np.float32)
    hands = [sketch_style(plain, blank, generator(seed)) for seed in range(60)]
    lengths = [hand.min_length for hand in hands]
    assert 12 <= min(lengths) < 12 + size / 64
    assert longest - size / 64 < max(lengths) <= longest
    assert {hand.width for hand in hands} == set(range(4, widest + 1))
    assert 0.9 * shift < max(hand.shift_px for hand in hands) <= shift
    assert all(0.1 <= hand.threshold <= 0.2 for hand in hands), "a blank map gives no reason to go higher"


def test_a_longer_min_length_than_a_sketch_draws_is_kept():
    assert sketch_style(LineStyle(0.1, 90), outlines(), generator()).min_length == 90


def test_faint_lines_are_not_thresholded_away():
    faint = outlines(0.45)
    plain = draw_lines(faint, PLAIN)
    assert not draw_lines(faint, LineStyle(4 * PLAIN.threshold, 5)).any(), "four times the threshold is too much here"
    for seed in range(40):
        style = sketch_style(PLAIN, faint, generator(seed))
        assert draw_lines(faint, LineStyle(style.threshold, 5)).sum() > 0.4 * plain.sum()


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (61, 43)])
def test_a_blank_map_of_any_size_gives_a_blank_drawing(size):
    blank = np.zeros(size, np.float32)
    style = sketch_style(PLAIN, blank, generator())
    assert not draw_lines(blank, style, generator()).any()


def test_a_plain_style_is_the_papers():
    noise = cv2.GaussianBlur(generator().random((HEIGHT, WIDTH), np.float32), (0, 0), 2)
    assert np.array_equal(draw_lines(noise, LineStyle(0.5, 9)), strokes(noise, threshold=0.5, min_area=9))


# --- random numbers


def test_random_numbers_depend_on_the_seed_the_pixels_and_the_shape(draw):
    photo = draw()
    changed = photo.copy()
    changed[-1, -1, 2] ^= 1
    turned = photo.reshape(photo.shape[1], photo.shape[0], 3)
    firsts = [photo_generator(one, seed=0).random() for one in (photo, changed, turned)]
    firsts += [photo_generator(photo, seed=1).random()]
    assert len(set(firsts)) == 4
    assert photo_generator(np.asfortranarray(photo), seed=0).random() == firsts[0]
