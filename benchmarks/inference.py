"""How long a picture takes from a trained generator, beside eager PyTorch as the authors' test.py runs it.

    python benchmarks/inference.py [--batches 1,4] [--rounds 15] [--size 256]

The same weights in both: their U-Net in training mode without gradients, so with the statistics of the picture, as
their `--eval` is off by default; ours as `p2p-model translate` runs it. Drawn pictures, one thread, processor time,
in turn.
Theirs is given one picture at a time, as test.py gives it; ours as many as a batch holds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from authors_style import build_generator

from pix2pix_data.console import exit_with_errors_told, result
from pix2pix_model.authors_layout import from_authors
from pix2pix_model.device import choose_device
from pix2pix_model.generation import run_generator
from pix2pix_model.recipe import DataSettings
from pix2pix_model.sides import sides_of
from pix2pix_model.views import views_of


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How long a picture takes from a trained generator.")
    parser.add_argument("--batches", default="1,4", help="pictures at once, with commas")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=256, help="side of a picture, in pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs = build_generator(options.size)
    for module in theirs.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # else no two pictures are the same
    ours = from_authors(theirs.state_dict(), Path("theirs")).generator.eval()
    device, views = choose_device("cpu", "float32"), views_of(sides_of(DataSettings(path=Path())))
    pictures = np.random.default_rng(0).integers(0, 256, (4, options.size, options.size, 3), dtype=np.uint8)

    @torch.no_grad()
    def eager(num: int) -> list[np.ndarray]:
        made = []
        for picture in pictures[:num]:
            b = theirs(torch.from_numpy(picture).permute(2, 0, 1)[None].float().div(255).sub(0.5).div(0.5))
            made.append(((b[0].permute(1, 2, 0) + 1) / 2 * 255).round().to(torch.uint8).numpy())
        return made

    def as_translate(num: int) -> list[np.ndarray]:
        return run_generator(ours, views, [[picture] for picture in pictures[:num]], device)

    apart = max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(eager(4), as_translate(4), strict=True))
    result(f"{options.size} px, one thread, {options.rounds} rounds in turn; at most {apart} of 255 levels apart")
    result("| pictures | eager ms | lowest to highest | translate ms | lowest to highest | ratio |")
    result("|---|---|---|---|---|---|")
    for num in map(int, options.batches.split(",")):
        rounds = [(taken_ms(eager, num), taken_ms(as_translate, num)) for _ in range(options.rounds)]
        a, b = zip(*rounds, strict=True)
        row = " | ".join(f"{median(ms):.0f} | {min(ms):.0f} to {max(ms):.0f}" for ms in (a, b))
        result(f"| {num} | {row} | {median(one / other for one, other in rounds):.2f} |")


def taken_ms(work: Callable[[int], object], num: int) -> float:
    start = time.process_time()
    work(num)
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    exit_with_errors_told(main)
