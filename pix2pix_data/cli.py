"""p2p-data: makes paired datasets. One command for each maker, and a sample of photos to try them on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pix2pix_data import _options
from pix2pix_data._check_command import add_check_command
from pix2pix_data._finish_command import add_finish_command
from pix2pix_data._hub_commands import add_hub_commands
from pix2pix_data._layout_commands import add_layout_commands
from pix2pix_data._maker_commands import MakersFirst
from pix2pix_data._show_commands import add_show_commands, report_new
from pix2pix_data.build_options import BuildOptions
from pix2pix_data.console import exit_with_errors_told, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.limits import limit_threads
from pix2pix_data.listing import list_photos
from pix2pix_data.memory import give_back_memory

__all__ = ["app", "main"]

_DEFAULTS = BuildOptions()
_HELP = help_text(
    "Make a paired A|B dataset from a folder of photos.",
    ("p2p-data edges ./shoes", "p2p-data kmeans ./cityscapes", "p2p-data edges --help"),
)

app = typer.Typer(cls=MakersFirst, help=_HELP, add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.command(
    help=help_text(
        "Write real photos to try everything with: crops of those in scikit-image and scikit-learn.",
        ("p2p-data sample ./photos",),
    )
)
def sample(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the photos.")],
    crop: Annotated[int, typer.Option(min=16, max=192, metavar="PX", help="Side of a crop.")] = 128,
) -> None:
    from pix2pix_data.sample import write_sample

    num_photos = write_sample(folder, crop_px=crop)
    result(f"{num_photos} photos in {folder}")
    result(f"next: p2p-data edges {folder}/chelsea --size 64 --group folder --val 0.5 --test 0")


@app.command(
    help=help_text(
        "Draw the strokes of soft edge maps from any detector: the paper's post-processing by itself.",
        ("p2p-data strokes ./maps", "p2p-data strokes ./maps --out drawings --size keep --threshold 0.3"),
    )
)
def strokes(
    maps: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Gray pictures of 8 or 16 bits, or .npy; bright is edge.")
    ],
    out: _options.Out = None,
    size: Annotated[str, typer.Option(metavar="PX|WxH|keep", help="Size of the drawings.")] = "256",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Probability from which an edge is drawn; the paper's is 25/255.")
    ] = 25 / 255,
    min_length: Annotated[int, typer.Option(min=1, metavar="PX", help="Shortest stroke drawn.")] = 5,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
) -> None:
    wanted = None if size == "keep" else _size(size)
    out = out or Path(f"{maps.resolve().name}-strokes")
    if out.resolve().is_relative_to(maps.resolve()):
        raise UsageError("the output would lie in the folder of maps", where=out, fix="give --out another place")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UsageError("the output folder is not empty", where=out, fix="choose another --out, or --overwrite")

    from pix2pix_data.edges.soft_maps import MAP_SUFFIXES, StrokeSettings, draw_maps

    named = list(list_photos(maps, also=MAP_SUFFIXES).named())
    say(f"strokes: {maps} ({len(named)} maps) -> {out}")
    failed = draw_maps(named, out, StrokeSettings(wanted, threshold, min_length))
    result(f"{len(named) - len(failed)} drawings in {out}, {len(failed)} failed")
    for one in failed[:5]:
        result(f"  {one.source}: {one.reason}")
    if failed:
        result(f"  each one: {out / 'failures.jsonl'}")
        raise typer.Exit(3)


@app.command(
    help=help_text(
        "Divide a dataset anew into train, validation and test, in a new folder; no picture is encoded again.",
        (
            "p2p-data split ./shoes-edges --val 200 --test 200",
            "p2p-data split ./shoes-edges --group csv:shoes.csv:product --out shoes-by-product",
        ),
    )
)
def split(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset of p2p-data; it is not changed.")],
    out: _options.Out = None,
    val: _options.Val = _DEFAULTS.val,
    test: _options.Test = _DEFAULTS.test,
    seed: _options.Seed = _DEFAULTS.seed,
    group: _options.Group = _DEFAULTS.group,
    lock: _options.Lock = None,
    workers: _options.Workers = None,
    dry_run: _options.DryRun = False,
) -> None:
    out = out or Path(f"{dataset.resolve().name}-resplit")
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageError("the output would lie in the dataset", where=out, fix="give --out another place")

    from pix2pix_data.limits import num_processors
    from pix2pix_data.resplit import plan_resplit, resplit

    options = BuildOptions(val=val, test=test, seed=seed, group=group, lock=lock)
    plan = plan_resplit(dataset, options, workers=workers or num_processors())
    counts = ", ".join(f"{num} {name}" for name, num in plan.num_pairs.items())
    say(f"split: {dataset} ({counts}) -> {out}")
    for note in plan.notes:
        say(note)
    if dry_run:
        return
    resplit(plan, out, finish=partial(report_new, out=out))
    result(f"{sum(plan.num_pairs.values())} pairs ({counts}) in {out}")
    result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")


def _size(text: str) -> tuple[int, int]:
    from pydantic import TypeAdapter, ValidationError

    from pix2pix_data.maker import Size

    try:
        return TypeAdapter(Size).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(f"--size: {error.errors()[0]['msg']}") from None


add_check_command(app)
add_finish_command(app)
add_hub_commands(app)
add_layout_commands(app)
add_show_commands(app)


def main() -> None:
    """Run p2p-data."""
    limit_threads()
    give_back_memory()
    exit_with_errors_told(app)
