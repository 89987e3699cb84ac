"""Regions of a label map."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label as scikit_image_label

from pix2pix_data.regions import clean_regions, majority, paint_means


def halves():
    labels = np.zeros((20, 31), np.uint8)
    labels[:, 15:] = 1
    return labels


def test_specks_join_their_nearest_neighbour():
    labels = halves()
    speckled = labels.copy()
    speckled[3:5, 4:6] = 1
    speckled[10, 25] = 2
    assert np.array_equal(clean_regions(speckled, 5), labels)
    assert np.array_equal(clean_regions(speckled, 1), speckled)


@pytest.mark.parametrize("seed", range(20))
def test_every_small_region_joins_the_nearest_large_one_and_no_other_pixel_moves(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    labels = np.kron(rng.integers(0, 3, (height, width), np.uint8), np.ones(rng.integers(1, 4, 2), np.uint8))
    regions = scikit_image_label(labels, background=-1, connectivity=1)
    small = (np.bincount(regions.ravel()) < 12)[regions]
    cleaned = clean_regions(labels, 12)
    if small.all():
        assert np.array_equal(cleaned, labels)
        return
    assert np.array_equal(cleaned[~small], labels[~small])
    large = np.argwhere(~small)
    for place in np.argwhere(small):
        distances = np.hypot(*(large - place).T)
        near = large[distances <= 1.05 * distances.min()]  # OpenCV measures by steps, to a few per cent
        assert cleaned[tuple(place)] in labels[tuple(near.T)]


def test_specks_alone_are_left_as_they_are():
    labels = (np.indices((6, 9)).sum(0) % 2).astype(np.uint8)
    assert np.array_equal(clean_regions(labels, 5), labels)


def test_the_majority_removes_noise_and_keeps_a_straight_border():
    noisy = halves()
    noisy[5, 5], noisy[12, 27] = 1, 0
    assert np.array_equal(majority(noisy), halves())


def test_two_labels_as_frequent_keep_their_places():
    labels = np.array([[3, 3, 200, 200]], np.uint8)
    assert np.array_equal(majority(labels, 3), labels)


def test_each_region_has_its_own_mean():
    labels = halves()
    labels[:, 20:25] = 0  # a second region of label 0
    photo = np.zeros((*labels.shape, 3), np.uint8)
    photo[:, :15], photo[:, 15:20], photo[:, 20:25], photo[:, 25:] = 10, 20, 30, 40
    photo[0, 0] = 100
    expected = photo.copy()
    expected[:, :15] = round((299 * 10 + 100) / 300)
    assert np.array_equal(paint_means(labels, photo), expected)


def test_one_pixel_is_one_region():
    one = np.full((1, 1), 255, np.uint8)
    photo = np.full((1, 1, 3), 77, np.uint8)
    assert np.array_equal(clean_regions(one, 9), one)
    assert np.array_equal(majority(one), one)
    assert np.array_equal(paint_means(one, photo), photo)
