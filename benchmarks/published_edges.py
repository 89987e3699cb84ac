"""How close our edges come to those that pix2pix was published with.

    python benchmarks/published_edges.py --data ../shared/data/photo_edges_shoes

Reads pairs with the photo on the left and the published drawing on the right, draws the photo, and counts the stroke
pixels that lie within 2 px of the other drawing, pooled over all pairs: precision for ours, recall for theirs.
Canny is given its best settings on train/; our detectors run at their defaults, but for those whose weights the user
brings. Scores are on val/.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from pix2pix_data.edges.detector import DETECTORS, WEIGHTS
from pix2pix_data.edges.strokes import strokes
from pix2pix_data.images import read_rgb

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, BoolMap

    Draw = Callable[[RGB], BoolMap]

TOLERANCE_PX = 2
DARK = 128  # the published drawings are JPEG files: their strokes have grey halos
CANNY_SIGMAS = (1.0, 1.5, 2.0, 3.0)
CANNY_HIGHS = (20, 40, 60, 80, 120, 160)
CANNY_LOW_SHARES = (0.3, 0.6)


@dataclass(frozen=True)
class Score:
    """Pooled counts of stroke pixels: hits and totals, of ours and of the published ones."""

    counts: npt.NDArray[np.int64]
    elapsed_s: float

    @property
    def precision(self) -> float:
        return float(self.counts[0] / max(self.counts[1], 1))

    @property
    def recall(self) -> float:
        return float(self.counts[2] / max(self.counts[3], 1))

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def read_pairs(folder: Path, every: int = 1) -> list[tuple[RGB, BoolMap]]:
    pairs = []
    for path in sorted(folder.iterdir())[::every]:
        photo, drawing = np.split(read_rgb(path), 2, axis=1)
        pairs.append((np.ascontiguousarray(photo), drawing.min(axis=2) < DARK))
    return pairs


def score(draw: Draw, pairs: list[tuple[RGB, BoolMap]]) -> Score:
    counts, elapsed_s = np.zeros(4, np.int64), 0.0
    for photo, published in pairs:
        start = time.perf_counter()
        ours = draw(photo)
        elapsed_s += time.perf_counter() - start
        counts += (_num_near(ours, published), ours.sum(), _num_near(published, ours), published.sum())
    return Score(counts, elapsed_s)


def _num_near(strokes_here: BoolMap, strokes_there: BoolMap) -> int:
    """Count the pixels here that have one there within the tolerance."""
    if not strokes_there.any():
        return 0
    distance = cv2.distanceTransform((~strokes_there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return int((distance[strokes_here] <= TOLERANCE_PX).sum())


def canny(sigma: float, low: float, high: float) -> Draw:
    def draw(photo: RGB) -> BoolMap:
        gray = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), sigma)
        return np.asarray(cv2.Canny(gray, low, high, L2gradient=True) > 0)

    return draw


def canny_settings() -> Iterator[tuple[float, float, float]]:
    for sigma, high, share in itertools.product(CANNY_SIGMAS, CANNY_HIGHS, CANNY_LOW_SHARES):
        yield sigma, share * high, high


def detector(name: str) -> Draw:
    see = DETECTORS.get(name)()
    return lambda photo: strokes(see([photo])[0])


def print_row(name: str, row: Score, num_photos: int) -> None:
    ms = 1000 * row.elapsed_s / num_photos
    print(f"{name:<44} {row.precision:9.3f} {row.recall:7.3f} {row.f1:6.3f} {ms:9.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="How close our edges come to the published ones.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/photo_edges_shoes"), help="train/ and val/")
    parser.add_argument("--every", type=int, default=8, metavar="N", help="tune Canny on every N-th training pair")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    train, val = read_pairs(options.data / "train", options.every), read_pairs(options.data / "val")

    print(f"{len(val)} pairs of {options.data / 'val'}; stroke pixels within {TOLERANCE_PX} px")
    print(f"{'':<44} {'precision':>9} {'recall':>7} {'F1':>6} {'ms/photo':>9}")
    sigma, low, high = max(canny_settings(), key=lambda settings: score(canny(*settings), train).f1)
    print_row(f"Canny, sigma {sigma:g}, {low:g} to {high:g} (tuned)", score(canny(sigma, low, high), val), len(val))
    for name in sorted(set(DETECTORS.names()) - set(WEIGHTS.names())):
        print_row(f"p2p-data edges --detector {name}", score(detector(name), val), len(val))


if __name__ == "__main__":
    main()
