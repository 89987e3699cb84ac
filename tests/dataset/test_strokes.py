"""The post-processing of soft edge maps, known by construction and against the authors' script."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.morphology import thin as scikit_image_thin

from pix2pix_data.edges.strokes import draw_strokes, resize_map, strokes
from pix2pix_data.edges.thinning import thin
from pix2pix_data.errors import ImageError

ORACLE = Path("../shared/data/strokes_oracle")
ILL_CONDITIONED_F1 = 0.995


def soft_line(height: int = 40, width: int = 60, *, slope: float = 0.4, peak: float = 0.9) -> np.ndarray:
    """A soft ridge, two pixels wide, through the middle of the map."""
    rows, columns = np.mgrid[:height, :width]
    distance = (rows - height / 2 - slope * (columns - width / 2)) / np.hypot(1, slope)
    return (peak * np.exp(-(distance**2) / 8)).astype(np.float32)


def f1(drawn: np.ndarray, expected: np.ndarray) -> float:
    if not drawn.any() and not expected.any():
        return 1.0
    return float(2 * (drawn & expected).sum() / (drawn.sum() + expected.sum()))


# --- known by construction


def test_empty_map_has_no_strokes():
    assert not strokes(np.zeros((30, 47), np.float32)).any()


def test_soft_line_becomes_one_pixel_in_each_column():
    drawn = strokes(soft_line())
    assert (drawn[:, 8:-8].sum(axis=0) == 1).all()


def test_stroke_runs_along_the_ridge():
    rows, columns = np.nonzero(strokes(soft_line()))
    assert np.abs(rows - 20 - 0.4 * (columns - 30)).max() <= 1


def test_line_under_the_threshold_is_not_drawn():
    assert not strokes(soft_line(peak=0.09)).any()
    assert strokes(soft_line(peak=0.09), threshold=0.05).any()


def test_stroke_shorter_than_min_area_is_dropped():
    edge_map = np.zeros((31, 45), np.float32)
    edge_map[15, 20:26] = 0.8
    assert strokes(edge_map, min_area=6).sum() == 6
    assert not strokes(edge_map, min_area=7).any()


def test_diagonal_stroke_is_one_piece():
    edge_map = (np.eye(31, 45, dtype=bool)).astype(np.float32) * np.float32(0.8)
    assert strokes(edge_map, min_area=20).sum() >= 20


def test_outermost_ring_is_white():
    drawn = strokes(np.random.default_rng(0).random((33, 50), np.float32))
    assert drawn.any()
    drawn[1:-1, 1:-1] = False
    assert not drawn.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 19), (3, 7), (2, 2), (9, 30), (10, 4)])
def test_tiny_map_gives_strokes_of_its_shape(shape):
    for edge_map in (np.zeros(shape, np.float32), np.random.default_rng(0).random(shape, np.float32)):
        drawn = strokes(edge_map, min_area=1)
        assert drawn.shape == shape
        assert drawn.dtype == bool


def test_map_is_left_as_it_was():
    edge_map = soft_line()
    before = edge_map.copy()
    strokes(edge_map)
    assert np.array_equal(edge_map, before)


@pytest.mark.parametrize("shape", [(5, 7, 3), (7,), (0, 4)])
def test_map_that_is_no_picture_is_refused(shape):
    with pytest.raises(ImageError, match="edge map"):
        strokes(np.zeros(shape, np.float32))


def test_strokes_are_drawn_black_on_white():
    drawn = draw_strokes(np.array([[True, False, False]]))
    assert drawn.shape == (1, 3, 3)
    assert drawn[0, :, 0].tolist() == [0, 255, 255]


# --- against references


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (6, 5), (61, 83)])
def test_thin_equals_scikit_image(share, shape):
    drawing = np.random.default_rng(1).random(shape) < share
    assert np.array_equal(thin(drawing), scikit_image_thin(drawing))


def test_thin_equals_scikit_image_on_drawn_shapes():
    canvas = np.zeros((90, 120), np.uint8)
    cv2.circle(canvas, (60, 45), 30, 1, 7)
    cv2.putText(canvas, "pix", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 2, 1, 5)
    assert np.array_equal(thin(canvas > 0), scikit_image_thin(canvas > 0))


def test_resize_keeps_a_ramp_straight():
    ramp = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    smaller = resize_map(ramp, 30, 20)
    assert smaller.shape == (20, 30)
    assert np.allclose(np.diff(smaller[:, 3:-3], axis=1), 2 / 59, atol=1e-5)


def test_resize_agrees_with_pillow():
    from PIL import Image

    edge_map = np.random.default_rng(0).random((50, 70), np.float32)
    pillow = np.asarray(Image.fromarray(edge_map).resize((32, 24), Image.Resampling.BICUBIC))
    # Pillow forgets the pixels beyond the border where MATLAB mirrors them.
    assert np.allclose(resize_map(edge_map, 32, 24)[3:-3, 3:-3], pillow[3:-3, 3:-3], atol=1e-5)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the authors' results are not at ../shared/data/strokes_oracle")
@pytest.mark.parametrize(("given", "expected", "white"), [("input", "open", 65535), ("input8", "open_from8bit", 255)])
def test_strokes_agree_with_the_authors_script(given, expected, white):
    scores = []
    for name, facts in json.loads((ORACLE / "index.json").read_text()).items():
        edge_map = cv2.imread(str(ORACLE / name / f"{given}.png"), cv2.IMREAD_UNCHANGED) / np.float32(white)
        authors = cv2.imread(str(ORACLE / name / f"{expected}.png"), cv2.IMREAD_GRAYSCALE) > 0
        drawn = strokes(resize_map(edge_map, authors.shape[1], authors.shape[0]))
        if facts["stable_f1"] >= ILL_CONDITIONED_F1:
            scores.append(f1(drawn, authors))
    assert np.mean(scores) >= 0.999
    assert min(scores) >= 0.99
