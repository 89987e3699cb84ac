"""The two codes of the authors: what they set differently, for `p2p-train --reference`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pix2pix_model.recipe_file import read_settings

__all__ = ["REFERENCES", "Applied", "ReferenceName", "apply_reference"]

ReferenceName: TypeAlias = Literal["torch", "pytorch"]

REFERENCES: dict[ReferenceName, dict[str, Any]] = {
    # phillipi/pix2pix, which the paper's figures come from: train.lua, models.lua, data/donkey_folder.lua and
    # data/dataset.lua. Its order of channels (BGR) makes no difference to what is learned.
    "torch": {
        "data.resize": "linear",
        "data.cut_from": 1,
        "generator.dropout_at": "torch",
        "generator.bias": False,
        "discriminator.bias": False,
        "loss.discriminator_factor": 1.0,
        "loss.stale_logits": True,
        "train.epochs": 200,
        "train.decay_epochs": 0,
        "train.order": "drawn",
    },
    # junyanz/pytorch-CycleGAN-and-pix2pix: the defaults of a recipe.
    "pytorch": {
        "data.resize": "bicubic",
        "data.cut_from": 0,
        "generator.dropout_at": "pytorch",
        "generator.bias": True,
        "discriminator.bias": True,
        "loss.discriminator_factor": 0.5,
        "loss.stale_logits": False,
        "train.epochs": 100,
        "train.decay_epochs": 100,
        "train.order": "shuffled",
    },
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a reference's settings.

    Attributes
    ----------
    overrides : list of str
        "section.key=value" for each setting that neither the recipe nor `--set` says, as `load_recipe` takes them.
    kept : list of str
        What the recipe or `--set` says otherwise, in words.
    """

    overrides: list[str]
    kept: list[str]


def apply_reference(name: ReferenceName, path: Path, overrides: Sequence[str] = ()) -> Applied:
    """Return how a recipe becomes that of one of the authors' codes: what it says itself stands.

    Raises
    ------
    RecipeError
        If the recipe, or one that it stands on, cannot be read.
    """
    settings, _ = read_settings(path, overrides)
    added, kept = [], []
    for key, value in REFERENCES[name].items():
        section, _, setting = key.partition(".")
        said = settings.get(section, {})
        if not isinstance(said, dict) or setting not in said:
            added.append(f"{key}={json.dumps(value)}")
        elif said[setting] != value:
            kept.append(f"{key} is {json.dumps(said[setting])}, not {json.dumps(value)}")
    return Applied(added, kept)
