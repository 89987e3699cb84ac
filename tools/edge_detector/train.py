"""Train the small edge detector from scratch, on human contours and published drawings.

    torchrun --nproc-per-node 2 tools/edge_detector/train.py --data ../shared/data --out runs/edge_detector

One process with one thread per CPU core is the fastest on a CPU; on a GPU, plain `python` is right. A run that was
stopped goes on from its last checkpoint when it is started again.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.distributed as dist
from crops import Crop, Crops, HumanContours, PublishedDrawings
from network import DECODER, ENCODER, EdgeNetwork
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

NEGATIVE_WEIGHT = 1.1
"""HED's authors weigh pixels without an edge by so much more than their share asks for (BSDS, their follow-up code)."""

SIDE_WEIGHTS = (0.4, 0.28, 0.2, 0.12)
MAX_GRADIENT_NORM = 5.0
WARM_UP_STEPS = 150
EMA_DECAY = 0.998
SAVE_EVERY = 500
LOG_EVERY = 100
DEVELOPMENT_EVERY = 10
"""Every tenth pair of published drawings is kept for choosing the threshold."""


def edge_loss(
    logits: Tensor, target: Tensor, counts: Tensor, balance: float, edge_share: float | None = None
) -> Tensor:
    """Cross entropy against the share of annotators, with edges and the rest balanced photo by photo.

    Parameters
    ----------
    logits, target, counts : Tensor of shape (N, 1, H, W)
        `target` in [0, 1]; `counts` is 0 where a pixel is to be left out, else 1.
    balance : float
        1 gives all edges of a photo the weight of all the rest, as HED does. Then a pixel is at even odds where an edge
        has a chance of one in forty. Strokes are drawn at higher ones: 0.5 makes it one in seven.
    edge_share : float, optional
        Balance as if each photo had so large a share of edge. By default it is the photo's own, which lowers the odds
        in photos with many edges.

    Returns
    -------
    Tensor
        A scalar, of order 1.

    References
    ----------
    Xie and Tu 2015, arXiv:1504.06375, equation 2, with the annotators' share in place of their vote.
    """
    edges, rest = target * counts, (1 - target) * counts
    num_edges, num_rest = (part.sum((1, 2, 3), keepdim=True) for part in (edges, rest))
    share = num_edges / (num_edges + num_rest + 1e-6) if edge_share is None else torch.tensor(edge_share)
    loss = (1 - share) * edges * F.softplus(-logits)
    loss = loss + NEGATIVE_WEIGHT * share**balance * rest * F.softplus(logits)
    return loss.sum() / (0.05 * counts.sum() + 1e-6)  # edges are one pixel in twenty to forty


def deep_loss(
    outputs: tuple[Tensor, list[Tensor]], target: Tensor, counts: Tensor, balance: float
) -> tuple[Tensor, Tensor]:
    """Add the losses of the side outputs to that of the map: the sum, and the latter alone."""
    logits, sides = outputs
    own = edge_loss(logits, target, counts, balance)
    total = own
    for i, (weight, side) in enumerate(zip(SIDE_WEIGHTS, sides, strict=True)):
        step = 2 ** (i + 1)
        seen, counted = F.max_pool2d(target, step), -F.max_pool2d(-counts, step)
        total = total + weight * edge_loss(side, seen, counted, balance)
    return total, own


def learning_rate(step: int, num_steps: int, peak: float) -> float:
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * step / num_steps)) + 1e-6


def drawing_paths(folder: Path) -> list[Path]:
    """List the pairs to train on; see DEVELOPMENT_EVERY."""
    paths = sorted((folder / "photo_edges_shoes" / "train").iterdir())
    return [path for i, path in enumerate(paths) if i % DEVELOPMENT_EVERY]


def batches(crops: Crops, options: argparse.Namespace, first_step: int, rank: int, world: int) -> Iterator[Crop]:
    """Yield this process's part of each batch."""
    numbers = range(first_step * options.batch + rank, options.steps * options.batch, world)
    loader = DataLoader(
        crops,
        batch_size=options.batch // world,
        sampler=list(numbers),
        num_workers=options.workers,
        pin_memory=torch.cuda.is_available(),
    )
    yield from loader


def train(options: argparse.Namespace) -> None:
    """Run the steps that are left; rank 0 writes checkpoints, the curve, and the averaged weights."""
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = EdgeNetwork(options.encoder, options.decoder)
    if options.init:
        # Sides are for training alone: an exported file has none.
        network.load_state_dict(torch.load(options.init, weights_only=True)["average"], strict=False)
    network = network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": options.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    )
    step, elapsed_s, curve = 0, 0.0, []
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, elapsed_s, curve = saved["step"], saved["elapsed_s"], saved["curve"]
    parallel: nn.Module = DistributedDataParallel(network, broadcast_buffers=False) if world > 1 else network

    contours = HumanContours(options.data / "bsds500")
    drawings = PublishedDrawings(drawing_paths(options.data), options.upright_share) if options.drawing_share else None
    crops = Crops(contours, drawings, options.drawing_share, options.size, options.seed, options.steps * options.batch)
    started = time.monotonic() - elapsed_s
    running = curve[-1]["loss"] if curve else None
    network.train()
    for photos, target, counts in batches(crops, options, step, rank, world):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps, options.learning_rate)
        photos = photos.to(device, memory_format=torch.channels_last, non_blocking=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bfloat16):
            logits, sides = parallel(photos)
        outputs = logits.float(), [side.float() for side in sides]
        total, own = deep_loss(outputs, target.to(device), counts.to(device), options.balance)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        step += 1
        if rank:
            continue
        update_average(average, network, min(EMA_DECAY, (1 + step) / (10 + step)))
        running = own.item() if running is None else 0.98 * running + 0.02 * own.item()
        if step % LOG_EVERY == 0 or step == options.steps:
            elapsed_s = time.monotonic() - started
            curve.append({"step": step, "elapsed_s": round(elapsed_s), "loss": round(running, 4)})
            print(json.dumps(curve[-1]), flush=True)
        if step % SAVE_EVERY == 0 or step == options.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(), "step": step}
            state |= {"optimizer": optimizer.state_dict(), "elapsed_s": elapsed_s, "curve": curve}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights, and averaged statistics of the norms, towards those of the network."""
    for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def widths(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the small edge detector.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds bsds500/, photo_edges_shoes/")
    parser.add_argument("--out", type=Path, default=Path("runs/edge_detector"))
    parser.add_argument("--init", type=Path, help="checkpoint.pt of an earlier run, to start from its average")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--batch", type=int, default=8, help="crops per step, over all processes")
    parser.add_argument("--size", type=int, default=256, help="side of a crop, in pixels")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--weight-decay", type=float, default=0.02)
    parser.add_argument("--balance", type=float, default=0.5, help="1 balances edges against the rest entirely")
    parser.add_argument("--encoder", type=widths, default=ENCODER, help="channels of its levels, such as 16,32,64,64")
    parser.add_argument("--decoder", type=widths, default=DECODER, help="channels of its levels")
    parser.add_argument("--drawing-share", type=float, default=0.375, help="how many crops show published drawings")
    parser.add_argument(
        "--upright-share", type=float, default=0.0, help="how many of these are neither turned nor scaled"
    )
    parser.add_argument("--bfloat16", action="store_true", help="twice as fast or more on a GPU or a CPU with AMX")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="per process")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare crops; 12 with a GPU")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("gloo")
    try:
        train(options)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


if __name__ == "__main__":
    main()
