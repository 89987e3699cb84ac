"""The edge maker: what its settings do, and that drawing and photo lie on each other."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from pix2pix_data.edges.detector import make_detector
from pix2pix_data.edges.strokes import draw_strokes, strokes
from pix2pix_data.images import write_png
from pix2pix_data.makers.edges import EdgesMaker

HEIGHT, WIDTH = 72, 100


def box() -> np.ndarray:
    photo = np.full((HEIGHT, WIDTH, 3), 245, np.uint8)
    photo[20:52, 30:75] = (60, 90, 160)
    return photo


def num_strokes(drawing: np.ndarray) -> int:
    return int((drawing[:, :, 0] == 0).sum())


def test_drawing_is_black_on_white():
    (drawing,) = EdgesMaker().derive([box()])
    assert drawing.shape == (HEIGHT, WIDTH, 3)
    assert drawing.dtype == np.uint8
    assert set(np.unique(drawing)) == {0, 255}
    assert num_strokes(drawing) < drawing.shape[0] * drawing.shape[1] / 10


def test_strokes_lie_on_the_outline_of_the_photo():
    (drawing,) = EdgesMaker().derive([box()])
    outline = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.rectangle(outline, (29, 19), (75, 52), 1, 5)  # within 2 px, as drawings are compared
    assert num_strokes(drawing) > 120
    assert outline[drawing[:, :, 0] == 0].all()


def test_blank_photo_gives_a_white_drawing():
    (drawing,) = EdgesMaker().derive([np.full((HEIGHT, WIDTH, 3), 77, np.uint8)])
    assert (drawing == 255).all()


def test_higher_threshold_draws_less():
    photo = np.clip(box() + np.random.default_rng(0).normal(0, 25, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    counts = [num_strokes(EdgesMaker(threshold=threshold).derive([photo])[0]) for threshold in (0.05, 0.4, 0.95)]
    assert counts[0] > counts[1] > counts[2]


def test_longer_min_length_drops_the_shorter_stroke():
    photo = box()
    cv2.line(photo, (88, 10), (88, 20), (0, 0, 0), 1)
    long, short = (EdgesMaker(min_length=pixels).derive([photo])[0] for pixels in (60, 5))
    assert num_strokes(short[:, 82:]) > 0
    assert num_strokes(long[:, 82:]) == 0
    assert num_strokes(long) > 100


def test_one_photo_or_many_give_the_same_drawing():
    photos = [box(), box()[:, ::-1].copy(), box()[10:60]]
    together = EdgesMaker().derive(photos)
    alone = [EdgesMaker().derive([photo])[0] for photo in photos]
    assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))


def test_no_photos_give_no_drawings():
    assert EdgesMaker().derive([]) == []


def test_pair_is_drawn_at_the_size_asked_for(tmp_path):
    write_png(tmp_path / "box.png", box())
    maker = EdgesMaker(size=(64, 48))
    (pair,) = maker.make(list(maker.plan(tmp_path)))
    assert pair.a.shape == pair.b.shape == (48, 64, 3)
    assert np.array_equal(pair.a, maker.derive([pair.b])[0])


def test_width_makes_strokes_wider():
    thin, wide = (EdgesMaker(width=pixels).derive([box()])[0] for pixels in (1, 3))
    assert np.array_equal(wide, cv2.erode(thin, np.ones((3, 3), np.uint8)))


def test_invert_draws_white_on_black():
    plain, inverted = (EdgesMaker(width=2, invert=invert).derive([box()])[0] for invert in (False, True))
    assert np.array_equal(inverted, 255 - plain)


def test_default_style_is_the_papers_to_the_byte(draw):
    photos = [box(), draw(1)]
    plain = EdgesMaker(detector="classical")
    maps = make_detector("classical")(photos)
    expected = [draw_strokes(strokes(edge_map)) for edge_map in maps]
    for maker in (plain, plain.model_copy(update={"style": "paper", "style_seed": 7})):
        assert [drawing.tobytes() for drawing in maker.derive(photos)] == [one.tobytes() for one in expected]


def test_a_photo_is_sketched_the_same_alone_and_in_company(draw):
    photos = [draw(index, 300, 256) for index in range(4)]
    maker = EdgesMaker(style="sketch")
    together = maker.derive(photos)
    alone = [maker.derive([photo])[0] for photo in reversed(photos)]
    assert all(np.array_equal(one, other) for one, other in zip(together, reversed(alone), strict=True))
    assert all(set(np.unique(drawing)) == {0, 255} for drawing in together)


def test_another_seed_or_photo_is_sketched_by_another_hand(draw):
    photo = draw(0, 300, 256)
    one_level_brighter = photo + (photo < 255).astype(np.uint8)
    drawings = [EdgesMaker(style="sketch", style_seed=seed).derive([photo])[0] for seed in range(4)]
    drawings += EdgesMaker(style="sketch").derive([one_level_brighter])
    assert len({drawing.tobytes() for drawing in drawings}) == 5


def test_a_sketch_can_be_inverted():
    plain, inverted = (EdgesMaker(style="sketch", invert=invert).derive([box()])[0] for invert in (False, True))
    assert np.array_equal(inverted, 255 - plain)


def test_drawing_options_are_typed_as_they_are_called(photos, p2p_data, tmp_path):
    options = ("--style", "sketch", "--style-seed", "3", "--width", "2", "--invert")
    done = p2p_data("edges", photos, "--size", "64", "--workers", "1", *options)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "photos-edges" / "README.md").read_text()
    assert "p2p-data edges photos --size 64x64 --width 2 --invert --style sketch --style-seed 3" in card


@pytest.mark.parametrize(
    "setting",
    [
        {"threshold": 0},
        {"threshold": 1},
        {"min_length": 0},
        {"min_area": 5},
        {"width": 0},
        {"width": 17},
        {"style": "pencil"},
        {"style_seed": -1},
    ],
)
def test_setting_out_of_bounds_is_refused(setting):
    with pytest.raises(ValidationError):
        EdgesMaker(**setting)


def test_unknown_detector_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match="did you mean 'classical'"):
        EdgesMaker(detector="clasical")


def test_settings_need_neither_numpy_nor_opencv():
    code = "import sys; from pix2pix_data.makers.edges import EdgesMaker; EdgesMaker(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "cv2", "skimage", "torch"}.isdisjoint(loaded)
