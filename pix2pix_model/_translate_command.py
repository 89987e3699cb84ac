"""p2p-model translate: makes pictures of pictures with a trained model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError

__all__ = ["HELP", "translate"]

_MAX_FAILED = 0.1  # as in p2p-data: more than this share of failed pictures ends in exit code 3

HELP = help_text(
    "Translate pictures with a trained model: each becomes a PNG, and one sheet compares them.",
    (
        "p2p-model translate runs/0001-edges2shoes ./sketches",
        "p2p-model translate runs/0001-edges2shoes shoes-edges --split validation",
        "p2p-model translate runs/0001-edges2shoes drawing.png --size keep --out result",
        "p2p-model translate runs/0004-hints ./sketches --also ./hints",
    ),
)


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGES", help="Pictures, folders of pictures, or one paired dataset.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output folder.", show_default="named after the input")
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="For a model of several inputs: where the next one of each picture is, a dataset or a folder of "
            "pictures of the same names; may be repeated.",
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="PX|keep", help="Shorter side of the pictures, or keep.", show_default="as the model was trained"
        ),
    ] = "",
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Split of a paired dataset.", show_default="test, else validation"),
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
) -> None:
    side = _side(size)
    out = out or Path(f"{images[0].resolve().stem}-translated")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UsageError("the output folder is not empty", where=out, fix="choose another --out, or --overwrite")

    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.device import choose_device
    from pix2pix_model.model_pull import find_model
    from pix2pix_model.translate import find_inputs
    from pix2pix_model.translate import translate as run

    start = time.monotonic()
    model = find_model(model)
    loaded = load_model(model)
    source = find_inputs(images, split=split, also=also or ())
    where = choose_device(device)
    config = loaded.config
    of_split = f" ({source.split} split)" if source.split else ""
    say(f"translate: {len(source.jobs)} pictures of {images[0]}{of_split} by {loaded.path} -> {out}")
    age = f"step {config.steps}" if config.source is None else f"imported from {config.source.name}"
    say(f"{config.name}, {config.sides.words}, {config.crop_size} px, {age}; on {where.words}")
    say(config.test_time.in_words())
    done = run(loaded, source, out, device=where, size_px=config.crop_size.shorter if side is None else side or None)

    result(f"{done.num_pictures} pictures, {len(done.failures)} failed, in {duration(time.monotonic() - start)}")
    for failure in done.failures[:5]:
        result(f"  {failure.key}: {failure.reason}")
    if done.failures:
        result(f"  each one: {out / 'failures.jsonl'}")
    if done.num_pictures:
        result(f"look at {done.sheet}")
    if len(done.failures) > _MAX_FAILED * len(source.jobs):
        raise typer.Exit(3)


def _side(text: str) -> int | None:
    """Read --size: None where it was left out, 0 for keep."""
    if text in ("", "keep"):
        return None if text == "" else 0
    if not text.isdecimal() or not 8 <= int(text) <= 8192:
        raise typer.BadParameter("--size is a number of pixels from 8 to 8192, or keep")
    return int(text)
