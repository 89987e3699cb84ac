"""p2p-train: trains a pix2pix GAN from one recipe file."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import be_quiet, duration, exit_with_errors_told, result, say
from pix2pix_data.errors import FormatError
from pix2pix_data.limits import limit_threads
from pix2pix_data.memory import keep_memory
from pix2pix_data.urls import shown_place, url_of

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
  p2p-train facades --dry-run
  p2p-train ablations/patch-16 --reference torch
  p2p-train --list
  p2p-train --resume runs/0003-facades --set train.decay_epochs=200
  torchrun --nproc-per-node 4 -m pix2pix_model facades --set train.batch=4
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _list(asked: bool) -> None:
    if not asked:
        return
    from pix2pix_model.shipped import shipped_recipes

    recipes = shipped_recipes()
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        result(f"{recipe.name:{width}}  {recipe.title}")
    say("\nnext: p2p-train NAME --dry-run, which shows its settings and says how its dataset is made")
    say(f"each file says its source, its cost and what to expect: {recipes[0].path.parent}")
    raise typer.Exit


@app.command(help=_HELP, no_args_is_help=True)
def train(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe file (TOML), or a name of --list.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated.")
    ] = None,
    reference: Annotated[
        Literal["torch", "pytorch"] | None,
        typer.Option(help="Set what the authors' two codes do differently, where the recipe does not say it."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Continue this run, by its own recipe if none is given.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Start a new run even if there is one to continue.")] = False,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders go.")] = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    _: Annotated[
        bool, typer.Option("--list", is_eager=True, callback=_list, help="List the recipes that ship with p2p.")
    ] = False,
) -> None:
    path = recipe or (resume and resume / "recipe.toml")
    if path is None:
        raise typer.BadParameter("give a recipe, or --resume RUN")
    if resume is not None and new:
        raise typer.BadParameter("--resume and --new exclude each other")
    resolved = _resolve(path, overrides or [], reference)
    if dry_run:
        from pix2pix_model.recipe import to_toml

        result(to_toml(resolved))
    dataset = _open(resolved)
    from pix2pix_model.plan import describe, stretching

    say(describe(resolved, dataset))
    for note in (dataset.doubt, stretching(resolved, dataset)):
        if note:
            say(f"careful: {note}")
    if dry_run:
        _tell_run(resolved, dataset, runs, resume=resume, new=new)
        return
    from pix2pix_model.distributed import is_first, joined, share_path
    from pix2pix_model.run_dir import follow_run
    from pix2pix_model.train import train as run_training

    with joined(resolved):
        own = _choose_run(resolved, dataset, runs, resume=resume, new=new) if is_first() else None
        path = share_path(own.path if own else None)
        run = own or follow_run(path)
        summary = run_training(resolved, dataset, run)
    result(f"{summary.num_steps} steps, {summary.num_images} images in {duration(summary.elapsed_s)}: {run.path}")
    held_out = {"validation", "test"} & set(dataset.num_pairs)
    images = shlex.quote(shown_place(resolved.data.path)) if held_out and not resolved.data.also else "IMAGES"
    result(f"next: p2p-model translate {shlex.quote(str(run.path))} {images}")


def _resolve(path: Path, overrides: list[str], reference: Literal["torch", "pytorch"] | None) -> Recipe:
    from pix2pix_model.recipe_file import load_recipe
    from pix2pix_model.shipped import find_recipe

    path = find_recipe(path)
    if reference is None:
        return load_recipe(path, overrides)
    from pix2pix_model.references import apply_reference

    applied = apply_reference(reference, path, overrides)
    resolved = load_recipe(path, [*overrides, *applied.overrides])
    say(f"--reference {reference} sets {', '.join(applied.overrides) or 'nothing'}")
    if applied.kept:
        say(f"the recipe says otherwise, and that stands: {', '.join(applied.kept)}")
    return resolved


def _open(recipe: Recipe) -> PairDataset:
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.stored_dataset import StoredDataset

    if url_of(recipe.data.path) is None and not recipe.data.path.exists():
        fix = f"{recipe.data.source or 'make one with p2p-data'}; or name the one you have: --set data.path=FOLDER"
        raise FormatError("the dataset of this recipe is not there", where=recipe.data.path, fix=fix)
    if recipe.data.stream and (url := url_of(recipe.data.path)):
        return StoredDataset(url)
    return open_dataset(recipe.data.path)


def _tell_run(recipe: Recipe, dataset: PairDataset, runs: Path, *, resume: Path | None, new: bool) -> None:
    from pix2pix_model.run_dir import find_unfinished

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
    limit_threads()
    keep_memory()
    if os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0":
        be_quiet()  # of processes that torchrun starts, the first one talks
    exit_with_errors_told(app)
