"""k-means of weighted points."""

from __future__ import annotations

import numpy as np
import pytest

from pix2pix_data import k_means as module
from pix2pix_data.k_means import k_means, settled


def clouds(num_each=200, seed=0):
    rng = np.random.default_rng(seed)
    middles = np.float32([[10, 0, 0], [60, 40, -20], [60, -40, 30], [90, 5, 5]])
    return middles, np.repeat(middles, num_each, axis=0) + rng.normal(0, 2, (4 * num_each, 3)).astype(np.float32)


def by_first(centers):
    return centers[np.lexsort((centers[:, 1], centers[:, 0]))]


def test_each_cloud_gets_its_mean():
    middles, points = clouds()
    found = k_means(points, np.ones(len(points), np.float32), 4, seed=0)
    means = points.reshape(4, -1, 3).mean(axis=1)
    assert np.abs(by_first(found.centers) - by_first(means)).max() < 0.02
    assert len(middles) == len(found.centers)


def test_inertia_is_that_of_the_nearest_centres():
    _, points = clouds()
    weights = np.linspace(0.5, 3, len(points), dtype=np.float32)
    found = settled(points, weights, k_means(points, weights, 3, seed=1).centers)
    apart = ((points[:, None].astype(np.float64) - found.centers) ** 2).sum(axis=2).min(axis=1)
    assert found.inertia == pytest.approx(float(apart @ weights), rel=1e-3)


def test_a_weight_counts_like_so_many_points():
    _, points = clouds(num_each=20)
    times = np.random.default_rng(2).integers(1, 6, len(points))
    start = points[[0, 25, 50, 70]]
    weighed = settled(points, times.astype(np.float32), start)
    repeated = np.repeat(points, times, axis=0)
    assert np.allclose(weighed.centers, settled(repeated, np.ones(len(repeated), np.float32), start).centers, atol=1e-3)


def test_no_more_clusters_than_points():
    points = np.float32([[0, 0, 0], [9, 9, 9]])
    found = k_means(points, np.float32([1, 5]), 7, seed=0)
    assert np.array_equal(by_first(found.centers), points)
    assert found.inertia == pytest.approx(0, abs=1e-3)


def test_points_in_blocks_give_the_same_centres(monkeypatch):
    _, points = clouds()
    weights = np.ones(len(points), np.float32)
    whole = k_means(points, weights, 5, seed=3)
    monkeypatch.setattr(module, "_BLOCK", 50 * 77)
    assert np.allclose(k_means(points, weights, 5, seed=3).centers, whole.centers, atol=0.05)


def test_inertia_is_as_low_as_that_of_scikit_learn():
    from sklearn.cluster import KMeans

    points = np.random.default_rng(4).normal(0, 20, (1500, 5)).astype(np.float32)
    weights = np.random.default_rng(5).integers(1, 90, len(points)).astype(np.float32)
    theirs = KMeans(8, n_init=10, random_state=0).fit(points, sample_weight=weights).inertia_
    assert settled(points, weights, k_means(points, weights, 8, seed=0).centers).inertia < 1.01 * theirs
