"""The boundary benchmark, against cases known by construction and against a plain assignment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # the benchmarks are scripts, not a package

import boundary_score as protocol  # noqa: E402
from bsds import canny_gradients, canny_lines, canny_map  # noqa: E402

BSDS = Path("../shared/data/bsds500")
DIAGONAL_RADIUS = 4.3  # of a BSDS500 photo


def place_all(shape: tuple[int, int]) -> np.ndarray:
    return np.arange(shape[0] * shape[1])


def plain_match(drawn: np.ndarray, boundary: np.ndarray, radius: float) -> tuple[int, float]:
    """Size and total distance of the best assignment, by a dense matrix."""
    distance = cdist(np.argwhere(drawn), np.argwhere(boundary))
    outside = 1e6
    rows, columns = linear_sum_assignment(np.where(distance <= radius, distance, outside))
    inside = distance[rows, columns] <= radius
    return int(inside.sum()), float(distance[rows, columns][inside].sum())


def blob_drawing(seed: int, share: float, shape: tuple[int, int] = (37, 44)) -> np.ndarray:
    """Wriggling thin lines with crowded and empty parts."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(shape, np.float32), (0, 0), 1.5)
    return protocol.thin(noise >= np.quantile(noise, 1 - share))


def wavy_boundary(height: int = 70, width: int = 90) -> np.ndarray:
    boundary = np.zeros((height, width), bool)
    columns = np.arange(10, width - 10)
    boundary[np.rint(height / 2 + 12 * np.sin(columns / 9)).astype(int), columns] = True
    return boundary


def rates_of(drawn: np.ndarray, boundary: np.ndarray) -> tuple[float, float]:
    """Recall and precision of a drawing at one threshold; the photo is 70 x 90, so the radius is 0.855 px."""
    counts = protocol.count_matches(
        drawn.astype(np.float32), boundary[None], protocol.even_thresholds(1), suppress=False
    )
    return counts[0, 0] / counts[0, 1], counts[0, 2] / counts[0, 3]


# --- matching -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("radius", [1.0, 2.3, DIAGONAL_RADIUS])
def test_matching_is_as_large_and_as_near_as_a_plain_assignment(seed, radius):
    boundary = blob_drawing(seed, 0.3)
    matcher = protocol.Matcher(boundary, place_all(boundary.shape), radius)
    for share in (0.05, 0.2, 0.5):  # the matcher grows each matching out of the last
        drawn = blob_drawing(seed + 100, share)
        hit = matcher.match(np.flatnonzero(drawn).astype(np.int32))
        matched = np.zeros_like(drawn)
        matched[drawn] = hit
        size, distance = plain_match(drawn, boundary, radius)
        assert hit.sum() == size
        # Those chosen can be matched at the least distance that any choice of as many has.
        assert plain_match(matched, boundary, radius) == (size, pytest.approx(distance))


def test_a_crowd_leaves_over_the_farthest():
    boundary, drawn = np.zeros((2, 9, 12), bool)
    boundary[4, 4:8] = True
    drawn[[2, 3, 6], 4:8] = True
    matched = protocol.Matcher(boundary, place_all(drawn.shape), 3).match(np.flatnonzero(drawn).astype(np.int32))
    assert matched.tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_the_order_of_drawings_changes_no_count():
    boundary = blob_drawing(3, 0.3)
    drawings = [np.flatnonzero(blob_drawing(seed, 0.3)).astype(np.int32) for seed in range(10, 16)]
    forwards = protocol.Matcher(boundary, place_all(boundary.shape), 2.3)
    counts = [forwards.match(drawn).sum() for drawn in drawings]
    backwards = protocol.Matcher(boundary, place_all(boundary.shape), 2.3)
    assert [backwards.match(drawn).sum() for drawn in drawings[::-1]] == counts[::-1]


def test_an_empty_drawing_and_an_empty_boundary_match_nothing():
    lines = blob_drawing(0, 0.2)
    places = place_all(lines.shape)
    assert protocol.Matcher(lines, places, 2).match(np.array([], np.int32)).tolist() == []
    assert not protocol.Matcher(np.zeros_like(lines), places, 2).match(np.flatnonzero(lines).astype(np.int32)).any()


# --- the protocol -------------------------------------------------------------------------------------------------


def test_a_boundary_is_found_by_itself():
    assert rates_of(wavy_boundary(), wavy_boundary()) == (1, 1)


def test_a_shift_within_the_radius_costs_nothing_and_beyond_it_everything():
    boundary = np.zeros((321, 481), bool)  # radius 4.34 px
    boundary[100, 50:400] = True
    for shift, found in ((1, 1), (4, 1), (5, 0)):
        assert rates_of(np.roll(boundary, shift, axis=0), boundary) == (found, found)


def test_a_drawn_pixel_is_no_partner_for_two():
    boundary, drawn = np.zeros((2, 321, 481), bool)
    boundary[100, 50:400], boundary[102, 50:400] = True, True
    drawn[101, 50:400] = True
    assert rates_of(drawn, boundary) == (0.5, 1)


def test_recall_is_over_all_annotators_and_precision_over_any():
    one, other = np.zeros((2, 321, 481), bool)
    one[100, 50:150], other[200, 50:350] = True, True
    counts = protocol.count_matches(
        one.astype(np.float32), np.array([one, one, other]), protocol.even_thresholds(3), suppress=False
    )
    assert counts.tolist() == [[200, 500, 100, 100]] * 3


def test_a_threshold_keeps_the_pixels_at_it():
    edge_map = np.zeros((40, 50), np.float32)
    edge_map[20, 5:45] = 0.2  # 51 of 255
    counts = protocol.count_matches(edge_map, (edge_map > 0)[None], np.array([0.199, 0.2, 0.201]), suppress=False)
    assert counts[:, 3].tolist() == [40, 40, 0]


def test_ridges_keep_the_crest_of_a_soft_ring():
    ring = np.zeros((80, 90), np.float32)
    cv2.circle(ring, (45, 40), 25, 1.0, 1)
    ridge = protocol.ridges(cv2.GaussianBlur(ring, (0, 0), 2))
    kept = ridge > ridge.max() / 2
    rows, columns = np.nonzero(kept)
    from_crest = np.abs(np.hypot(rows - 40, columns - 45) - 25)
    assert (from_crest < 1).mean() > 0.95
    assert kept.sum() > 2 * np.pi * 25 * 0.8  # nearly all of the ring


def test_ridges_fade_at_the_border():
    line = np.zeros((40, 60), np.float32)
    line[:, 30] = 1
    heights = protocol.ridges(line)[:, 30]
    assert heights[:6] / heights[20] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


# --- figures ------------------------------------------------------------------------------------------------------


def test_ods_shares_one_threshold_and_ois_takes_each_photos_own():
    # Each photo is perfect at one of two thresholds, and has no F above 2/3 at the other.
    counts = np.array([[[10, 10, 10, 10], [5, 10, 5, 5]], [[10, 10, 10, 20], [10, 10, 10, 10]]])
    found = protocol.figures(counts, np.array([0.25, 0.75]))
    assert found.ois == pytest.approx(1)
    # Pooled: R = 20/20, P = 20/30 at 0.25, F 0.8; R = 15/20, P = 15/15 at 0.75, F 6/7. Between them, at share s of the
    # way, R = 1 - s/4 and P = (2 + s)/3: F is largest close to s = 0.75.
    share = np.arange(100) / 99
    recall, precision = 1 - share / 4, (2 + share) / 3
    f_score = 2 * recall * precision / (recall + precision)
    assert found.ods == pytest.approx(f_score.max())
    assert found.threshold == pytest.approx(0.25 + 0.5 * share[f_score.argmax()])
    assert found.ods > 6 / 7


def test_average_precision_is_the_area_under_the_curve():
    # Precision 1 up to recall 1/2, then on a straight line to 1/2 at recall 1; recall 0 counts with precision 1.
    counts = np.array([[[20, 20, 20, 40], [10, 20, 10, 10], [0, 20, 3, 3]]])
    assert protocol.figures(counts, np.array([0.2, 0.5, 0.8])).ap == pytest.approx(0.5 + 0.375, abs=0.01)


def test_of_equal_recalls_the_one_at_the_highest_threshold_counts():
    counts = np.array([[[20, 20, 20, 80], [20, 20, 20, 20], [0, 20, 3, 3]]])
    assert protocol.figures(counts, np.array([0.2, 0.5, 0.8])).ap == pytest.approx(1, abs=0.02)


def test_one_threshold_and_an_empty_map_have_figures_too():
    found = protocol.figures(np.array([[[0, 20, 0, 0]]]), np.array([0.5]))
    assert (found.ods, found.ois, found.ap) == (0, 0, 0)
    assert found.threshold == 0.5


# --- Canny and the command ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [3, 20, 60])
def test_cutting_the_map_of_canny_gives_its_lines_at_that_threshold(level, draw):
    photo = draw(1)
    lines = canny_lines(*canny_gradients(photo), level)
    assert lines.any()
    assert np.array_equal(canny_map(photo) * 255 > level - 0.5, lines)


def test_the_threshold_of_canny_is_the_contrast_of_a_step():
    photo = np.full((60, 80, 3), 50, np.uint8)
    photo[:, 40:] = 150
    gradients = canny_gradients(photo)
    assert canny_lines(*gradients, 92)[1:-1].any(axis=1).all()
    assert not canny_lines(*gradients, 104).any()


def bsds(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "bsds.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(not BSDS.is_dir(), reason="BSDS500 is not at ../shared/data/bsds500")
def test_what_the_annotators_drew_together_scores_above_canny(tmp_path):
    photo = sorted((BSDS / "images" / "test").glob("*.jpg"))[0]
    with np.load(BSDS / "boundaries" / "test" / f"{photo.stem}.npz") as packed:
        drawn = np.unpackbits(packed["boundaries"], axis=2)[:, :, : packed["shape"][2]]
    np.save(tmp_path / f"{photo.stem}.npy", cv2.GaussianBlur(drawn.mean(axis=0, dtype=np.float32), (0, 0), 1))
    done = bsds(
        *("--data", BSDS, "--limit", 1, "--thresholds", 5, "--workers", 1),
        *("--detectors", "canny", "--maps", tmp_path),
    )
    assert done.returncode == 0, done.stderr
    canny, people = ([float(word) for word in line.split()[-6:-2]] for line in done.stdout.splitlines()[-2:])
    assert 0.3 < canny[0] < people[0], done.stdout


@pytest.mark.skipif(not BSDS.is_dir(), reason="BSDS500 is not at ../shared/data/bsds500")
def test_a_graph_on_which_a_bare_assignment_never_ends_is_scored():
    # Canny's lines on the second of these photos: scipy's solver hangs unless each column has a spare row.
    done = bsds(
        "--data", BSDS, "--split", "val", "--every", 95, "--thresholds", 40, "--detectors", "canny", "--workers", 1
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not BSDS.is_dir(), reason="BSDS500 is not at ../shared/data/bsds500")
def test_a_missing_map_is_told_before_any_work(tmp_path):
    done = bsds("--data", BSDS, "--limit", 1, "--detectors", "none", "--maps", tmp_path)
    assert done.returncode == 1
    assert "there is no map of photo" in done.stderr
    assert done.stdout == ""


def test_missing_data_is_told(tmp_path):
    done = bsds("--data", tmp_path)
    assert done.returncode == 1
    assert "there are no photos of BSDS500" in done.stderr
