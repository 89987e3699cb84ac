"""p2p-model export: a trained generator as one file for other programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import help_text, result, say
from pix2pix_data.errors import UsageError

if TYPE_CHECKING:
    from pix2pix_model.checkpoint import Model
    from pix2pix_model.inputs import Source

__all__ = ["HELP", "export_model"]

HELP = help_text(
    "Export a trained generator as one file for other programs, and prove that it answers as the model does.",
    (
        "p2p-model export runs/0001-edges2shoes",
        "p2p-model export runs/0001-edges2shoes --half --norm-stats running --out shoes.onnx",
        "p2p-model export runs/0001-edges2shoes --to pt2 --on ./sketches",
    ),
)


def export_model(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    to: Annotated[
        Literal["onnx", "pt2"],
        typer.Option(help="ONNX, for onnxruntime and most others; pt2, of torch.export, for PyTorch without our code."),
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file.", show_default="named after the model")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Compute in float16: half the size, for GPUs.")] = False,
    norm_stats: Annotated[
        Literal["batch", "running"] | None,
        typer.Option(
            help="Where norms take their statistics from: each picture by itself, or what training kept.",
            show_default="as the model says",
        ),
    ] = None,
    on: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="IMAGES",
            help="Pictures, folders of them, or a dataset to prove it on; may be repeated.",
            show_default="the examples kept with the model",
        ),
    ] = None,
    also: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="For a model of several inputs, as in translate.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.export import HIGHEST_DIFFERENCE, export, pictures_to_prove
    from pix2pix_model.model_pull import find_model
    from pix2pix_model.test_time import TestTime, set_test_time

    model = find_model(model)
    loaded = load_model(model)
    if norm_stats is not None:
        test_time = TestTime(norm_statistics=norm_stats, dropout=loaded.config.test_time.dropout)
        loaded = replace(loaded, config=loaded.config.model_copy(update={"test_time": test_time}))
        set_test_time(loaded.generator, test_time)
    out = out or Path(f"{loaded.config.name}.{to}")
    if out.exists() and not overwrite:
        raise UsageError("this file is there already", where=out, fix="choose another --out, or --overwrite")
    source = _source(loaded, on or [], also or [])
    say(f"export: {loaded.path} -> {out}, in {'float16' if half else 'float32'}")
    say(f"it will hold: {loaded.config.test_time.in_words()}")
    pictures = pictures_to_prove(loaded, source)
    differences = export(loaded, out, pictures, to=to, half=half)

    bound = HIGHEST_DIFFERENCE["float16" if half else "float32"]
    result(f"difference from the model, of values from -1 to 1 (bound {bound}):")
    for one in differences:
        result(f"  {one.width:5}x{one.height:<5} highest {one.highest:.1e}, mean {one.mean:.1e}")
    multiple = loaded.generator.multiple_px
    result(f"{out}: {out.stat().st_size / 1e6:.1f} MB; any number of pictures, sides a multiple of {multiple} px")


def _source(model: Model, on: list[Path], also: list[Path]) -> Source | None:
    """Find real pictures to prove it on: those asked for, else the model's examples."""
    from pix2pix_model.checkpoint import EXAMPLES
    from pix2pix_model.inputs import check_further, find_inputs

    examples = model.path / EXAMPLES
    if not on and (len(model.config.sides.inputs) > 1 or not examples.is_dir()):
        say("no pictures are kept with this model: proved on noise; name real ones with --on")
        return None
    source = find_inputs(on or [examples], also=also)
    check_further(model.config.sides, source)
    return source
