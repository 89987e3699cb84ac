"""How long a picture takes from a trained generator, beside eager PyTorch as the authors' test.py runs it.

    python benchmarks/inference.py [--batches 1,4] [--rounds 15] [--size 256]

The same weights in both: their U-Net in training mode without gradients, so with the statistics of the picture, as
their `--eval` is off by default; ours as `p2p-model translate` runs it. Drawn pictures, one thread, processor time.
Each side runs in a process of its own, started as its own command starts it; they take turns.
Theirs is given one picture at a time, as test.py gives it; ours as many as a batch holds.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from sides import Answers, Side, peak_mb

from pix2pix_data.memory import keep_memory

if TYPE_CHECKING:
    import numpy.typing as npt

    Pictures = list[npt.NDArray[np.uint8]]  # (H, W, 3) each

WARM_UP = 5  # rounds until memory has settled


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How long a picture takes from a trained generator.")
    parser.add_argument("--batches", default="1,4", help="pictures at once, with commas")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", type=int, default=256, help="side of a picture, in pixels")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    theirs, ours = (Side(answers_of, name, options.size) for name in ("eager", "translate"))
    apart = max(
        int(np.abs(a.astype(int) - b).max())
        for a, b in zip(theirs.ask("pictures", 4), ours.ask("pictures", 4), strict=True)
    )
    print(f"{options.size} px, one thread, {options.rounds} rounds in turn; at most {apart} of 255 levels apart")
    print("| pictures | eager ms | lowest to highest | translate ms | lowest to highest | ratio |")
    print("|---|---|---|---|---|---|")
    for num in map(int, options.batches.split(",")):
        rounds = [(theirs.ask("ms", num), ours.ask("ms", num)) for _ in range(WARM_UP + options.rounds)][WARM_UP:]
        a, b = zip(*rounds, strict=True)
        row = " | ".join(f"{median(ms):.0f} | {min(ms):.0f} to {max(ms):.0f}" for ms in (a, b))
        print(f"| {num} | {row} | {median(one / other for one, other in rounds):.2f} |", flush=True)
    print(f"memory at most: eager {theirs.ask('memory'):.0f} MB, translate {ours.ask('memory'):.0f} MB")


def answers_of(name: str, size: int) -> Answers:
    """Build the same generator in the process of one side."""
    if name == "translate":
        keep_memory()  # as p2p-model translate does
    import torch
    from authors_style import build_generator

    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs = build_generator(size)
    for module in theirs.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # else no two pictures are the same
    given = list(np.random.default_rng(0).integers(0, 256, (64, size, size, 3), dtype=np.uint8))
    make = partial(eager, theirs) if name == "eager" else as_translate(theirs)
    return {
        "ms": lambda num: taken_ms(make, given[:num]),
        "pictures": lambda num: make(given[:num]),
        "memory": peak_mb,
    }


def eager(generator: Callable[..., object], given: Pictures) -> Pictures:
    import torch

    made = []
    for picture in given:
        with torch.no_grad():
            b = generator(torch.from_numpy(picture).permute(2, 0, 1)[None].float().div(255).sub(0.5).div(0.5))
        assert isinstance(b, torch.Tensor)
        made.append(((b[0].permute(1, 2, 0) + 1) / 2 * 255).round().to(torch.uint8).numpy())
    return made


def as_translate(theirs: object) -> Callable[[Pictures], Pictures]:
    from torch import nn

    from pix2pix_model.authors_layout import from_authors
    from pix2pix_model.device import choose_device
    from pix2pix_model.generation import run_generator
    from pix2pix_model.recipe import DataSettings
    from pix2pix_model.sides import sides_of
    from pix2pix_model.views import views_of

    assert isinstance(theirs, nn.Module)
    ours = from_authors(theirs.state_dict(), Path("theirs")).generator.eval()
    device, views = choose_device("cpu", "float32"), views_of(sides_of(DataSettings(path=Path())))
    return lambda given: run_generator(ours, views, [[picture] for picture in given], device)


def taken_ms(make: Callable[[Pictures], Pictures], given: Pictures) -> float:
    start = time.process_time()
    make(given)
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    main()
