"""Weights on disk: checkpoints of a run, the finished model, and loading either of them. No pickle anywhere.

    checkpoints/step-000500/   config.json, model.safetensors (both networks), optimizer.safetensors, state.json
    checkpoints/last           the name of the newest complete one
    model/                     config.json, model.safetensors (the generator alone), README.md

Every folder is written beside its place and renamed, so a killed run leaves no half checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import CheckpointError
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.picture_size import Size
from pix2pix_model.recipe import ColorSpaceName, Direction
from pix2pix_model.state import TrainState

__all__ = [
    "DataFacts",
    "Model",
    "ModelConfig",
    "SourceFile",
    "TestTime",
    "last_checkpoint",
    "load_model",
    "load_state",
    "save_checkpoint",
    "save_model",
]

_KEPT = 2  # newest checkpoints of a run
_CONFIG, _WEIGHTS, _OPTIMIZER, _STATE = "config.json", "model.safetensors", "optimizer.safetensors", "state.json"


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataFacts(_Facts):
    """The dataset that a model learned from."""

    name: str
    fingerprint: str
    num_pairs: dict[str, int]


class SourceFile(_Facts):
    """The file of others that a model was imported from."""

    name: str
    sha256: str


class TestTime(_Facts):
    """How the generator behaves once trained; `generator.eval()` does just this.

    `norm_statistics` "batch" means those of each picture by itself, as with the authors' batch of one. The authors
    leave dropout on; we leave it out, so that the same picture always gives the same result.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name
    norm_statistics: Literal["batch"] = "batch"
    dropout: Literal[False] = False


class ModelConfig(_Facts):
    """config.json: all that is needed to build a generator and use it rightly.

    `data` and `steps` are None where they are not known: in what was imported from the `source` of others.
    """

    format: Literal[1] = 1
    name: str
    architecture: str
    spec: GeneratorSpec
    direction: Direction
    color_space: ColorSpaceName = "rgb"
    crop_size: Size
    test_time: TestTime = TestTime()
    data: DataFacts | None = None
    steps: int | None = None
    source: SourceFile | None = None
    version: str


@dataclass(frozen=True, slots=True)
class Model:
    """A trained generator, ready for use.

    Attributes
    ----------
    generator : nn.Module
        On the CPU, in eval(): maps (N, in_channels, H, W) in [-1, 1] to (N, out_channels, H, W) in [-1, 1], each
        picture independently of its neighbours. H and W must be multiples of `generator.multiple_px`.
    config : ModelConfig
    path : Path
        The folder that it was read from.
    """

    generator: nn.Module
    config: ModelConfig
    path: Path


# --- writing ------------------------------------------------------------------------------------------------------


def save_checkpoint(checkpoints_dir: Path, state: TrainState, config: ModelConfig) -> None:
    """Write the state as the newest checkpoint, then remove all but the newest two.

    Raises
    ------
    CheckpointError
        If the disk takes no more; the checkpoints before stay as they are.
    """
    folder = checkpoints_dir / f"step-{state.step:06d}"
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    weights = {f"{part}.{name}": tensor for part, net in networks.items() for name, tensor in net.state_dict().items()}
    progress = {"step": state.step, "means": state.means.to_json(), "scaler": state.scaler.state_dict()}
    with _folder_beside(folder) as beside:
        save_file(weights, beside / _WEIGHTS)
        save_file(_optimizer_tensors(state), beside / _OPTIMIZER)
        (beside / _STATE).write_text(json.dumps(progress, indent=1) + "\n")
        (beside / _CONFIG).write_text(config.model_dump_json(indent=1) + "\n")
    write_file(checkpoints_dir / "last", f"{folder.name}\n")
    kept = sorted((path for path in checkpoints_dir.glob("step-*")), key=_step_of)[-_KEPT:]
    for path in checkpoints_dir.iterdir():
        if path.is_dir() and path not in kept:  # older ones, and what a killed save left behind
            shutil.rmtree(path)


def save_model(folder: Path, generator: nn.Module, config: ModelConfig, card: str) -> None:
    """Write the finished generator, loadable with no flag."""
    with _folder_beside(folder) as beside:
        save_file(generator.state_dict(), beside / _WEIGHTS)
        (beside / _CONFIG).write_text(config.model_dump_json(indent=1) + "\n")
        (beside / "README.md").write_text(card, encoding="utf-8")


@contextmanager
def _folder_beside(folder: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of `folder` when the block ends well."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        yield beside
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot be written: {error}", where=folder, fix="make room, and run again") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _optimizer_tensors(state: TrainState) -> dict[str, Tensor]:
    """Flatten both optimisers to tensors called "g.0.exp_avg": network, number of the parameter, moment."""
    return {
        f"{part}.{index}.{name}": tensor
        for part, optimizer in (("g", state.optimizer_g), ("d", state.optimizer_d))
        for index, moments in optimizer.state_dict()["state"].items()
        for name, tensor in moments.items()
    }


def _step_of(checkpoint_dir: Path) -> int:
    return int(checkpoint_dir.name.removeprefix("step-"))


# --- reading ------------------------------------------------------------------------------------------------------


def last_checkpoint(run_dir: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, None where there is none yet."""
    pointer = run_dir / "checkpoints" / "last"
    return pointer.parent / pointer.read_text().strip() if pointer.is_file() else None


def load_state(checkpoint_dir: Path, state: TrainState) -> None:
    """Put a checkpoint into a freshly built state.

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or the networks are others than the state's.
    """
    weights = _read_tensors(checkpoint_dir / _WEIGHTS)
    moments = _read_tensors(checkpoint_dir / _OPTIMIZER)
    progress = _read_json(checkpoint_dir / _STATE)
    for part, network in (("generator", state.generator), ("discriminator", state.discriminator)):
        _load_weights(network, _with_prefix(weights, f"{part}."), checkpoint_dir / _WEIGHTS)
    for part, optimizer in (("g", state.optimizer_g), ("d", state.optimizer_d)):
        by_index: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _with_prefix(moments, f"{part}.").items():
            index, moment = name.split(".")
            by_index.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": by_index, "param_groups": optimizer.state_dict()["param_groups"]})
    state.step = progress["step"]
    state.means.load_json(progress["means"], state.device.torch_device)
    if progress["scaler"] and state.scaler.is_enabled():
        state.scaler.load_state_dict(progress["scaler"])


def load_model(path: Path) -> Model:
    """Load a trained generator.

    Parameters
    ----------
    path : Path
        A run folder (its finished model, or its last checkpoint while unfinished), a checkpoint folder, or a model
        folder wherever it was copied to.

    Returns
    -------
    Model
        On the CPU and in eval(); see there for what `generator` takes and gives.
        `color_space.COLOR_SPACES[config.color_space]` turns pixels into what it takes, and back.

    Raises
    ------
    CheckpointError
        If there is no model at `path`, or it is damaged, or needs a newer version.
    UsageError
        If its architecture is not installed.
    """
    folder = _model_folder(path)
    try:
        config = ModelConfig.model_validate(_read_json(folder / _CONFIG))
    except ValidationError as error:
        fix = "use the version of p2p that made it, or a newer one"
        raise CheckpointError("the model's description is not understood", where=folder / _CONFIG, fix=fix) from error
    weights = _read_tensors(folder / _WEIGHTS)
    generator = GENERATORS.get(config.architecture)(config.spec)
    _load_weights(generator, _with_prefix(weights, "generator.") or weights, folder / _WEIGHTS)
    return Model(generator.eval().requires_grad_(False), config, folder)


def _model_folder(path: Path) -> Path:
    for folder in (path, path / "model", last_checkpoint(path)):
        if folder is not None and (folder / _CONFIG).is_file():
            return folder
    if not path.exists():
        raise CheckpointError("there is no such run or model", where=path)
    if (path / "recipe.toml").is_file():
        raise CheckpointError(
            "this run has no checkpoint yet", where=path, fix="let it train for longer, or p2p-train --resume it"
        )
    raise CheckpointError(
        "this is no run, checkpoint or model",
        where=path,
        fix="give one that p2p-train wrote, such as runs/0001-...",
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"missing or damaged: {error}", where=path) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"missing or damaged: {error}", where=path) from error


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _load_weights(network: nn.Module, weights: dict[str, Tensor], where: Path) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        fix = "continue with the generator, discriminator and crop size that the run began with"
        raise CheckpointError("the weights are those of another network", where=where, fix=fix) from error
