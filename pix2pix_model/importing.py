"""Weights of others become a model folder: what the file says, what stands beside it, and what must be asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pix2pix_model
from pix2pix_data.errors import UsageError
from pix2pix_data.tensor_files import read_tensor_file
from pix2pix_model.authors_layout import FIX, AuthorsGenerator, from_authors
from pix2pix_model.card import imported_card
from pix2pix_model.checkpoint import ModelConfig, SourceFile, save_model
from pix2pix_model.nets import GeneratorSpec
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import Direction, Side
from pix2pix_model.sides import Sides, SideSpec, ViewName
from pix2pix_model.test_time import NormStatistics, TestTime

__all__ = ["Imported", "import_model", "model_name", "read_options"]

_MAX_BYTES = 2**32  # a U-Net four times as wide as theirs has 3.5 GB
_OPTION_FILES = ("train_opt.txt", "opt.txt")  # what their training writes beside its checkpoints
_VIEWS: dict[int, ViewName] = {1: "gray", 3: "rgb"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What was imported.

    Attributes
    ----------
    config : ModelConfig
    read : AuthorsGenerator
    origins : dict of str to str
        Where "direction" and "size" are from, in words.
    """

    config: ModelConfig
    read: AuthorsGenerator
    origins: dict[str, str]


def model_name(path: Path) -> str:
    """Name a model after its file; theirs are all called latest_net_G.pth, and their folder after the experiment."""
    stem = path.stem
    is_theirs = re.fullmatch(r"(latest|\d+|iter_\d+)_net_G(_A|_B)?", stem)
    return path.resolve().parent.name or stem if is_theirs else stem


def read_options(path: Path) -> dict[str, str]:
    """Read the options that their training wrote beside its checkpoints, empty where there are none.

    Lines are "name: value", maybe with "[default: ...]" behind.
    """
    for name in _OPTION_FILES:
        beside = path.with_name(name)
        if beside.is_file():
            text = beside.read_text(encoding="utf-8", errors="replace")
            found = re.findall(r"^\s*(\w+):\s*(.*?)\s*(?:\[default:.*\])?\s*$", text, re.MULTILINE)
            return dict(found) | {"": name}
    return {}


def import_model(
    path: Path,
    out: Path,
    *,
    direction: Direction | None = None,
    size: PictureSize | None = None,
    norm_statistics: NormStatistics = "batch",
) -> Imported:
    """Turn a generator of the authors' PyTorch code into a model folder.

    Parameters
    ----------
    path : Path
        NN_net_G.pth, or the same tensors in a safetensors file. Nothing in it is run.
    out : Path
        The model folder; what is in it is replaced.
    direction : {"AtoB", "BtoA"}, optional
        Which side of a pair it is given; without it that of the options beside the file, else "AtoB".
    size : PictureSize, optional
        Of the pictures that it takes by itself; without it that of the options beside the file, else the side that a
        U-Net's depth belongs to, or 256.
    norm_statistics : {"batch", "running"}
        Those of each picture, as in their test, or those that their training kept, as with their `--eval`.

    Raises
    ------
    CheckpointError, FormatError
        If the file cannot be read, holds code, or is not such a generator.
    UsageError
        If pictures cannot be made of its channels, or running statistics are asked for and it has none.
    """
    read = from_authors(read_tensor_file(path, max_bytes=_MAX_BYTES, fix=FIX), path)
    if norm_statistics != "batch" and not read.has_statistics:
        what = "there are no running statistics of batch norms in it"
        raise UsageError(what, where=path, fix="leave out --running-statistics")
    options = read_options(path)
    origins: dict[str, str] = {}
    config = ModelConfig(
        name=model_name(path),
        architecture=read.architecture,
        spec=read.spec,
        sides=_sides(read.spec, direction or _direction(options, origins), path),
        crop_size=size or _size(options, read, origins),
        test_time=TestTime(norm_statistics=norm_statistics),
        source=SourceFile(name=path.name, sha256=_sha256(path)),
        version=pix2pix_model.__version__,
    )
    save_model(out, read.generator, config, imported_card(config, read.notes))
    return Imported(config, read, {"direction": "as told", "size": "as told"} | origins)


def _direction(options: Mapping[str, str], origins: dict[str, str]) -> Direction:
    said = options.get("direction") or options.get("which_direction")  # the latter before 2018
    if said in ("AtoB", "BtoA"):
        origins["direction"] = f"as {options['']} beside it says"
        return cast("Direction", said)
    origins["direction"] = "taken for granted, as the file does not say it; --direction BtoA is the other way"
    return "AtoB"


def _size(options: Mapping[str, str], read: AuthorsGenerator, origins: dict[str, str]) -> PictureSize:
    said = options.get("crop_size") or options.get("fineSize") or ""
    if said.isdecimal() and 16 <= int(said) <= 4096:
        origins["size"] = f"as {options['']} beside it says"
        return PictureSize(int(said), int(said))
    origins["size"] = (
        "follows from its depth" if read.architecture == "unet" else "taken for granted, as the file does not say it"
    )
    return PictureSize(read.spec.size_px, read.spec.size_px)


def _sides(spec: GeneratorSpec, direction: Direction, path: Path) -> Sides:
    """Say what its channels are: of theirs, those from one channel to two colour, and all others see gray or RGB."""
    given, made = cast("tuple[Side, Side]", direction.split("to"))
    if (spec.in_channels, spec.out_channels) == (1, 2):
        return Sides((SideSpec(side=made, view="lightness"),), SideSpec(side=made, view="ab"))
    views = [_VIEWS.get(channels) for channels in (spec.in_channels, spec.out_channels)]
    if None in views:
        what = f"nobody can tell what its {spec.in_channels} input and {spec.out_channels} output channels are"
        raise UsageError(what, where=path, fix="generators of 1 or 3 channels can be imported, and those from 1 to 2")
    seen, shown = cast("list[ViewName]", views)
    return Sides((SideSpec(side=given, view=seen),), SideSpec(side=made, view=shown))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
