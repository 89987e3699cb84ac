"""p2p-model translate: makes pictures of pictures with a trained model."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.unfinished import command_of, filled, require_fillable

if TYPE_CHECKING:
    from pix2pix_data.pair import Failed
    from pix2pix_model.inputs import Source
    from pix2pix_model.translate import Options, Translator

__all__ = ["HELP", "translate"]

_STDIN = Path("-")
_MAX_FAILED = 0.1  # as in p2p-data: more than this share of failed pictures ends in exit code 3

HELP = help_text(
    "Translate pictures of any size with a trained model: each result has the name and the size of its picture, and "
    "one sheet compares them.",
    (
        "p2p-model translate runs/0001-edges2shoes ./sketches",
        "p2p-model translate runs/0001-edges2shoes shoes-edges --split validation",
        "p2p-model translate runs/0001-edges2shoes 'photos/*.jpg' --from photo",
        "p2p-model translate runs/0001-edges2shoes large.png --size keep --out result",
        "p2p-model translate runs/0001-edges2shoes ./sketches --dropout --samples 3",
        "p2p-model translate runs/0004-hints ./sketches --also ./hints",
        "p2p-model translate runs/0001-edges2shoes - < drawing.png > shoe.png",
    ),
)


def translate(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES",
            help="Pictures, folders, patterns such as 'photos/*.jpg', or one paired dataset; - takes one picture from "
            "standard input and writes its translation to standard output.",
        ),
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
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Split of a paired dataset.", show_default="test, else validation"),
    ] = None,
    prepare: Annotated[
        Literal["photo", "drawing"] | None,
        typer.Option(
            "--from",
            help="Make of each picture what the model is given: of a photo its edges, segments or gray, as for the "
            "training; of a drawing clean lines, or colours of the palette.",
            show_default="pictures are what the model is given",
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="PX|keep",
            help="Shorter side at which pictures are translated, or keep.",
            show_default="as the model was trained",
        ),
    ] = "",
    as_made: Annotated[
        bool, typer.Option("--as-made", help="Leave results at --size; else they get the size of their input back.")
    ] = False,
    tile: Annotated[
        str,
        typer.Option(
            metavar="PX|off",
            help="Translate large pictures in tiles of this side, or never in tiles.",
            show_default="where memory asks for it",
        ),
    ] = "",
    file_format: Annotated[
        Literal["png", "jpg", "webp"],
        typer.Option("--format", help="Of the results; jpg has no transparency, and neither jpg nor webp 16 bits."),
    ] = "png",
    norm_stats: Annotated[
        Literal["batch", "running", "recalibrated"] | None,
        typer.Option(
            help="Where batch norms take their statistics from: each picture by itself, what training kept, or "
            "pictures on which they are measured anew.",
            show_default="as the model says",
        ),
    ] = None,
    calibrate_on: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="IMAGES",
            help="For --norm-stats recalibrated: pictures, folders or a dataset to measure them on; may be repeated.",
            show_default="the pictures to translate",
        ),
    ] = None,
    dropout: Annotated[
        bool | None,
        typer.Option("--dropout/--no-dropout", help="Draw dropout as in training.", show_default="as the model says"),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="With dropout: so many results of each picture.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of dropout; the same seed draws the same.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
) -> None:
    command = command_of("translate", locals())
    side, tile_px = _side(size), _tile(tile)
    if calibrate_on and norm_stats != "recalibrated":
        raise typer.BadParameter("--calibrate-on goes with --norm-stats recalibrated")
    from_stdin = images == [_STDIN]
    out = _output_folder(out, images, command, from_stdin=from_stdin, samples=samples, overwrite=overwrite)

    from pix2pix_model.calibration import behaving, calibrate
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.device import choose_device
    from pix2pix_model.inputs import Job, Source, find_inputs
    from pix2pix_model.model_pull import find_model
    from pix2pix_model.translate import Options, Translator
    from pix2pix_model.translate import translate as run

    start = time.monotonic()
    loaded = behaving(load_model(find_model(model)), norm_statistics=norm_stats, dropout=dropout)
    if from_stdin:
        source = Source((Job("standard input", None, sys.stdin.buffer.read()),))
    else:
        source = find_inputs(images, split=split, also=also or ())
    config = loaded.config
    options = Options(
        size_px=config.crop_size.shorter if side is None else side or None,
        as_made=as_made,
        tile_px=tile_px,
        file_format=file_format,
        prepare=prepare,
        num_samples=samples,
        seed=seed,
    )
    translator = Translator(loaded, choose_device(device), options)
    of_split = f" ({source.split} split)" if source.split else ""
    say(f"translate: {len(source.jobs)} pictures of {images[0]}{of_split} by {loaded.path} -> {out}")
    age = f"step {config.steps}" if config.source is None else f"imported from {config.source.name}"
    say(f"{config.name}, {config.sides.words}, {config.crop_size} px, {age}; on {translator.device.words}")
    say(_size_in_words(options))
    say(config.test_time.in_words() + (f"; seed {seed}" if config.test_time.dropout else ""))
    if norm_stats == "recalibrated":
        measured_on = find_inputs(calibrate_on, also=()) if calibrate_on else source
        say(f"statistics measured on {calibrate(translator, measured_on)} pictures")
    if from_stdin:
        _write_stdout(translator, source)
        return
    with filled(out, command):
        done = run(translator, source, out)

    result(f"{done.num_pictures} pictures, {len(done.failures)} failed, in {duration(time.monotonic() - start)}")
    for failure in done.failures[:5]:
        result(f"  {failure.key}: {failure.reason}")
    if done.failures:
        result(f"  each one: {out / 'failures.jsonl'}")
    if done.num_pictures:
        result(f"look at {done.sheet}")
    if len(done.failures) > _MAX_FAILED * len(source.jobs):
        raise typer.Exit(3)


def _output_folder(
    out: Path | None, images: list[Path], command: str, *, from_stdin: bool, samples: int, overwrite: bool
) -> Path:
    """Return where results go; UsageError if they cannot go there."""
    if from_stdin:
        if out is not None or samples > 1:
            raise UsageError(
                "what comes from standard input goes to standard output, as one picture", fix="give a file"
            )
        return Path("standard output")
    if _STDIN in images:
        raise UsageError("standard input is taken alone", fix="leave out -, or the others")
    name = re.sub(r"[*?\[\]]+", "", images[0].resolve().stem).strip("-_. ") or "pictures"
    out = out or Path(f"{name}-translated")
    require_fillable(out, command, overwrite=overwrite)
    return out


def _write_stdout(translator: Translator, source: Source) -> None:
    """Translate the one picture of a source to standard output."""
    failures: list[Failed] = []
    for batch in translator.read(source, failures):
        for read, (made,) in zip(batch, translator.samples(batch), strict=True):
            sys.stdout.buffer.write(translator.encode(read, made))
            sys.stdout.buffer.flush()
    if failures:
        raise ImageError(failures[0].reason, where="standard input")


def _size_in_words(options: Options) -> str:
    if options.size_px is None:
        return "each at its own size"
    back = "left at that" if options.as_made else "brought back to its own size"
    return f"each with a shorter side of {options.size_px} px, then {back}"


def _side(text: str) -> int | None:
    """Read --size: None where it was left out, 0 for keep."""
    if text in ("", "keep"):
        return None if text == "" else 0
    if not text.isdecimal() or not 8 <= int(text) <= 8192:
        raise typer.BadParameter("--size is a number of pixels from 8 to 8192, or keep")
    return int(text)


def _tile(text: str) -> int | None:
    """Read --tile: None where it was left out, 0 for off."""
    if text in ("", "off"):
        return None if text == "" else 0
    if not text.isdecimal() or not 8 <= int(text) <= 16384:
        raise typer.BadParameter("--tile is a number of pixels from 8 to 16384, or off")
    return int(text)
