"""Shifts that are known by construction, and what a camera draws over its pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pix2pix_data.scenes.alignment import Shift, find_shift, lay_over
from pix2pix_data.scenes.fog import visibilities
from pix2pix_data.scenes.static_masks import find_overlay
from pix2pix_data.scenes.thumbnails import fault_of, to_luma


@pytest.mark.parametrize("scene", range(3))
@pytest.mark.parametrize(("right", "down"), [(0, 0), (0.5, -0.25), (-3.3, 2.6), (7, 0), (12, -5.5), (-8.4, -8.4)])
def test_shift_of_a_night_against_a_day_is_found(city, scene, right, down):
    day, night = city("day", scene=scene, seed=1), city("night", scene=scene, seed=2, right=right, down=down)
    shift = find_shift(to_luma(day), to_luma(night))
    assert shift.right == pytest.approx(right, abs=0.5)
    assert shift.down == pytest.approx(down, abs=0.5)
    assert shift.is_sure


@pytest.mark.parametrize("scene", range(4))
def test_two_scenes_do_not_pass_for_one(scene):
    rng = np.random.default_rng(scene)
    one, other = (cv2.GaussianBlur(rng.uniform(0, 255, (220, 300)), (0, 0), 4).astype(np.uint8) for _ in range(2))
    assert not find_shift(one * 4, other * 4).is_sure


def stamped(photo, digits):
    photo = photo.copy()
    cv2.putText(photo, "CAMERA 7  08:07", (12, 205), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    cv2.putText(photo, digits, (190, 205), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    cv2.putText(photo, "WWW.EXAMPLE.ORG LIVE VIEW", (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    return photo


def test_burnt_in_text_is_found_and_does_not_hold_the_shift(city):
    photos = [stamped(city("day" if i % 2 else "night", seed=i), f"{i}{i}") for i in range(8)]
    overlay = find_overlay([to_luma(photo) for photo in photos])
    drawn = (stamped(np.zeros_like(photos[0]), "") > 0).any(axis=2)
    assert overlay.text[drawn].mean() > 0.9
    assert overlay.text.mean() < 0.35
    day, night = stamped(city("day"), "11"), stamped(city("night", right=5.5, down=-2), "22")
    shift = find_shift(to_luma(day), to_luma(night), overlay.text)
    assert (shift.right, shift.down) == (pytest.approx(5.5, abs=0.3), pytest.approx(-2, abs=0.3))


def test_black_bars_are_found_with_text_in_them_and_a_dark_ground_is_none(city):
    lumas = []
    for i in range(6):
        photo = city("day" if i % 2 else "night", seed=i)
        photo[:18] = 3
        photo[:, -7:] = 8
        cv2.putText(photo, f"12:0{i}", (10, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
        lumas.append(to_luma(photo))
    overlay = find_overlay(lumas)
    assert (overlay.top, overlay.bottom, overlay.left, overlay.right) == (18, 0, 0, 7)
    assert overlay.crop(lumas[0]).shape == (202, 293)
    plain = find_overlay([to_luma(city("day" if i % 2 else "night", seed=i)) for i in range(6)])
    assert (plain.top, plain.bottom, plain.left, plain.right, plain.text.any()) == (0, 0, 0, 0, False)


def test_laying_over_cuts_both_sides_alike_and_keeps_b(city):
    b = city("night")
    for shift in (Shift(3.4, -2.2, 1), Shift(-5, 0, 1), Shift(0, 0, 1)):
        a = city("day", right=0, down=0)
        night = city("night", right=shift.right, down=shift.down)
        moved, cut = lay_over(a, night, shift)
        assert moved.shape == cut.shape
        expected = city("day", right=shift.right, down=shift.down)
        top = (
            next(i for i in range(220) if np.array_equal(night[i : i + cut.shape[0], -cut.shape[1] :], cut))
            if (shift.right > 0)
            else 0
        )
        left = night.shape[1] - cut.shape[1] if shift.right > 0 else 0
        there = expected[top : top + cut.shape[0], left : left + cut.shape[1]]
        assert np.abs(moved.astype(float) - there).mean() < 8
    assert np.array_equal(lay_over(b, b, Shift(0, 0, 1))[0], b)


def test_photos_without_anything_in_common_are_an_error(city):
    with pytest.raises(ValueError, match="nothing in common"):
        lay_over(city("day"), city("night"), Shift(400, 0, 0))


def test_fog_hides_structure(city):
    lumas = [to_luma(city("day", seed=i)) for i in range(7)]
    foggy = (lumas[3] * 0.12 + 170).astype(np.uint8)
    visible = visibilities([*lumas, foggy])
    assert visible[-1] < 0.3
    assert min(visible[:-1]) > 0.95
    assert visibilities([foggy, lumas[0]]) == [1.0, 1.0]


def test_broken_frames_are_told_from_bars(city):
    whole = to_luma(city("day"))
    half = whole.copy()
    half[120:] = 128
    assert fault_of(whole, usual_blank_rows=0) is None
    assert "the lowest 45% are one colour" in fault_of(half, usual_blank_rows=0)
    assert fault_of(half, usual_blank_rows=100) is None
    assert "nearly one colour" in fault_of(np.full_like(whole, 9), usual_blank_rows=0)
