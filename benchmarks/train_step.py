"""How long a training step takes, beside one as the authors' PyTorch code does it.

    python benchmarks/train_step.py [--batches 1,4] [--rounds 7] [--size 256] [--precision float32]

Each side runs in a process of its own, started as its own command starts it, with one thread and drawn pictures; steps
are taken in turn, and processor time is read. Losses are compared first: five steps from the same weights, of the same
pictures, with the same dropout; in float64, as Adam makes a whole step of a gradient that is nothing but rounding. The
floor is what the multiplications of the authors' step would take at the speed of one large matrix product.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from unittest.mock import patch

from sides import Answers, Side, peak_mb

from pix2pix_data.memory import keep_memory

if TYPE_CHECKING:
    from authors_style import AuthorsTraining
    from torch import Tensor

    from pix2pix_model.state import TrainState

    Step = Callable[["Tensor", "Tensor"], dict[str, "Tensor"]]

LOSS_STEPS = 5
WARM_UP = 6  # steps until kernels are chosen, and kept memory is as much as it will be
PEAK_SIDE = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a training step takes.")
    parser.add_argument("--batches", default="1,4", help="batch sizes, with commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=256, help="side of a picture, in pixels")
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bf16"), help="of ours; theirs is float32"
    )
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    apart = Side(answers_of, "ours", options).ask("losses")
    theirs, ours = (Side(answers_of, name, options) for name in ("authors", "ours"))
    floor = theirs.ask("floor")
    print(f"{options.size} px, one thread, {options.rounds} steps each in turn; ours in {options.precision}")
    print(f"losses over {LOSS_STEPS} steps from the same weights, in float64: at most {apart:.1e} apart")
    print(f"{'batch':>5} {'theirs s':>9} {'spread':>12} {'ours s':>8} {'spread':>12} {'ratio':>6} {'of the floor':>13}")
    for batch in map(int, options.batches.split(",")):
        for side in (theirs, ours):
            for _ in range(WARM_UP):
                side.ask("step", batch)
        pairs = [(theirs.ask("step", batch), ours.ask("step", batch)) for _ in range(options.rounds)]
        a, b = zip(*pairs, strict=True)
        ratio = median(one / other for one, other in pairs)
        row = f"{batch:5} {median(a):9.2f} {min(a):6.2f}-{max(a):<5.2f} {median(b):8.2f} {min(b):6.2f}-{max(b):<5.2f}"
        print(f"{row} {ratio:5.2f}x {batch * floor / median(b):12.0%}", flush=True)
    print(f"memory at most: theirs {theirs.ask('memory'):.0f} MB, ours {ours.ask('memory'):.0f} MB")


def answers_of(name: str, options: argparse.Namespace) -> Answers:
    """Build both trainings in the process of one."""
    if name == "ours":
        keep_memory()  # as p2p-train does
    import torch

    torch.set_num_threads(1)
    networks = Networks(options)
    step = networks.theirs.step if name == "authors" else networks.step_of_ours
    return {
        "floor": networks.floor_s,
        "losses": networks.difference,
        "memory": peak_mb,
        "step": partial(timed, step, options.size),
    }


def timed(step: Step, size: int, batch: int) -> float:
    pictures = drawn(batch, size)
    start = time.process_time()
    step(*pictures)
    return time.process_time() - start


def drawn(batch: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    import torch

    draws = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2 * batch, 3, 8, 8, generator=draws) * 2 - 1
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    return smooth[:batch], smooth[batch:]


@dataclass
class Networks:
    """Both trainings; in each process one of them is timed."""

    options: argparse.Namespace

    def __post_init__(self) -> None:
        self.theirs, self.ours = self.built()

    def built(self) -> tuple[AuthorsTraining, TrainState]:
        import torch
        from authors_style import AuthorsTraining, build_discriminator, build_generator

        from pix2pix_model.device import choose_device
        from pix2pix_model.recipe import Recipe
        from pix2pix_model.state import build_state

        data = {"path": ".", "load_size": self.options.size, "crop_size": self.options.size}
        self.recipe = Recipe.model_validate({"data": data})
        generator, discriminator = build_generator(self.options.size), build_discriminator()
        device = choose_device("cpu", self.options.precision)
        return AuthorsTraining(generator, discriminator, torch.device("cpu")), build_state(self.recipe, device)

    def step_of_ours(self, a: Tensor, b: Tensor, state: TrainState | None = None) -> dict[str, Tensor]:
        from pix2pix_model.batch import Batch
        from pix2pix_model.step import train_step

        return train_step(state or self.ours, Batch(a, b), self.recipe)

    def difference(self) -> float:
        """Say how far the losses of both are apart at most, when they begin with the same weights."""
        import torch

        from pix2pix_model.authors_layout import from_authors

        theirs, ours = self.built()
        carried = from_authors(theirs.generator.state_dict(), Path("theirs")).generator
        ours.generator.load_state_dict(carried.state_dict())
        for own, given in zip(ours.discriminator.parameters(), theirs.discriminator.parameters(), strict=True):
            own.data.copy_(given)
        for network in (theirs.generator, theirs.discriminator, ours.generator, ours.discriminator):
            network.double()
        worst = 0.0
        with patch.object(torch.Tensor, "float", torch.Tensor.double):  # our losses insist on float32
            for number in range(LOSS_STEPS):
                a, b = (picture.double() for picture in drawn(1, self.options.size, seed=number))
                torch.manual_seed(number)
                expected = theirs.step(a, b)
                torch.manual_seed(number)
                found = self.step_of_ours(a, b, ours)
                worst = max(worst, *(abs(float(found[name] - value)) for name, value in expected.items()))
        return worst

    def floor_s(self) -> float:
        """Say what the multiplications of the authors' step take for one picture at the speed of a matrix product."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        from pix2pix_model.nets.products import product

        with FlopCounterMode(display=False) as counter:
            self.theirs.step(*drawn(1, self.options.size))
        left = torch.rand(PEAK_SIDE, PEAK_SIDE)
        times = []
        for _ in range(5):
            start = time.process_time()
            product(left, left)
            times.append(time.process_time() - start)
        return counter.get_total_flops() / (2 * PEAK_SIDE**3 / min(times))


if __name__ == "__main__":
    main()
