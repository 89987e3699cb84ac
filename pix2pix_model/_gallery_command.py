"""p2p-model gallery: one offline page of how a run trained, and of what it makes now."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import CheckpointError, P2PError

if TYPE_CHECKING:
    from pix2pix_model.checkpoint import Model
    from pix2pix_model.gallery.results import Results
    from pix2pix_model.recipe import Recipe

__all__ = ["HELP", "gallery"]

HELP = help_text(
    "Write one offline page of a run: the same pairs over its steps under a slider, its curves, and the best and the "
    "worst of what it makes now. A run that is still training can be looked at too.",
    (
        "p2p-model gallery runs/0001-edges2shoes",
        "p2p-model gallery runs/0001-edges2shoes --on ./shoes-edges --limit 50 --out galleries/shoes",
        "p2p-model gallery runs/0001-edges2shoes --no-results",
    ),
)


def gallery(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where gallery.html goes.", show_default="the run")
    ] = None,
    on: Annotated[
        Path | None,
        typer.Option("--on", metavar="DATASET", help="A paired dataset.", show_default="the one it was trained on"),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Split that results are shown of.", show_default="test, else validation"),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="Pairs that are evaluated where no evaluation is there.")
    ] = 100,
    results: Annotated[bool, typer.Option("--results/--no-results", help="Show what it makes now.")] = True,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")] = "auto",
) -> None:
    from pix2pix_data.atomic import write_file
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.gallery.page import gallery_page
    from pix2pix_model.gallery.progress import read_progress
    from pix2pix_model.recipe_file import load_recipe

    start = time.monotonic()
    if not (run / "recipe.toml").is_file():
        fix = "give a folder that p2p-train made, such as runs/0001-...; a model alone has no steps to show"
        raise CheckpointError("this is no run", where=run, fix=fix)
    path = (out or run) / "gallery.html"
    say(f"gallery: {run} -> {path}")
    recipe, model = load_recipe(run / "recipe.toml"), load_model(run)
    progress = read_progress(run, recipe, model)
    say(f"  {len(progress.frames)} steps of {len(progress.keys)} pairs, {len(progress.logged)} curves")
    found, note = None, ""
    if results:
        found, note = _results(run, recipe, model, on, split, limit, device)
    name = run.resolve().name
    write_file(path, gallery_page(name, _facts(recipe, model, run), progress, found, note))
    result(f"look at {path} ({path.stat().st_size / 1e6:.1f} MB), in {duration(time.monotonic() - start)}")


def _results(
    run: Path,
    recipe: Recipe,
    model: Model,
    on: Path | None,
    split: str | None,
    limit: int,
    device: Literal["auto", "cpu", "cuda", "mps"],
) -> tuple[Results | None, str]:
    """Find results, or say why there are none; a dataset that was asked for by name must be there."""
    from pix2pix_data.dataset import open_dataset
    from pix2pix_model.device import choose_device
    from pix2pix_model.evaluate import Task
    from pix2pix_model.gallery.results import find_results

    try:
        dataset = open_dataset(on or recipe.data.path)
        further = tuple(open_dataset(one.path) for one in recipe.data.further)
    except P2PError as error:
        if on is not None:
            raise
        note = f"No results: {error.what}. The dataset is not where the run knew it; --on DATASET says where."
        say(f"  {note}")
        return None, note
    chosen = split or next(name for name in ("test", "validation", "train") if name in dataset.num_pairs)
    dataset.keys(chosen)  # a named error where there is no such split
    task = Task(model, dataset, chosen, model.config.crop_size, choose_device(device), limit, further)
    return find_results(run, task), ""


def _facts(recipe: Recipe, model: Model, run: Path) -> list[tuple[str, str]]:
    config = model.config
    state = "finished" if (run / "model").is_dir() else "not finished: what is shown is its last checkpoint"
    pairs = ", ".join(f"{num:,} {split}" for split, num in config.data.num_pairs.items()) if config.data else "unknown"
    return [
        ("state", f"step {config.steps}, {state}"),
        ("dataset", f"{config.data.name if config.data else 'unknown'} ({pairs})"),
        ("generator", f"{config.architecture}, width {config.spec.width}, {config.crop_size} px, {config.sides.words}"),
        ("batch", str(recipe.train.batch)),
        ("test time", config.test_time.in_words()),
    ]
