"""Fit a trained detector more closely to the published drawings, at the very sizes at which it looks at a photo.

    python tools/edge_detector/finetune.py --init recovered.pt --data ../shared/data --out runs/finetuned

The network has no norms, so that crops of different sizes can be passed one size after the other, each as small as it
may be. Human contours keep a share. A run that was stopped goes on from its last checkpoint when it is started again.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from crops import Crop, HumanContours, PublishedDrawings, recoloured
from network import EdgeNetwork
from torch import nn
from torch.utils.data import default_collate
from train import LOG_EVERY, MAX_GRADIENT_NORM, WARM_UP_STEPS, drawing_paths, edge_loss, update_average

EMA_DECAY = 0.997
EDGE_SHARE = 0.055
"""About the share of edge in a published drawing. One threshold draws them all, so all are balanced alike."""
SAVE_EVERY = 100


class Group(NamedTuple):
    """Crops of one step that have one size: of drawings at a scale, or of human contours at any (scale 0)."""

    scale: float
    size: int
    number: int


GROUPS = (Group(1, 224, 3), Group(0.5, 112, 3), Group(1.5, 224, 2), Group(0, 224, 1))


def group_batch(group: Group, step: int, seed: int, drawings: PublishedDrawings, contours: HumanContours) -> Crop:
    """Cut the crops of a group at a step, the same ones at each call; every item is seen once in an epoch."""
    source = drawings if group.scale else contours
    kind = round(2 * group.scale)
    batch = []
    for number in range(step * group.number, (step + 1) * group.number):
        epoch, place = divmod(number, len(source.items))
        index = int(np.random.default_rng([seed, kind, epoch]).permutation(len(source.items))[place])
        rng = np.random.default_rng([seed, kind, epoch, place])
        crop = (
            drawings.turned(index, group.size, group.scale, 0.0, rng)
            if group.scale
            else contours.crop(index, group.size, rng)
        )
        batch.append((recoloured(crop[0], rng), *crop[1:]))
    photos, target, counts = default_collate(batch)
    return photos, target, counts


def learning_rate(step: int, num_steps: int, cooldown: int, peak: float) -> float:
    """Hold the peak, so that a run may be made longer before it cools down, then fall to nothing."""
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS, (num_steps - step) / cooldown)


def finetune(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    network = EdgeNetwork(norms=False)
    network.load_state_dict(torch.load(options.init, weights_only=True)["average"])
    network.eval()  # in training it would give its sides, too
    average = copy.deepcopy(network).requires_grad_(False)
    parameters = [p for name, p in network.named_parameters() if not name.startswith("side.")]
    optimizer = torch.optim.AdamW(parameters, weight_decay=options.weight_decay)
    step, elapsed_s, curve = 0, 0.0, []
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, elapsed_s, curve = saved["step"], saved["elapsed_s"], saved["curve"]
    drawings = PublishedDrawings(drawing_paths(options.data), 1.0)
    contours = HumanContours(options.data / "bsds500")
    started = time.monotonic() - elapsed_s
    total = sum(group.number for group in GROUPS)
    running = np.array(curve[-1]["losses"]) if curve else None
    while step < options.steps:
        for settings in optimizer.param_groups:
            settings["lr"] = learning_rate(step, options.steps, options.cooldown, options.learning_rate)
        optimizer.zero_grad(set_to_none=True)
        losses = []
        for group in GROUPS:
            photos, target, counts = group_batch(group, step, options.seed, drawings, contours)
            loss = edge_loss(network(photos)[0], target, counts, options.balance, EDGE_SHARE if group.scale else None)
            (group.number / total * loss).backward()
            losses.append(loss.item())
        nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
        optimizer.step()
        step += 1
        update_average(average, network, min(EMA_DECAY, (1 + step) / (10 + step)))
        running = np.array(losses) if running is None else 0.99 * running + 0.01 * np.array(losses)
        if step % LOG_EVERY == 0 or step == options.steps:
            elapsed_s = time.monotonic() - started
            curve.append({"step": step, "elapsed_s": round(elapsed_s), "losses": running.round(4).tolist()})
            print(json.dumps(curve[-1]), flush=True)
        if step % SAVE_EVERY == 0 or step == options.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(), "step": step}
            state |= {"optimizer": optimizer.state_dict(), "elapsed_s": elapsed_s, "curve": curve}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a trained detector more closely to the published drawings.")
    parser.add_argument("--init", type=Path, required=True, help="what recover.py wrote, or an earlier checkpoint.pt")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds bsds500/, photo_edges_shoes/")
    parser.add_argument("--out", type=Path, default=Path("runs/finetuned"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--cooldown", type=int, default=600, help="steps at the end in which the rate falls to nothing")
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--weight-decay", type=float, default=0.005)
    parser.add_argument("--balance", type=float, default=0.5, help="see train.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    finetune(options)


if __name__ == "__main__":
    main()
