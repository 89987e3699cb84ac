"""p2p-model evaluate: measures what a trained model makes of pictures that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.unfinished import command_of, filled, require_fillable
from pix2pix_data.urls import url_of

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_model.checkpoint import Model
    from pix2pix_model.evaluate import Evaluation, Task
    from pix2pix_model.evaluation.tally import Judges
    from pix2pix_model.picture_size import PictureSize

__all__ = ["HELP", "evaluate"]

HELP = help_text(
    "Evaluate a trained model on a paired dataset: scores, and a page with its worst and best pictures.",
    (
        "p2p-model evaluate runs/0001-facades",
        "p2p-model evaluate runs/0001-facades --on ./facades --split test --segmenter train",
        "p2p-model evaluate runs/0002-cityscapes --on ./cityscapes --palette cityscapes --json",
    ),
)
_MAX_FAILED = 0.1  # as in translate: more than this share of failed pictures ends in exit code 3
_InputRange = Literal["imagenet", "unit", "signed", "bytes"]
_InputOption = typer.Option(
    help="What such an ONNX file takes: ImageNet's mean and deviation removed, 0 to 1, -1 to 1, or 0 to 255."
)


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="A run, a model folder, or user/name on the hub.")],
    on: Annotated[
        Path | None,
        typer.Option("--on", metavar="DATASET", help="A paired dataset.", show_default="the one it was trained on"),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Split of the dataset.", show_default="test, else validation"),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(metavar="DATASET", help="For each further input of the model the dataset that has it."),
    ] = None,
    size: Annotated[
        str,
        typer.Option(metavar="PX|WxH|keep", help="Size of the pictures, or keep.", show_default="as it was trained"),
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="So many pairs, evenly spread.")] = None,
    features: Annotated[
        str,
        typer.Option(
            metavar="lite0|inception|none|FILE",
            help="Network whose features the distances between sets are told in: one of these names, an ONNX file, or "
            "hub:OWNER/NAME/FILE.onnx.",
            show_default="lite0, but none where labels are made",
        ),
    ] = "",
    features_input: Annotated[_InputRange, _InputOption] = "imagenet",
    lpips: Annotated[bool, typer.Option("--lpips", help="LPIPS too; needs torchvision.")] = False,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Colours of the label side: facades, cityscapes, or a file like palette.json.",
            show_default="found where possible",
        ),
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            metavar="train|FILE",
            help="Judge photos made of labels: by a network trained now on the dataset's own real pairs and kept, an "
            "ONNX file, or hub:OWNER/NAME/FILE.onnx.",
        ),
    ] = None,
    segmenter_input: Annotated[_InputRange, _InputOption] = "imagenet",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output folder.", show_default="evaluation-SPLIT in the run")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout instead of a table.")] = False,
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be evaluated, and do nothing.")] = False,
) -> None:
    command = command_of("evaluate", locals())

    from pix2pix_data.dataset import open_dataset
    from pix2pix_model.checkpoint import load_model
    from pix2pix_model.device import choose_device
    from pix2pix_model.evaluate import Judging, Task, choose_judges
    from pix2pix_model.evaluate import evaluate as run
    from pix2pix_model.model_pull import find_model

    start = time.monotonic()
    model = find_model(model)
    loaded = load_model(model)
    places = [on, *(also or ())] if on else _trained_on(model, loaded, also or ())
    dataset, *further = map(open_dataset, places)
    chosen: str = split or next(name for name in ("test", "validation", "train") if name in dataset.num_pairs)
    dataset.keys(chosen)  # a named error where there is no such split
    task = Task(loaded, dataset, chosen, _size(size, loaded), choose_device(device), limit, tuple(further))
    folder = out or _default_out(model, loaded, dataset, chosen, given=on is not None)
    require_fillable(folder, command, overwrite=overwrite)
    facts = _facts(task)
    for name, value in facts:
        say(f"{name}: {value}")
    if dry_run:
        say(f"would be written to {folder}")
        return
    asked = Judging(features, features_input, lpips, palette, segmenter, segmenter_input)
    judges, notes = choose_judges(task, asked, _cache_dir(model, folder))
    for note in notes:
        say(note)
    done = run(task, judges)
    with filled(folder, command):
        written = _write(folder, task, judges, facts, done)
    _tell(folder, done, written if as_json else None, time.monotonic() - start)
    if len(done.failures) > _MAX_FAILED * len(task.positions):
        raise typer.Exit(3)


def _trained_on(path: Path, model: Model, also: Sequence[Path]) -> list[Path]:
    """Find the datasets of a run where they lay when it was trained."""
    from pix2pix_model.recipe_file import load_recipe

    if (path / "recipe.toml").is_file():
        data = load_recipe(path / "recipe.toml").data
        if data.path.is_dir() or url_of(data.path):
            return [data.path, *(also or (further.path for further in data.further))]
    name = model.config.data.name if model.config.data else "a paired dataset"
    raise UsageError(f"the dataset {name} is not where the run knew it", where=path, fix="say where: --on DATASET")


def _size(text: str, model: Model) -> PictureSize | None:
    """Read --size: the model's own where it was left out, None for keep."""
    from pix2pix_model.picture_size import PictureSize

    if text in ("", "keep"):
        return model.config.crop_size if text == "" else None
    width, _, height = text.partition("x")
    if not all(side.isdecimal() and 8 <= int(side) <= 8192 for side in (width, height or width)):
        raise typer.BadParameter("--size is a number of pixels from 8 to 8192, WIDTHxHEIGHT, or keep")
    return PictureSize(int(height or width), int(width))


def _default_out(path: Path, model: Model, dataset: PairDataset, split: str, *, given: bool) -> Path:
    """Name the output after the split, and a dataset that was given; it lies in the run, if there is one."""
    name = f"evaluation-{dataset.path.resolve().name}-{split}" if given else f"evaluation-{split}"
    if (path / "recipe.toml").is_file():
        return path / name
    return Path(f"{model.config.name}-{name}")


def _cache_dir(path: Path, out: Path) -> Path:
    """Keep segmentation networks beside the runs, which all are to be judged by the same one."""
    return (path.resolve().parent if (path / "recipe.toml").is_file() else out.resolve().parent) / "segmenters"


def _facts(task: Task) -> list[tuple[str, str]]:
    config, dataset = task.model.config, task.dataset
    total, number = dataset.num_pairs[task.split], len(task.positions)
    count = f"all {total} pairs" if number == total else f"{number} of {total} pairs, evenly spread"
    seen = " (which it was trained on: says nothing about new pictures)" if task.split == "train" else ""
    known = config.data is not None and config.data.fingerprint == dataset.fingerprint
    same = "" if known else "; not the dataset that the model was trained on"
    age = f"step {config.steps}" if config.source is None else f"imported from {config.source.name}"
    size = "each pair at its own size" if task.size is None else f"{task.size} px, resized as in training"
    return [
        ("evaluated", f"{dataset.path.resolve().name}, {task.split} split{seen}, {count}{same}"),
        ("model", f"{config.name}, {config.sides.words}, {age}"),
        ("size", size),
        ("test time", task.model.config.test_time.in_words()),
        ("device", task.device.words),
    ]


def _write(folder: Path, task: Task, judges: Judges, facts: list[tuple[str, str]], done: Evaluation) -> str:
    """Write the three files; returns evaluation.json."""
    from pix2pix_data.atomic import write_file
    from pix2pix_model.evaluate import reread
    from pix2pix_model.evaluation.page import chosen_examples, evaluation_page
    from pix2pix_model.evaluation.tables import pictures_jsonl, scores_json

    chosen = [one.key for shown in chosen_examples(done.pictures).values() for one in shown]
    examples, titles = reread(task, judges, chosen)
    title = f"{task.model.config.name} on {task.dataset.path.resolve().name}"
    colors = (done.made_colors, done.real_colors)
    page = evaluation_page(title, facts, done.scores, done.labels, colors, done.pictures, examples, titles)
    written = scores_json(facts, done.scores, done.labels, len(done.pictures), done.failures)
    write_file(folder / "pictures.jsonl", pictures_jsonl(done.pictures))
    write_file(folder / "failures.jsonl", "".join(failed.to_line() for failed in done.failures))
    write_file(folder / "report.html", page)
    write_file(folder / "evaluation.json", written)
    return written


def _tell(folder: Path, done: Evaluation, as_json: str | None, elapsed_s: float) -> None:
    from pix2pix_model.evaluation.tables import score_table

    result(score_table(done.scores) if as_json is None else as_json.rstrip())
    tell = result if as_json is None else say
    tell(f"{len(done.pictures)} pictures, {len(done.failures)} failed, in {duration(elapsed_s)}")
    for failure in done.failures[:5]:
        tell(f"  {failure.key}: {failure.reason}")
    if done.failures:
        tell(f"  each one: {folder / 'failures.jsonl'}")
    tell(f"look at {folder / 'report.html'}; all numbers: {folder / 'evaluation.json'}")
