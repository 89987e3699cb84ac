"""p2p-model export: a trained generator as one file for other programs, or as a page for any static host."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import help_text, result, say
from pix2pix_data.errors import UsageError

if TYPE_CHECKING:
    from pix2pix_model.checkpoint import Model
    from pix2pix_model.export import ExportFormat
    from pix2pix_model.inputs import Source

__all__ = ["HELP", "export_model"]

HELP = help_text(
    "Export a trained generator for other programs, or as a page to paint on; proved to answer as the model does.",
    (
        "p2p-model export runs/0001-edges2shoes",
        "p2p-model export runs/0001-edges2shoes --half --norm-stats running --out shoes.onnx",
        "p2p-model export runs/0001-edges2shoes --to pt2 --on ./sketches",
        "p2p-model export runs/0001-edges2shoes --to web",
    ),
)


def export_model(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    to: Annotated[
        Literal["onnx", "pt2", "web"],
        typer.Option(
            help="ONNX, for onnxruntime and most others; pt2, of torch.export, for PyTorch without our code; web, a "
            "folder with the painting page, which runs the model in the browser."
        ),
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The file; the folder of a page.", show_default="named after the model"),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Compute in float16: half the size, for GPUs.")] = False,
    norm_stats: Annotated[
        Literal["batch", "running"] | None,
        typer.Option(
            help="Where norms take their statistics from: each picture by itself, or what training kept.",
            show_default="as the model says",
        ),
    ] = None,
    no_dropout: Annotated[
        bool, typer.Option("--no-dropout", help="Leave out the dropout of a model that says it draws it.")
    ] = False,
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
    like: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="For a page: a paired dataset of what the model is given, as in paint.",
            show_default="as the model says",
        ),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For a page: onnxruntime-web as `npm pack` writes it, or the folder that it was unpacked to.",
            show_default="fetched once by npm",
        ),
    ] = None,
) -> None:
    from pix2pix_model.calibration import behaving
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.model_pull import find_model

    if to == "web":
        alien: dict[str, object] = {"--on": on, "--also": also, "--overwrite": overwrite}
        _refuse(alien, "a page is proved on the model's examples, in a new folder")
    else:
        _refuse({"--like": like, "--runtime": runtime}, "this is for --to web")
    dropout = False if no_dropout else None
    loaded = behaving(load_model(find_model(model)), norm_statistics=norm_stats, dropout=dropout)
    if to == "web":
        _export_page(loaded, out or Path(f"{loaded.config.name}-web"), half=half, like=like, runtime=runtime)
        return
    out = out or Path(f"{loaded.config.name}.{to}")
    if out.exists() and not overwrite:
        raise UsageError("this file is there already", where=out, fix="choose another --out, or --overwrite")
    _export_file(loaded, out, _source(loaded, on or [], also or []), to=to, half=half)


def _refuse(options: Mapping[str, object], reason: str) -> None:
    if given := [name for name, value in options.items() if value]:
        raise UsageError(reason, where=", ".join(given), fix="leave it out")


def _export_file(model: Model, out: Path, source: Source | None, *, to: ExportFormat, half: bool) -> None:
    from pix2pix_model.export import HIGHEST_DIFFERENCE, export, pictures_to_prove

    _say_plan(model, out, half=half)
    differences = export(model, out, pictures_to_prove(model, source), to=to, half=half)

    bound = HIGHEST_DIFFERENCE["float16" if half else "float32"]
    result(f"difference from the model, of values from -1 to 1 (bound {bound}):")
    for one in differences:
        result(f"  {one.width:5}x{one.height:<5} highest {one.highest:.1e}, mean {one.mean:.1e}")
    multiple = model.generator.multiple_px
    result(f"{out}: {out.stat().st_size / 1e6:.1f} MB; any number of pictures, sides a multiple of {multiple} px")


def _export_page(model: Model, out: Path, *, half: bool, like: Path | None, runtime: Path | None) -> None:
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.new_folder import require_free
    from pix2pix_model.paint.browser_runtime import find_runtime
    from pix2pix_model.paint.static_page import HIGHEST_LEVELS, write_static_page

    require_free(out)
    _say_plan(model, out, half=half)
    found = find_runtime(runtime)
    say(f"it will run by onnxruntime-web {found.version} (MIT) of {found.where}")
    likenesses = write_static_page(model, out, found, half=half, like=None if like is None else open_dataset(like))

    bound = HIGHEST_LEVELS["float16" if half else "float32"]
    result(f"difference from what PyTorch makes of {len(likenesses)} drawings, in grey levels:")
    for one in likenesses:
        result(f"  highest {one.highest}; {one.share:.2%} of the pixels within {bound}")
    sizes = {path.name: path.stat().st_size / 1e6 for path in out.rglob("*") if path.is_file()}
    inside = f"{sizes['model.onnx']:.1f} the model, {sizes['onnxruntime.wasm']:.1f} the runtime"
    result(f"{out}: {sum(sizes.values()):.1f} MB ({inside}); for any static host")
    result(f"look at it: python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(out))} 8000")


def _say_plan(model: Model, out: Path, *, half: bool) -> None:
    say(f"export: {model.path} -> {out}, in {'float16' if half else 'float32'}")
    say(f"it will hold: {model.config.test_time.in_words()}")


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
