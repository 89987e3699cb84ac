"""Checkpoints of a run: everything that continuing it needs.

    checkpoints/step-000500/   config.json, model.safetensors (both networks, and the averaged generator),
                               optimizer.safetensors, state.json
    checkpoints/last           the name of the newest complete one
    checkpoints/best           the name of the one that did best on the validation split

Every folder is written beside its place and renamed, and the two names are written after it: a killed run leaves no
half checkpoint, and no name of one that is not there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import CheckpointError
from pix2pix_model.best import Best
from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.state import TrainState
from pix2pix_model.weights_file import (
    CONFIG,
    WEIGHTS,
    folder_beside,
    load_weights,
    read_json,
    read_tensors,
    with_prefix,
)

__all__ = ["load_state", "save_state", "tensors_of"]

_KEPT = 2  # newest checkpoints of a run, beside the best
_OPTIMIZER, _STATE = "optimizer.safetensors", "state.json"


def save_state(checkpoints_dir: Path, state: TrainState, config: ModelConfig) -> None:
    """Write the state as the newest checkpoint, then remove all but the newest two and the best.

    `config` describes the generator; the number of steps is the state's.

    Raises
    ------
    CheckpointError
        If the disk takes no more; the checkpoints before stay as they are.
    """
    folder = checkpoints_dir / _name(state.step)
    progress = {
        "step": state.step,
        "means": state.means.to_json(),
        "scaler": state.scaler.state_dict(),
        "best": asdict(state.best) if state.best else None,
    }
    with folder_beside(folder) as beside:
        save_file(_weights(state), beside / WEIGHTS)
        save_file(_moments(state), beside / _OPTIMIZER)
        (beside / _STATE).write_text(json.dumps(progress, indent=1) + "\n", encoding="utf-8")
        (beside / CONFIG).write_text(
            config.model_copy(update={"steps": state.step}).model_dump_json(indent=1) + "\n", encoding="utf-8"
        )
    write_file(checkpoints_dir / "last", f"{folder.name}\n")
    if state.best:
        write_file(checkpoints_dir / "best", f"{_name(state.best.step)}\n")
    _prune(checkpoints_dir, state)


def load_state(checkpoint_dir: Path, state: TrainState) -> None:
    """Put a checkpoint into a freshly built state.

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or the networks are others than the state's.
    """
    weights = read_tensors(checkpoint_dir / WEIGHTS)
    moments = read_tensors(checkpoint_dir / _OPTIMIZER)
    progress = read_json(checkpoint_dir / _STATE)
    for part, network in state.networks.items():
        # A run that begins to average on its way begins with the weights it has.
        own = with_prefix(weights, f"{part}.") or with_prefix(weights, "generator.")
        load_weights(network, own, checkpoint_dir / WEIGHTS)
    try:
        _load_progress(progress, moments, state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        fix = "continue from another checkpoint, or start anew with --new"
        raise CheckpointError(f"damaged: {error!r}", where=checkpoint_dir, fix=fix) from error


def _load_progress(progress: dict[str, Any], moments: dict[str, Tensor], state: TrainState) -> None:
    for part, optimizer in (("g", state.optimizer_g), ("d", state.optimizer_d)):
        by_index: dict[int, dict[str, Tensor]] = {}
        for name, tensor in with_prefix(moments, f"{part}.").items():
            index, moment = name.split(".")
            by_index.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": by_index, "param_groups": optimizer.state_dict()["param_groups"]})
    state.step = int(progress["step"])
    state.means.load_json(progress["means"], state.device.torch_device)
    state.best = Best(**progress["best"]) if progress.get("best") else None
    if progress["scaler"] and state.scaler.is_enabled():
        state.scaler.load_state_dict(progress["scaler"])


def tensors_of(state: TrainState) -> dict[str, Tensor]:
    """Return all tensors that a checkpoint holds: weights, running statistics, and what the optimisers remember."""
    return _weights(state) | {f"optimizer.{name}": tensor for name, tensor in _moments(state).items()}


def _weights(state: TrainState) -> dict[str, Tensor]:
    """Return all weights and running statistics as "generator.encoder.0.0.weight"."""
    return {
        f"{part}.{name}": tensor
        for part, network in state.networks.items()
        for name, tensor in network.state_dict().items()
    }


def _moments(state: TrainState) -> dict[str, Tensor]:
    """Return what both optimisers remember, as "g.0.exp_avg": network, number of the parameter, moment."""
    return {
        f"{part}.{index}.{name}": tensor
        for part, optimizer in (("g", state.optimizer_g), ("d", state.optimizer_d))
        for index, moments in optimizer.state_dict()["state"].items()
        for name, tensor in moments.items()
    }


def _prune(checkpoints_dir: Path, state: TrainState) -> None:
    if state.best is None:  # what was best by another measure is none any more
        (checkpoints_dir / "best").unlink(missing_ok=True)
    steps = sorted(int(path.name.removeprefix("step-")) for path in checkpoints_dir.glob("step-*"))
    kept = [step for step in steps if step <= state.step][-_KEPT:]  # a run that was set back repeats the later ones
    names = {_name(step) for step in kept} | ({_name(state.best.step)} if state.best else set())
    for path in checkpoints_dir.iterdir():
        if path.is_dir() and path.name not in names:  # and what a killed save left behind
            shutil.rmtree(path)


def _name(step: int) -> str:
    return f"step-{step:06d}"
