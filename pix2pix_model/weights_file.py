"""Folders of weights: there whole or not at all, and read with errors that name the file. No pickle anywhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pix2pix_data.errors import CheckpointError

__all__ = ["CONFIG", "WEIGHTS", "folder_beside", "load_weights", "read_json", "read_tensors", "with_prefix"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"

_ANOTHER = "take another checkpoint of the run, or fetch the model again"


@contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of `folder` when the block ends well.

    Raises
    ------
    CheckpointError
        If the disk takes no more; what was in `folder` stays.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        yield beside
        for file in beside.glob("*.safetensors"):  # written for their owner alone; people share models
            file.chmod(beside.stat().st_mode & 0o666)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except (OSError, SafetensorError) as error:
        fix = "make room, and give the same command again"
        raise CheckpointError(f"cannot be written: {error}", where=folder, fix=fix) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_json(path: Path) -> Any:
    """Read a JSON file; CheckpointError if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"missing or damaged: {error}", where=path, fix=_ANOTHER) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file onto the CPU; CheckpointError if it is missing or damaged."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"missing or damaged: {error}", where=path, fix=_ANOTHER) from error


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def load_weights(network: nn.Module, weights: dict[str, Tensor], where: Path) -> None:
    """Put weights into a network; CheckpointError if they are those of another one."""
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        fix = "continue with the generator, discriminator and crop size that the run began with"
        raise CheckpointError("the weights are those of another network", where=where, fix=fix) from error
