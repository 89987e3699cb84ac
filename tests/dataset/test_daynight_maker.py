"""Cameras with days and nights, drawn and real."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_data.makers.daynight import DayNightMaker
from pix2pix_data.pair import Failed, Other, Pair, PairPlan, Unused
from pix2pix_data.scenes.capture_time import Clock, read_times, time_in_name
from pix2pix_data.scenes.pairing import choose_pairs
from pix2pix_data.splits import assign_splits

WEBCAMS = Path(__file__).resolve().parents[3] / "shared" / "data" / "webcams"

needs_webcams = pytest.mark.skipif(not WEBCAMS.is_dir(), reason=f"no webcams at {WEBCAMS}")


@pytest.fixture
def webcams(tmp_path, city):
    """Two cameras: one with four days and three nights, one with days alone."""
    folder = tmp_path / "webcams"
    for camera, nights in (("north", 3), ("south", 0)):
        for i in range(4):
            write_png(folder / camera / f"2013070{i + 1}_120000.png", city("day", seed=i, scene=len(camera)))
        for i in range(nights):
            night = city("night", seed=i, scene=len(camera), right=3.0 * i, down=-2.0 * i)
            write_png(folder / camera / f"2013070{i + 1}_230000.png", night)
    (folder / "readme.txt").write_text("hi")
    return folder


def planned(maker, source):
    outcomes = list(maker.plan(source))
    return [[one for one in outcomes if type(one) is kind] for kind in (PairPlan, Unused, Failed, Other)]


# --- times


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("20130708_055413", datetime(2013, 7, 8, 5, 54, 13)),
        ("2012_0104_09400", datetime(2012, 1, 4, 9, 40)),
        ("cam3_2013-07-08T05.54", datetime(2013, 7, 8, 5, 54)),
        ("20131399_999999", None),
        ("IMG_1234", None),
    ],
)
def test_common_names_tell_their_time(name, time):
    assert time_in_name(name) == time


def test_other_names_are_read_by_a_pattern():
    assert time_in_name("cam2 08.07.13-0554 b", "%d.%m.%y-%H%M") == datetime(2013, 7, 8, 5, 54)
    assert time_in_name("cam2", "%d.%m.%y-%H%M") is None
    with pytest.raises(ValidationError, match="%Q is not one of"):
        DayNightMaker(time_format="%Q")


def test_exif_and_a_table_tell_times_that_names_do_not(tmp_path, draw):
    record = Image.Exif()
    record.get_ifd(0x8769).update({0x9003: "2013:07:08 05:54:13", 0x9011: "+02:00"})
    Image.fromarray(draw()).save(tmp_path / "1.jpg", exif=record)
    assert Clock().time_of(tmp_path / "1.jpg", tmp_path).isoformat() == "2013-07-08T03:54:13+00:00"
    (tmp_path / "times.csv").write_text("file,time\n1.jpg,2014-01-01T12:00\n")
    clock = Clock(utc_offset_h=1, table=read_times(tmp_path / "times.csv"))
    assert clock.time_of(tmp_path / "1.jpg", tmp_path).isoformat() == "2014-01-01T11:00:00+00:00"
    (tmp_path / "times.csv").write_text("file,time\n1.jpg,noon\n")
    with pytest.raises(FormatError, match="line 2 cannot be used"):
        read_times(tmp_path / "times.csv")


# --- choice


def test_nearest_partners_are_taken_and_none_too_often():
    assert choose_pairs([0, 100, 200], [10, 190], most_each=2) == [(0, 0), (1, 0), (1, 1), (2, 1)]
    pairs = choose_pairs([0, 1, 2], list(range(10)), most_each=2)
    assert len(pairs) == len(set(pairs)) == 6
    assert max(sum(a == i for a, _ in pairs) for i in range(3)) == 2


# --- plans


def test_nights_are_paired_with_days_of_their_camera_and_all_photos_accounted_for(webcams):
    plans, unused, failed, others = planned(DayNightMaker(max_pairs_per_image=1), webcams)
    assert [plan.key for plan in plans] == [f"north/2013070{i}_120000__2013070{i}_230000" for i in (1, 2, 3)]
    assert {plan.group for plan in plans} == {"north"}
    reasons = {one.key: one.reason for one in unused}
    assert reasons.pop("north/20130704_120000").startswith("others are nearer in time")
    assert len(reasons) == 4
    assert all(reason.startswith("no night at this camera: its darkest photo") for reason in reasons.values())
    assert failed == []
    assert [Path(one.source).name for one in others] == ["readme.txt"]


def test_night_may_be_a(webcams):
    (first, *_), *_ = planned(DayNightMaker(direction="night2day"), webcams)
    pair = next(DayNightMaker(direction="night2day").make([first]))
    assert pair.a.mean() < 0.6 * pair.b.mean()


def test_sun_tells_the_state_where_the_place_is_known(webcams, tmp_path):
    (tmp_path / "places.csv").write_text("camera,lat,lon\nnorth,50.11,8.68\nsouth,50.11,-171\n")
    plans, unused, *_ = planned(DayNightMaker(places=tmp_path / "places.csv"), webcams)
    assert {plan.group for plan in plans} == {"north"}
    assert (
        "no day at this camera: the sun stands at" in {one.key: one.reason for one in unused}["south/20130701_120000"]
    )
    with pytest.raises(UsageError, match=r"as bright as day.*are the times UTC"):
        list(DayNightMaker(lat=50.11, lon=-171).plan(webcams))


def test_two_states_are_told_by_patterns(webcams):
    maker = DayNightMaker(a_pattern="north/*_12*", b_pattern="north/*2_23*")
    plans, unused, *_ = planned(maker, webcams)
    assert {Path(plan.sources[1]).name for plan in plans} == {"20130702_230000.png"}
    assert len(plans) == 3
    assert "matches neither pattern" in {one.key: one.reason for one in unused}["south/20130701_120000"]


def test_broken_and_repeated_frames_are_told(webcams):
    camera = webcams / "north"
    (camera / "20130708_120000.jpg").write_bytes(b"no picture")
    (camera / "20130709_120000.png").write_bytes((camera / "20130701_120000.png").read_bytes())
    write_png(camera / "20130710_230000.png", np.zeros((220, 300, 3), np.uint8))
    _, unused, failed, _ = planned(DayNightMaker(), webcams)
    assert {one.key: one.reason for one in failed} == {
        "north/20130708_120000": "not a picture in a known format",
        "north/20130710_230000": "broken frame: nearly one colour, luma 0 to 0",
    }
    assert "same picture as another: north/20130701_120000" in {one.reason for one in unused}


def test_settings_that_go_together_are_asked_for_together():
    for settings in ({"lat": 50}, {"lon": 8}, {"a_pattern": "x"}, {"day_above": -10}):
        with pytest.raises(ValidationError):
            DayNightMaker(**settings)


def test_photos_left_out_by_choice_do_not_fail_a_build(webcams, p2p_data):
    done = p2p_data("daynight", webcams, "--size", "64", "--val", "0", "--test", "0", "--max-pairs-per-image", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 pairs (3 train), 5 photos not used, 0 failed, in ")


# --- pairs


def test_shifts_are_corrected_the_same_way_each_time(webcams, city):
    maker = DayNightMaker(size=(120, 100))
    plans, *_ = planned(maker, webcams)
    pairs = list(maker.make(plans))
    assert all(isinstance(pair, Pair) and pair.a.shape == pair.b.shape == (100, 120, 3) for pair in pairs)
    again = [next(maker.make([plan])) for plan in plans]
    assert all(
        np.array_equal(one.a, other.a) and np.array_equal(one.b, other.b)
        for one, other in zip(pairs, again, strict=True)
    )
    assert residual_px(pairs[-1].a, pairs[-1].b) <= 1


def test_check_refuses_what_correct_moves(webcams):
    plans, *_ = planned(DayNightMaker(), webcams)
    far = [plan for plan in plans if plan.key.endswith("03_230000")]
    assert all(one.reason.startswith("A and B are not aligned") for one in made(far, align="check"))
    assert all(one.reason.startswith("shifted too far") for one in made(far, max_shift=4.0))
    assert all(isinstance(one, Pair) for one in made(far, align="off"))


def made(plans, **settings):
    return list(DayNightMaker(**settings).make(plans))


def test_another_view_is_refused(tmp_path, city):
    write_png(tmp_path / "1.png", city("day", scene=1))
    write_png(tmp_path / "2.png", cv2.rotate(city("night", scene=2), cv2.ROTATE_180))
    plan = PairPlan("1__2", (str(tmp_path / "1.png"), str(tmp_path / "2.png")), "c")
    (outcome,) = made([plan])
    assert outcome.reason.startswith("A and B do not show the same view")


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16"])
def test_any_mode_gives_a_pair(mode, tmp_path, city):
    for name, state in (("1", "day"), ("2", "night")):
        photo = Image.fromarray(city(state))
        wide = np.asarray(photo.convert("L")).astype(np.uint16) * 257
        photo = Image.fromarray(wide) if mode == "I;16" else photo.convert(mode)
        photo.save(tmp_path / f"{name}.tif")
    plan = PairPlan("1__2", (str(tmp_path / "1.tif"), str(tmp_path / "2.tif")), "c")
    (outcome,) = made([plan], size=(48, 32))
    assert isinstance(outcome, Pair)


def test_tiny_photos_need_align_off(tmp_path, draw):
    for name in ("1", "2"):
        write_png(tmp_path / f"{name}.png", draw(1, 20, 14))
    plan = PairPlan("1__2", (str(tmp_path / "1.png"), str(tmp_path / "2.png")), "c")
    assert made([plan])[0].reason.startswith("too small to be aligned: 20x14 pixels")
    assert isinstance(made([plan], align="off")[0], Pair)


def test_burnt_in_text_is_painted_over_on_both_sides(tmp_path, city):
    for i in range(4):
        for state, hour in (("day", 12), ("night", 23)):
            photo = city(state, seed=i)
            cv2.putText(photo, "EXAMPLE CAMERA", (40, 210), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
            write_png(tmp_path / "cam" / f"2013070{i + 1}_{hour}0000.png", photo)
    maker = DayNightMaker(mask_static=True, size=(300, 220), fit="stretch")
    plans, *_ = planned(maker, tmp_path)
    pair = next(maker.make(plans[:1]))
    gray_a, gray_b = ((side == 128).all(axis=2) for side in (pair.a, pair.b))
    assert gray_a[195:208, 60:200].mean() > 0.8
    assert (gray_a == gray_b).mean() > 0.99


# --- the webcams


def residual_px(a: np.ndarray, b: np.ndarray) -> float:
    """Measure how far B lies from A by another way than the maker's: the median of many patches.

    Each patch of A is looked for in B by the normalised correlation of doubled gradient angles, which a change of
    light from above to lamps below leaves as they are; a parabola through the peak gives the fraction of a pixel.
    """
    reach, patch = 6, 64
    of_a, of_b = (_doubled_angles(side) for side in (a, b))
    shifts = []
    for top in range(reach, a.shape[0] - patch - reach + 1, patch // 2):
        for left in range(reach, a.shape[1] - patch - reach + 1, patch // 2):
            template = of_a[top : top + patch, left : left + patch]
            window = of_b[top - reach : top + patch + reach, left - reach : left + patch + reach]
            if np.abs(template).mean() > 0.08:
                shifts.append(_peak(cv2.matchTemplate(window, template, cv2.TM_CCORR_NORMED), reach))
    found = np.array([shift for shift in shifts if shift is not None])
    return float(np.hypot(*np.median(found, axis=0)))


def _doubled_angles(side):
    gray = cv2.GaussianBlur(cv2.cvtColor(side, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    x, y = cv2.Scharr(gray, cv2.CV_32F, 1, 0), cv2.Scharr(gray, cv2.CV_32F, 0, 1)
    return np.dstack([x * x - y * y, 2 * x * y]) / ((np.hypot(x, y) + 60) ** 2)[:, :, None]


def _peak(scores, reach):
    _, best, _, (column, row) = cv2.minMaxLoc(scores)
    if best < 0.12 or not (0 < column < 2 * reach and 0 < row < 2 * reach):
        return None
    ends = ((scores[row, column - 1], scores[row, column + 1]), (scores[row - 1, column], scores[row + 1, column]))
    fraction = [(after - before) / (2 * (2 * best - before - after)) for before, after in ends]
    return column - reach + fraction[0], row - reach + fraction[1]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -1.0), (3.0, 2.0)])
def test_the_measure_measures(city, shift):
    day, night = city("day", seed=1), city("night", seed=2, right=shift[0], down=shift[1])
    assert residual_px(day, night) == pytest.approx(np.hypot(*shift), abs=0.6)


@needs_webcams
def test_frankfurts_nights_are_paired_and_the_other_cameras_say_why_not():
    plans, unused, failed, _ = planned(DayNightMaker(), WEBCAMS)
    assert {plan.group for plan in plans} == {"frankfurt"}
    assert len({plan.sources[1] for plan in plans}) == 10
    assert failed == []
    used = {path for plan in plans for path in plan.sources[:2]}
    assert len(used) + len(unused) == len(list(WEBCAMS.glob("*/*.jpg")))
    for camera in ("chamonix", "courbevoie", "panorama"):
        reasons = {one.reason.partition(":")[0] for one in unused if one.key.startswith(camera)}
        assert "no night at this camera" in reasons
        assert reasons <= {"no night at this camera", "between day and night", "same picture as another"}


@needs_webcams
def test_the_sun_finds_twelve_nights_over_frankfurt_two_of_them_in_fog():
    plans, unused, *_ = planned(DayNightMaker(lat=50.11, lon=8.68), WEBCAMS / "frankfurt")
    assert len({plan.sources[1] for plan in plans}) == 10
    reasons = [one.reason.partition(":")[0] for one in unused]
    assert reasons.count("fog") == 2
    assert reasons.count("twilight") == 4


@needs_webcams
def test_webcam_pairs_are_off_by_at_most_a_pixel():
    maker = DayNightMaker(size=(410, 251), fit="stretch")
    plans, *_ = planned(maker, WEBCAMS)
    residuals = [residual_px(pair.a, pair.b) for pair in maker.make(plans) if isinstance(pair, Pair)]
    assert len(residuals) == len(plans) == 30
    assert np.mean(np.array(residuals) <= 1) >= 0.95


@needs_webcams
def test_webcams_that_were_moved_are_moved_back(tmp_path):
    plans, *_ = planned(DayNightMaker(), WEBCAMS)
    for i, plan in enumerate(plans[::5]):
        day, night = (read_rgb(path) for path in plan.sources[:2])
        right, down = ((9, -6), (-11, 4), (3, 8))[i % 3]
        write_png(tmp_path / f"{i}a.png", day[20:-20, 20:-20])
        write_png(tmp_path / f"{i}b.png", night[20 + down : down - 20, 20 + right : right - 20])
    moved = [PairPlan(str(i), (str(tmp_path / f"{i}a.png"), str(tmp_path / f"{i}b.png")), "c") for i in range(6)]
    for align, fewest, most in (("correct", 0, 1), ("off", 2.5, 9)):
        pairs = made(moved, align=align, size=(492, 294), fit="stretch")
        assert all(fewest <= residual_px(pair.a, pair.b) <= most for pair in pairs)


@needs_webcams
def test_no_camera_is_in_two_splits():
    maker = DayNightMaker(a_pattern="*/*_0[0-9]*", b_pattern="*/*_1[0-9]*", min_visible=0)
    plans, *_ = planned(maker, WEBCAMS)
    splits = assign_splits(plans, val=0.2, test=0.2, seed=0)
    cameras = [{plan.group for plan in members} for members in splits.values()]
    assert sum(map(len, cameras)) == len(set.union(*cameras)) >= 3
