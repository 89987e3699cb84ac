"""p2p-train: trains a pix2pix GAN from one recipe file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pix2pix_data.console import duration, exit_with_errors_told, result, say
from pix2pix_data.errors import FormatError

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_model.recipe import Recipe
    from pix2pix_model.run_dir import RunDir

__all__ = ["app", "main"]

_HELP = """Train a pix2pix GAN from a recipe.

The same command again continues an unfinished run of the same recipe and data, and ends with the same weights; after a
finished run it starts a new one. Ctrl-C saves before it stops.

\b
Examples:
  p2p-train recipes/edges2shoes.toml
  p2p-train recipes/facades.toml --set data.path=../facades --set train.epochs=20
  p2p-train recipes/facades.toml --dry-run
  p2p-train --resume runs/0003-facades --set train.decay_epochs=200
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=_HELP, no_args_is_help=True)
def train(
    recipe: Annotated[Path | None, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue this run, by its own recipe if none is given.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Start a new run even if there is one to continue.")] = False,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders go.")] = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    path = recipe or (resume and resume / "recipe.toml")
    if path is None:
        raise typer.BadParameter("give a recipe, or --resume RUN")
    if resume is not None and new:
        raise typer.BadParameter("--resume and --new exclude each other")
    from pix2pix_model.recipe_file import find_recipe, load_recipe

    resolved = load_recipe(find_recipe(path), overrides or ())
    dataset = _open(resolved)
    from pix2pix_model.plan import describe

    say(describe(resolved, dataset))
    if dataset.doubt:
        say(f"careful: {dataset.doubt}")
    if dry_run:
        _tell_recipe(resolved, dataset, runs, resume=resume, new=new)
        return
    run = _choose_run(resolved, dataset, runs, resume=resume, new=new)
    from pix2pix_model.train import train as run_training

    summary = run_training(resolved, dataset, run)
    result(f"{summary.num_steps} steps, {summary.num_images} images in {duration(summary.elapsed_s)}: {run.path}")
    result(f"next: p2p-model translate {run.path} IMAGES")


def _open(recipe: Recipe) -> PairDataset:
    from pix2pix_data.dataset import open_dataset

    if not recipe.data.path.exists():
        fix = recipe.data.source or "make one with p2p-data, or give another with --set data.path=FOLDER"
        raise FormatError("the dataset of this recipe is not there", where=recipe.data.path, fix=fix)
    return open_dataset(recipe.data.path)


def _tell_recipe(recipe: Recipe, dataset: PairDataset, runs: Path, *, resume: Path | None, new: bool) -> None:
    from pix2pix_model.recipe import to_toml
    from pix2pix_model.run_dir import find_unfinished

    result(to_toml(recipe))
    unfinished = None if new or resume else find_unfinished(runs, recipe, dataset.fingerprint)
    continued = resume or (unfinished and unfinished.path)
    result(f"# would continue {continued}" if continued else f"# would start a new run in {runs}")


def _choose_run(recipe: Recipe, dataset: PairDataset, runs: Path, *, resume: Path | None, new: bool) -> RunDir:
    from pix2pix_model.run_dir import find_unfinished, make_run, open_run

    if resume is not None:
        return open_run(resume, recipe)
    run = None if new else find_unfinished(runs, recipe, dataset.fingerprint)
    if run is not None:
        say(f"{run.path} is an unfinished run of this recipe and data: continuing it (--new starts another)")
        return run
    return make_run(runs, recipe.name)


def main() -> None:
    """Run p2p-train."""
    # Threads that wait should sleep: spinning ones made a step 2 to 10 times slower on two cores with one busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    exit_with_errors_told(app)
