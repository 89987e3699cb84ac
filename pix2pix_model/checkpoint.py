"""A trained generator on disk: weights and all that is needed to use them rightly. No pickle anywhere.

    model/                     config.json, model.safetensors (the generator alone), README.md, examples/0.png
    checkpoints/step-000500/   holds one too; saved_state.py says what else
    checkpoints/last, best     the names of two of these

`load_model` takes any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save_file
from torch import nn

from pix2pix_data.errors import CheckpointError
from pix2pix_data.images import write_png
from pix2pix_data.side_facts import SideFacts
from pix2pix_model.nets import GENERATORS, GeneratorSpec, num_parameters
from pix2pix_model.picture_size import Size
from pix2pix_model.sides import Sides
from pix2pix_model.test_time import TestTime, set_test_time
from pix2pix_model.weights_file import (
    CONFIG,
    WEIGHTS,
    folder_beside,
    load_weights,
    read_json,
    read_tensors,
    with_prefix,
)

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = [
    "EXAMPLES",
    "DataFacts",
    "Model",
    "ModelConfig",
    "SourceFile",
    "best_checkpoint",
    "last_checkpoint",
    "load_model",
    "save_model",
]

EXAMPLES = "examples"
"""Folder, beside the weights, of a few pictures that the model may be given."""


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


class ModelConfig(_Facts):
    """config.json: all that is needed to build a generator and use it rightly.

    `data` and `steps` are None where they are not known: in what was imported from the `source` of others. `given` says
    what the pictures hold that the model is given, so that more of them can be drawn; None in models of before.
    """

    format: Literal[1] = 1
    name: str
    architecture: str
    spec: GeneratorSpec
    sides: Sides
    crop_size: Size
    test_time: TestTime = TestTime()
    data: DataFacts | None = None
    steps: int | None = None
    source: SourceFile | None = None
    given: SideFacts | None = None
    version: str


@dataclass(frozen=True, slots=True)
class Model:
    """A trained generator, ready for use.

    Attributes
    ----------
    generator : nn.Module
        On the CPU, in eval(), behaving as `config.test_time` says: maps (N, in_channels, H, W) in [-1, 1] to
        (N, out_channels, H, W) in [-1, 1], each picture independently of its neighbours. H and W must be multiples of
        `generator.multiple_px`.
    config : ModelConfig
    path : Path
        The folder that it was read from.
    """

    generator: nn.Module
    config: ModelConfig
    path: Path


# --- writing ------------------------------------------------------------------------------------------------------


def save_model(
    folder: Path, generator: nn.Module, config: ModelConfig, card: str, *, examples: Sequence[RGB] = ()
) -> None:
    """Write the finished generator, loadable with no flag; `examples` are pictures that it may be given."""
    with folder_beside(folder) as beside:
        save_file(generator.state_dict(), beside / WEIGHTS)
        (beside / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(card, encoding="utf-8")
        for number, example in enumerate(examples):
            write_png(beside / EXAMPLES / f"{number}.png", example)


# --- reading ------------------------------------------------------------------------------------------------------


def last_checkpoint(run_dir: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, None where there is none yet."""
    return _pointed_at(run_dir / "checkpoints" / "last")


def best_checkpoint(run_dir: Path) -> Path | None:
    """Return the checkpoint that did best on the validation split, None where none was measured."""
    return _pointed_at(run_dir / "checkpoints" / "best")


def _pointed_at(pointer: Path) -> Path | None:
    return pointer.parent / pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None


def load_model(path: Path) -> Model:
    """Load a trained generator.

    Parameters
    ----------
    path : Path
        A run folder (its finished model, or its last checkpoint while unfinished), a checkpoint folder,
        `checkpoints/best` or `checkpoints/last` of a run, or a model folder wherever it was copied to.

    Returns
    -------
    Model
        On the CPU and in eval(); see there for what `generator` takes and gives.
        `views.views_of(config.sides)` turns pictures into what it takes, and back.

    Raises
    ------
    CheckpointError
        If there is no model at `path`, or it is damaged, or needs a newer version.
    UsageError
        If its architecture is not installed.
    """
    folder = _model_folder(path)
    try:
        config = ModelConfig.model_validate(read_json(folder / CONFIG))
    except ValidationError as error:
        fix = "use the version of p2p that made it, or a newer one"
        raise CheckpointError("the model's description is not understood", where=folder / CONFIG, fix=fix) from error
    weights = read_tensors(folder / WEIGHTS)
    # A checkpoint holds the last weights and, where the recipe asks for them, the averaged ones, which are used.
    own = with_prefix(weights, "average.") or with_prefix(weights, "generator.") or weights
    build = GENERATORS.get(config.architecture)
    if _num_weights(build, config.spec) > sum(tensor.numel() for tensor in own.values()):
        fix = "get the model once more: its description and its weights belong to two"
        raise CheckpointError("the weights are those of another network", where=folder / WEIGHTS, fix=fix)
    generator = build(config.spec)
    load_weights(generator, own, folder / WEIGHTS)
    set_test_time(generator, config.test_time)
    return Model(generator.requires_grad_(False), config, folder)


def _num_weights(build: Callable[[GeneratorSpec], nn.Module], spec: GeneratorSpec) -> float:
    """Count the weights that a description asks for without making them: they may be more than any memory holds."""
    try:
        with torch.device("meta"):
            return num_parameters(build(spec))
    except RuntimeError:  # more than torch can count
        return math.inf


def _model_folder(path: Path) -> Path:
    pointed_at = _pointed_at(path) if path.name in ("last", "best") else None
    for folder in (path, path / "model", last_checkpoint(path), pointed_at):
        if folder is not None and (folder / CONFIG).is_file():
            return folder
    if not path.exists():
        raise CheckpointError(
            "there is no such run or model",
            where=path,
            fix="name a folder that p2p-train or p2p-model import wrote, such as runs/0001-facades",
        )
    if (path / "recipe.toml").is_file():
        raise CheckpointError(
            "this run has no checkpoint yet", where=path, fix="let it train for longer, or p2p-train --resume it"
        )
    raise CheckpointError(
        "this is no run, checkpoint or model",
        where=path,
        fix="give one that p2p-train wrote, such as runs/0001-...",
    )
