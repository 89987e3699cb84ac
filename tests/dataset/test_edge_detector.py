"""The classical detector on drawn photos: what is an edge, and what is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pix2pix_data.edges.classical import ClassicalDetector
from pix2pix_data.edges.detector import DETECTORS
from pix2pix_data.edges.strokes import THRESHOLD, strokes
from pix2pix_data.errors import UsageError

HEIGHT, WIDTH = 96, 128


def edge_map(photo: np.ndarray) -> np.ndarray:
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
def test_blank_photo_has_no_edges(gray):
    assert not edge_map(plain((gray, gray, 255 - gray))).any()


def test_map_is_a_probability_for_each_pixel():
    soft = edge_map(disc())
    assert soft.shape == (HEIGHT, WIDTH)
    assert soft.dtype == np.float32
    assert 0 <= soft.min() < 0.01
    assert 0.9 < soft.max() <= 1


def test_drawn_outline_is_found_within_one_pixel():
    rows, columns = np.nonzero(strokes(edge_map(disc())))
    assert distance_from_outline(rows, columns).max() < 1.1


def test_outline_is_closed():
    outside = (~strokes(edge_map(disc()))).astype(np.uint8)
    _, regions = cv2.connectedComponents(outside, connectivity=4)
    assert regions[45, 70] != regions[0, 0]


def test_edge_between_colours_of_one_lightness_is_found():
    red, green = (190, 90, 90), (88, 131, 88)
    lightness = cv2.cvtColor(np.uint8([[red, green]]), cv2.COLOR_RGB2Lab)[0, :, 0].astype(int)
    assert lightness[0] == lightness[1]
    rows, columns = np.nonzero(strokes(edge_map(disc(red, on=green))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


def test_dark_photo_keeps_its_outline():
    rows, columns = np.nonzero(strokes(edge_map(disc((10, 10, 12), on=(40, 38, 35)))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


def test_slow_shading_has_no_edges():
    shading = np.linspace(60, 200, WIDTH).astype(np.uint8)
    assert not strokes(edge_map(np.tile(shading[None, :, None], (HEIGHT, 1, 3)))).any()


@pytest.mark.parametrize("sigma", [1, 3])
def test_noise_below_jpeg_level_is_not_drawn(sigma):
    photo = np.clip(plain() + noise(sigma), 0, 255).astype(np.uint8)
    assert not strokes(edge_map(photo)).any()


def test_noise_does_not_break_the_outline():
    photo = np.clip(disc() + noise(6), 0, 255).astype(np.uint8)
    rows, columns = np.nonzero(strokes(edge_map(photo)))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 3


def test_fine_texture_is_drawn_less_than_an_outline_of_its_contrast():
    texture = plain()
    texture[::4, ::4] = 120
    texture[2::4, 2::4] = 120
    outline = disc((120, 120, 120), on=(200, 200, 200))
    assert np.percentile(edge_map(texture), 95) < edge_map(outline).max() / 4


def test_mirrored_photo_has_mirrored_edges():
    photo = np.clip(disc() + noise(20), 0, 255).astype(np.uint8)[:, :-1]  # an odd width
    assert np.allclose(edge_map(photo[:, ::-1].copy())[:, ::-1], edge_map(photo), atol=1e-3)


def test_map_does_not_depend_on_the_other_photos():
    photos = [disc(), disc((0, 0, 0))[:70], plain()]
    together = ClassicalDetector()(photos)
    assert all(np.array_equal(soft, edge_map(photo)) for soft, photo in zip(together, photos, strict=True))


def test_map_does_not_depend_on_the_number_of_threads():
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
    alone, joined = edge_map(ramp_of_contrast(6, 8)), edge_map(ramp_of_contrast(8, 60))
    assert alone.max() > 0.8 * THRESHOLD
    assert not strokes(alone).any()
    assert joined[:, 6:12].max() < 0.25
    assert strokes(joined)[:, 6:12].any(axis=0).all()


def test_misty_photo_keeps_its_outline():
    rows, columns = np.nonzero(strokes(edge_map(disc((222, 222, 225), on=(235, 235, 235)))))
    assert len(rows) > 150
    assert distance_from_outline(rows, columns).max() <= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (3, 7), (8, 1), (10, 31)])
def test_tiny_photo_gives_a_map_of_its_size(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    soft = edge_map(photo)
    assert soft.shape == shape
    assert np.isfinite(soft).all()


def test_no_photos_give_no_maps():
    assert ClassicalDetector()([]) == []


def test_detector_is_found_by_name():
    assert isinstance(DETECTORS.get("classical")(), ClassicalDetector)


def test_unknown_detector_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'classical'"):
        DETECTORS.get("clasical")
