"""p2p-model import: makes a model folder of weights that others trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import help_text, result, say
from pix2pix_data.errors import UsageError

if TYPE_CHECKING:
    from pix2pix_model.picture_size import PictureSize
    from pix2pix_model.test_time import NormStatistics

__all__ = ["HELP", "import_weights"]

HELP = help_text(
    "Import a generator of the authors' PyTorch code, pix2pix or CycleGAN: U-Net or ResNet, any norm. Nothing in the "
    "file is run.",
    (
        "p2p-model import checkpoints/edges2shoes_pretrained/latest_net_G.pth",
        "p2p-model import checkpoints/facades_label2photo/latest_net_G.pth --direction BtoA --out facades",
        "p2p-model translate edges2shoes_pretrained-model ./sketches",
    ),
)


def import_weights(
    weights: Annotated[Path, typer.Argument(metavar="FILE", help="NN_net_G.pth, or the same as safetensors.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model folder.", show_default="named after the file")
    ] = None,
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(
            help="Which side of a pair it is given.", show_default="of train_opt.txt beside the file, else AtoB"
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="PX|WxH",
            help="Size of the pictures that it takes.",
            show_default="of train_opt.txt beside the file, else as its depth, or 256",
        ),
    ] = "",
    running_statistics: Annotated[
        bool,
        typer.Option(
            "--running-statistics",
            help="Norms take the statistics that training kept, as with their --eval; else those of each picture.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that is in DIR.")] = False,
) -> None:
    picture_size = _size(size)

    from pix2pix_model.importing import import_model, model_name
    from pix2pix_model.nets import num_parameters

    out = out or Path(f"{model_name(weights)}-model")
    _check_out(out, overwrite=overwrite)
    say(f"import: {weights} -> {out}")
    statistics: NormStatistics = "running" if running_statistics else "batch"
    done = import_model(weights, out, direction=direction, size=picture_size, norm_statistics=statistics)
    config, spec = done.config, done.config.spec
    millions = num_parameters(done.read.generator) / 1e6
    blocks = f" of {spec.blocks} blocks" if config.architecture == "resnet" else ""
    say(
        f"{config.architecture}{blocks}, width {spec.width}, {spec.norm} norm, {millions:.1f} million weights, "
        f"from {spec.in_channels} to {spec.out_channels} channels"
    )
    for name, value in (("direction", config.sides.direction), ("size", f"{config.crop_size} px")):
        say(f"{name} {value}: {done.origins[name]}")
    say(config.test_time.in_words())
    for note in done.read.notes:
        say(note)
    assert config.source is not None
    result(f"imported {config.source.name}, SHA-256 {config.source.sha256[:16]}..., into {out}")
    result(f"try it: p2p-model translate {out} IMAGES")


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything but a model that may be replaced."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if not out.exists():
        return
    if not (out / "config.json").is_file():
        raise UsageError("this is there, and is no model to replace", where=out, fix="choose another --out")
    if not overwrite:
        raise UsageError("there is a model already", where=out, fix="choose another --out, or --overwrite")


def _size(text: str) -> PictureSize | None:
    from pix2pix_model.picture_size import PictureSize

    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text)
    sides = [int(side) for side in match.groups() if side] if match else []
    if text and not (sides and all(16 <= side <= 4096 for side in sides)):
        raise typer.BadParameter("--size is a number of pixels from 16 to 4096, or WIDTHxHEIGHT")
    return PictureSize(sides[-1], sides[0]) if sides else None
