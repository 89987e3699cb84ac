"""How many pictures a second a GPU trains on, launched in each way, beside a step as the authors' PyTorch code does it.

    python benchmarks/gpu_step.py [--shapes 1x256,4x256,16x256,64x256,1x512] [--rounds 5] [--ways graph,...]

Needs torch, numpy and pydantic alone. Pictures are drawn; the networks are the paper's. Ways take turns, a second at a
time; printed are medians, how many times the speed of the first way they are, and the memory beside what there was.
Then, for the first shape: whether any step waits for the device, how many kernels it has and how long they work, and
how far apart the losses of two runs are, launched alike and not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import TypeAlias

import torch
from authors_style import AuthorsTraining, build_discriminator, build_generator
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from pix2pix_model.batch import Batch
from pix2pix_model.device import choose_device
from pix2pix_model.recipe import DeviceName, PrecisionName, Recipe
from pix2pix_model.runners import CompiledStep, GraphedStep, StepRunner
from pix2pix_model.state import build_state
from pix2pix_model.step import train_step

Step: TypeAlias = Callable[[Tensor, Tensor], dict[str, Tensor]]

TURN_S = 1.0  # of each way in each round
WARM_UP = 12  # steps: kernels are chosen, networks compiled, the step captured
CURVE_STEPS = 200


@dataclass(frozen=True)
class Way:
    """One way to do a step.

    Attributes
    ----------
    precision : str
        Of ours.
    runner : callable, optional
        Makes what launches our steps; theirs have none.
    tf32 : bool
        Whether products of float32 are rounded to it.
    channels_last : bool
        Whether weights and pictures lie in memory pixel by pixel, as tensor cores take them.
    """

    name: str
    precision: PrecisionName = "float32"
    runner: Callable[[], StepRunner] | None = None
    tf32: bool = False
    channels_last: bool = False


WAYS = {
    "theirs": Way("authors, float32"),
    "theirs-tf32": Way("authors, TF32", tf32=True),
    "float32": Way("ours, float32", "float32", lambda: train_step),
    "bf16": Way("ours, bf16", "bf16", lambda: train_step),
    "compile": Way("ours, bf16, compiled", "bf16", CompiledStep),
    "graph": Way("ours, bf16, one graph", "bf16", GraphedStep),
    "last": Way("ours, bf16, channels last", "bf16", lambda: train_step, channels_last=True),
    "last-graph": Way("ours, bf16, channels last, one graph", "bf16", GraphedStep, channels_last=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How many pictures a second a GPU trains on.")
    parser.add_argument("--shapes", default="1x256,4x256,16x256,64x256,1x512", help="batch x side, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", default=",".join(WAYS), help="with commas; the first is the baseline")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: to try this script")
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    if unknown := set(options.ways.split(",")) - WAYS.keys():
        parser.error(f"--ways: no {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    torch.backends.cudnn.benchmark = True  # as p2p-train has it
    ways = [WAYS[name] for name in options.ways.split(",")]
    name = torch.cuda.get_device_name() if options.device == "cuda" else "the CPU"
    print(f"{name}, torch {torch.__version__}, {options.rounds} rounds in turn")
    shapes = [tuple(map(int, shape.split("x"))) for shape in options.shapes.split(",")]
    print("| batch | px | way | pictures/s | lowest to highest | against the first | MiB beside weights |")
    print("|---|---|---|---|---|---|---|")
    for batch, size in shapes:
        print_speeds(ways, batch, size, options)
        torch.compiler.reset()
        torch.cuda.empty_cache()
    batch, size = shapes[0]
    if options.device == "cuda":
        print_kernels(ways, batch, size, options.width)
    print_curves(ways, batch, size, options)


# --- a step -------------------------------------------------------------------------------------------------------


def build(way: Way, size: int, device: DeviceName, width: int) -> Step:
    """Build networks from the seed that all share; returns what does a step of them."""
    if way.runner is None:
        torch.manual_seed(0)
        networks = build_generator(size, width), build_discriminator(width)
        return AuthorsTraining(*networks, torch.device(device)).step
    data = {"path": ".", "load_size": size, "crop_size": size}
    nets = {"generator": {"width": width}, "discriminator": {"width": width}}
    recipe = Recipe.model_validate({"data": data, **nets})
    state = build_state(recipe, choose_device(device, way.precision))
    run, numbers = way.runner(), count()
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    for network in state.networks.values():
        network.to(memory_format=layout)  # type: ignore[call-overload]

    def step(a: Tensor, b: Tensor) -> dict[str, Tensor]:
        state.set_learning_rate(recipe.train.learning_rate)
        torch.manual_seed(next(numbers))
        return run(state, Batch(a.contiguous(memory_format=layout), b.contiguous(memory_format=layout)), recipe)

    return step


@contextmanager
def precision_of(way: Way) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = way.tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def drawn(batch: int, size: int, device: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2 * batch, 3, 8, 8, generator=draws) * 2 - 1
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear").to(device)
    return smooth[:batch].clone(), smooth[batch:].clone()


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


# --- the tables ---------------------------------------------------------------------------------------------------


def print_speeds(ways: Sequence[Way], batch: int, size: int, options: argparse.Namespace) -> None:
    pictures = drawn(batch, size, options.device)
    steps, memory = [], []
    for way in ways:
        step = build(way, size, options.device, options.width)
        before = torch.cuda.memory_allocated() if options.device == "cuda" else 0
        with precision_of(way):
            repeat(step, pictures, WARM_UP, options.device)
        steps.append(step)
        memory.append((torch.cuda.max_memory_allocated() - before) / 2**20 if options.device == "cuda" else 0.0)
        if options.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
    speeds: list[list[float]] = [[] for _ in ways]
    for _ in range(options.rounds):
        for way, step, taken in zip(ways, steps, speeds, strict=True):
            with precision_of(way):
                taken.append(batch * steps_per_s(step, pictures, options.device))
    for way, own, mib in zip(ways, speeds, memory, strict=True):
        ratio = median(one / first for one, first in zip(own, speeds[0], strict=True))
        spread = f"{min(own):.0f} to {max(own):.0f}"
        print(f"| {batch} | {size} | {way.name} | {median(own):.0f} | {spread} | {ratio:.2f} | {mib:.0f} |", flush=True)


def repeat(step: Step, pictures: tuple[Tensor, Tensor], num: int, device: str) -> float:
    """Do some steps; returns the seconds until the device has done them."""
    start = time.perf_counter()
    for _ in range(num):
        step(*pictures)
    wait(device)
    return time.perf_counter() - start


def steps_per_s(step: Step, pictures: tuple[Tensor, Tensor], device: str) -> float:
    num = max(1, int(TURN_S / (repeat(step, pictures, 2, device) / 2)))
    return num / repeat(step, pictures, num, device)


def print_kernels(ways: Sequence[Way], batch: int, size: int, width: int) -> None:
    """Say what a step waits for, and what the device does meanwhile."""
    pictures = drawn(batch, size, "cuda")
    print(
        f"\nbatch {batch}, {size} px\n| way | waits for the device | kernels in a step | they work, ms | a step, ms |"
    )
    print("|---|---|---|---|---|")
    num = 20
    for way in ways:
        step = build(way, size, "cuda", width)
        with precision_of(way):
            repeat(step, pictures, WARM_UP, "cuda")
            step_ms = repeat(step, pictures, num, "cuda") / num * 1e3
            with profile(activities=[ProfilerActivity.CUDA]) as profiled:
                repeat(step, pictures, num, "cuda")
            waits = waiting(step, pictures)
        kernels = [event for event in profiled.events() if event.device_type == torch.autograd.DeviceType.CUDA]
        busy_ms = sum(event.device_time_total for event in kernels) / num / 1e3
        print(f"| {way.name} | {waits} | {len(kernels) / num:.0f} | {busy_ms:.2f} | {step_ms:.2f} |", flush=True)


def waiting(step: Step, pictures: tuple[Tensor, Tensor]) -> str:
    """Let torch refuse whatever would wait for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(*pictures)
    except RuntimeError as error:
        return f"yes: {str(error).splitlines()[0][:60]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "no"


def print_curves(ways: Sequence[Way], batch: int, size: int, options: argparse.Namespace) -> None:
    """Say how far apart losses are after the same batches: of two runs launched alike, and of each way."""
    ours = [way for way in ways if way.runner and way.precision == "bf16"]
    if not ours:
        return
    print(f"\nL1 of the generator, mean of the last quarter of {CURVE_STEPS} steps")
    for way in (ours[0], *ours):
        step = build(way, size, options.device, options.width)
        batches = (drawn(batch, size, options.device, seed=number % 50) for number in range(CURVE_STEPS))
        losses = torch.stack([step(*pictures)["loss_g_l1"] for pictures in batches])
        print(f"{way.name}: {losses[-CURVE_STEPS // 4 :].mean().item():.5f}", flush=True)


if __name__ == "__main__":
    main()
