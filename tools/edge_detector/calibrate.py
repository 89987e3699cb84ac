"""Choose what `export.py --shift` adds to the log odds: so that as many strokes are drawn at 25/255 as in the paper.

    PYTHONPATH=benchmarks python tools/edge_detector/calibrate.py tiny.onnx --data ../shared/data

Takes an ONNX file that was written with a shift of 0, and the pairs of published drawings that training left out.
Unshifted log odds are so high that the detector lifts none of them. Precision equals recall where as much is drawn as
was published; F1 is flat there, and a little higher where less is drawn.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from published_edges import read_pairs, score
from train import DEVELOPMENT_EVERY

from pix2pix_data.edges.strokes import strokes
from pix2pix_data.edges.tiny import TinyDetector

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, BoolMap

SHIFTS = np.arange(-3.5, -1.49, 0.0625)


def main() -> None:
    parser = argparse.ArgumentParser(description="Choose the shift of the log odds.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector = TinyDetector(options.weights)
    pairs = read_pairs(options.data / "photo_edges_shoes" / "train", DEVELOPMENT_EVERY)
    log_odds = {id(photo): np.log(soft) - np.log1p(-soft) for photo, _ in pairs for soft in detector([photo])}

    def draw(shift: float, photo: RGB) -> BoolMap:
        return strokes(np.float32(1) / (1 + np.exp(-log_odds[id(photo)] - np.float32(shift))))

    best_shift, least_apart = 0.0, 1.0
    for shift in map(float, SHIFTS):
        found = score(functools.partial(draw, shift), pairs)
        print(
            f"{shift:7.4f}  precision {found.precision:.3f}  recall {found.recall:.3f}  F1 {found.f1:.4f}", flush=True
        )
        if abs(found.precision - found.recall) < least_apart:
            best_shift, least_apart = shift, abs(found.precision - found.recall)
    print(f"--shift {best_shift:g}")


if __name__ == "__main__":
    main()
