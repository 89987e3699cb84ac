"""The detectors on drawn photos: what is an edge, and what is not."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pix2pix_data.edges import tiny
from pix2pix_data.edges.classical import ClassicalDetector
from pix2pix_data.edges.detector import DETECTORS, EdgeDetector, make_detector
from pix2pix_data.edges.strokes import THRESHOLD, strokes
from pix2pix_data.edges.tiny import TINY_WEIGHTS
from pix2pix_data.errors import UsageError
from pix2pix_data.images import read_rgb

HEIGHT, WIDTH = 96, 128
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "photo_edges_shoes" / "val"

See = Callable[[np.ndarray], np.ndarray]


@functools.cache
def made(name: str) -> EdgeDetector:
    return make_detector(name)


@pytest.fixture(params=["classical", "tiny"])
def detector(request: pytest.FixtureRequest) -> EdgeDetector:
    return made(request.param)


@pytest.fixture
def edge_map(detector: EdgeDetector) -> See:
    return lambda photo: detector([photo])[0]


def see_classically(photo: np.ndarray) -> np.ndarray:
    return ClassicalDetector()([photo])[0]


def plain(color: tuple[int, int, int] = (200, 200, 200)) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), color, np.uint8)


def disc(color: tuple[int, int, int] = (150, 40, 60), *, on: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    photo = plain(on)
    cv2.circle(photo, (70, 45), 30, color, -1, cv2.LINE_AA)
    return photo


def distance_from_outline(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.abs(np.hypot(columns - 70, rows - 45) - 30.5)  # OpenCV's disc reaches half a pixel beyond its radius


def noise(sigma: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (HEIGHT, WIDTH, 3))


@pytest.mark.parametrize("gray", [0, 31, 128, 200, 255])
def test_blank_photo_has_no_edges(edge_map, gray):
    assert not strokes(edge_map(plain((gray, gray, 255 - gray))), threshold=THRESHOLD / 4).any()


def test_map_is_a_probability_for_each_pixel(edge_map):
    soft = edge_map(disc())
    assert soft.shape == (HEIGHT, WIDTH)
    assert soft.dtype == np.float32
    assert 0 <= soft.min() < 0.01
    assert 0.5 < soft.max() <= 1


def test_drawn_outline_is_found_within_one_pixel(edge_map):
    rows, columns = np.nonzero(strokes(edge_map(disc())))
    assert distance_from_outline(rows, columns).max() < 1.1


def test_outline_is_closed(edge_map):
    outside = (~strokes(edge_map(disc()))).astype(np.uint8)
    _, regions = cv2.connectedComponents(outside, connectivity=4)
    assert regions[45, 70] != regions[0, 0]


def test_edge_between_colours_of_one_lightness_is_found(edge_map):
    red, green = (190, 90, 90), (88, 131, 88)
    lightness = cv2.cvtColor(np.uint8([[red, green]]), cv2.COLOR_RGB2Lab)[0, :, 0].astype(int)
    assert lightness[0] == lightness[1]
    rows, columns = np.nonzero(strokes(edge_map(disc(red, on=green))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


def test_dark_photo_keeps_its_outline(edge_map):
    rows, columns = np.nonzero(strokes(edge_map(disc((10, 10, 12), on=(40, 38, 35)))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


def test_slow_shading_has_no_edges(edge_map):
    shading = np.linspace(60, 200, WIDTH).astype(np.uint8)
    assert not strokes(edge_map(np.tile(shading[None, :, None], (HEIGHT, 1, 3)))).any()


@pytest.mark.parametrize("sigma", [1, 3])
def test_noise_below_jpeg_level_is_not_drawn(edge_map, sigma):
    photo = np.clip(plain() + noise(sigma), 0, 255).astype(np.uint8)
    assert not strokes(edge_map(photo)).any()


def test_noise_does_not_break_the_outline(edge_map):
    photo = np.clip(disc() + noise(6), 0, 255).astype(np.uint8)
    rows, columns = np.nonzero(strokes(edge_map(photo)))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 3


def test_fine_texture_is_drawn_less_than_an_outline_of_its_contrast(edge_map):
    texture = plain()
    texture[::4, ::4] = 120
    texture[2::4, 2::4] = 120
    outline = disc((120, 120, 120), on=(200, 200, 200))
    assert np.percentile(edge_map(texture), 95) < edge_map(outline).max() / 4


def test_mirrored_photo_has_mirrored_edges():
    edge_map = see_classically  # a network with strides has no such symmetry
    photo = np.clip(disc() + noise(20), 0, 255).astype(np.uint8)[:, :-1]  # an odd width
    assert np.allclose(edge_map(photo[:, ::-1].copy())[:, ::-1], edge_map(photo), atol=1e-3)


def test_map_does_not_depend_on_the_other_photos(detector, edge_map):
    photos = [disc(), disc((0, 0, 0))[:70], plain()]
    together = detector(photos)
    assert all(np.array_equal(soft, edge_map(photo)) for soft, photo in zip(together, photos, strict=True))


def test_map_does_not_depend_on_the_number_of_threads(edge_map):
    photo = np.clip(disc() + noise(20), 0, 255).astype(np.uint8)
    before = cv2.getNumThreads()
    try:
        maps = []
        for num_threads in (1, 4):
            cv2.setNumThreads(num_threads)
            maps.append(edge_map(photo))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*maps)


def ramp_of_contrast(lowest: int, highest: int) -> np.ndarray:
    """A bright upper half; the lower half's contrast to it grows from left to right."""
    photo = plain((230, 230, 230))
    photo[HEIGHT // 2 :] -= np.linspace(lowest, highest, WIDTH).astype(np.uint8)[None, :, None]
    return photo


def test_faint_edge_is_drawn_only_where_it_joins_a_certain_one():
    edge_map = see_classically
    alone, joined = edge_map(ramp_of_contrast(6, 8)), edge_map(ramp_of_contrast(8, 60))
    assert alone.max() > 0.8 * THRESHOLD
    assert not strokes(alone).any()
    assert joined[:, 6:12].max() < 0.25
    assert strokes(joined)[:, 6:12].any(axis=0).all()


def test_misty_photo_keeps_its_outline(edge_map):
    rows, columns = np.nonzero(strokes(edge_map(disc((222, 222, 225), on=(235, 235, 235)))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (3, 7), (8, 1), (10, 31)])
def test_tiny_photo_gives_a_map_of_its_size(edge_map, shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    soft = edge_map(photo)
    assert soft.shape == shape
    assert np.isfinite(soft).all()


def test_no_photos_give_no_maps(detector):
    assert detector([]) == []


# --- the small network


def test_weights_weigh_less_than_a_megabyte():
    assert TINY_WEIGHTS.stat().st_size < 1e6


def test_tiles_give_the_map_of_the_whole_photo(monkeypatch):
    photo = cv2.resize(np.clip(disc() + noise(20), 0, 255).astype(np.uint8), (420, 263))
    whole = made("tiny")([photo])[0]
    monkeypatch.setattr(tiny, "_TILE_PX", 96)
    monkeypatch.setattr(tiny, "_REACH_PX", 32)
    too_little = made("tiny")([photo])[0]
    monkeypatch.setattr(tiny, "_REACH_PX", 256)
    assert np.abs(made("tiny")([photo])[0] - whole).max() < 1e-6
    assert np.abs(too_little - whole).max() > 1e-6, "the photo is too small for this test to fail"


def test_default_detector_loads_no_torch():
    code = (
        "import sys, numpy; from pix2pix_data.makers.edges import EdgesMaker\n"
        "EdgesMaker().derive([numpy.zeros((32, 48, 3), 'uint8')]); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "onnxruntime" in loaded
    assert {"torch", "datasets", "sklearn"}.isdisjoint(loaded)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs ../shared/data/photo_edges_shoes")
def test_strokes_agree_with_those_that_were_published():
    near, total = np.zeros(2), np.zeros(2)
    for path in sorted(PUBLISHED.iterdir())[::6]:
        photo, drawing = np.split(read_rgb(path), 2, axis=1)
        published = drawing.min(axis=2) < 128
        ours = strokes(made("tiny")([np.ascontiguousarray(photo)])[0])
        for i, (one, other) in enumerate(((ours, published), (published, ours))):
            distance = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            near[i] += (distance[one] <= 2).sum()
            total[i] += one.sum()
    precision, recall = near / total
    assert 2 * precision * recall / (precision + recall) > 0.88


def test_unknown_detector_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'classical'"):
        DETECTORS.get("clasical")
