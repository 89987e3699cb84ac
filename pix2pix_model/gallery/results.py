"""What a run makes now: an evaluation that is there already, or a new one; its pictures are made anew, to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix_data.console import say
from pix2pix_model.evaluate import Judging, Task, choose_judges, evaluate, reread
from pix2pix_model.evaluation.page import chosen_examples
from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.tally import PictureScores
from pix2pix_model.weights_file import read_json

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["Results", "find_results"]

_PLAIN = Judging(features="none")  # what needs no further packages or networks


@dataclass(frozen=True, slots=True)
class Results:
    """What a model makes of a split.

    Attributes
    ----------
    origin : str
        What was evaluated, in words.
    scores : tuple of Score
    pictures : tuple of PictureScores
    examples : mapping of str to list of ndarray of shape (H, W, 3), uint8
        Of the best, the worst and some between, by key.
    titles : tuple of str
        What these pictures are.
    """

    origin: str
    scores: tuple[Score, ...]
    pictures: tuple[PictureScores, ...]
    examples: Mapping[str, list[RGB]]
    titles: tuple[str, ...]


def find_results(run_dir: Path, task: Task) -> Results:
    """Take the scores from RUN/evaluation-SPLIT if it is of this model, split and size; else evaluate.

    Parameters
    ----------
    run_dir : Path
    task : Task
        Its limit is that of a new evaluation.

    Raises
    ------
    FormatError
        If no pair of the split can be used.
    """
    judges, _ = choose_judges(task, _PLAIN, run_dir)
    known = _known(run_dir / f"evaluation-{task.split}", task)
    if known is None:
        done = evaluate(task, judges)
        number, total = len(done.pictures), task.dataset.num_pairs[task.split]
        origin = f"{number:,} of {total:,} pairs of the {task.split} split" + (
            ", evenly spread" if number < total else ""
        )
        scores, pictures = done.scores, done.pictures
    else:
        origin, scores, pictures = known
    chosen = [one.key for shown in chosen_examples(pictures).values() for one in shown]
    # Those that a limit had left out are reread too: an evaluation that is there may have had another one.
    every = Task(task.model, task.dataset, task.split, task.size, task.device, None, task.also)
    examples, titles = reread(every, judges, chosen)
    return Results(origin, tuple(scores), tuple(pictures), examples, titles)


def _known(folder: Path, task: Task) -> tuple[str, tuple[Score, ...], tuple[PictureScores, ...]] | None:
    """Read an evaluation of the same model, at the same size; None where there is none."""
    if not (folder / "evaluation.json").is_file() or not (folder / "pictures.jsonl").is_file():
        return None
    written: dict[str, Any] = read_json(folder / "evaluation.json")
    facts, config = written["evaluated"], task.model.config
    same_model = str(facts.get("model", "")).endswith(f"step {config.steps}")
    if not same_model or not str(facts.get("size", "")).startswith(f"{config.crop_size} px"):
        say(f"  {folder} is of another step or size: evaluated anew for this page")
        return None
    scores = tuple(_score(key, told) for key, told in written["scores"].items())
    lines = (folder / "pictures.jsonl").read_text(encoding="utf-8").splitlines()
    pictures = tuple(_picture(json.loads(line)) for line in lines)
    say(f"  scores are those of {folder}")
    return str(facts.get("evaluated", folder.name)), scores, pictures


def _score(key: str, told: dict[str, Any]) -> Score:
    value = told.get("value")
    return Score(
        key,
        told["name"],
        float("nan") if value is None else value,
        told["better"],
        real=told.get("real"),
        spread=told.get("spread"),
        note=told.get("note", ""),
    )


def _picture(line: dict[str, Any]) -> PictureScores:
    values = {name: value for name, value in line.items() if name != "key" and value is not None}
    return PictureScores(line["key"], values)
