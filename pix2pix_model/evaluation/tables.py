"""Scores as a table of text, and as JSON."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from pix2pix_data.pair import Failed
from pix2pix_model.evaluation.scores import Better, Score, finite
from pix2pix_model.evaluation.tally import LabelTable, PictureScores

__all__ = ["arrow", "notes", "number", "pictures_jsonl", "score_table", "scores_json"]

_ARROWS: dict[Better, str] = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "nearest": "="}
_WIDTH = 120


def arrow(better: Better) -> str:
    """Return a sign for which way is better: up, down, or as the real pictures."""
    return _ARROWS[better]


def number(value: float | None, digits: int) -> str:
    """Write a number with so many decimal places; a dash for none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{digits}f}" if math.isfinite(value) else "inf"


def score_table(scores: Sequence[Score]) -> str:
    """Write the scores as aligned text, with the way that is better, and the notes below."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="")
    for title, side in (("", "left"), ("", "left"), ("made", "right"), ("+-", "right"), ("real", "right")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for score in scores:
        values = (score.value, score.spread, score.real)
        table.add_row(_readable(arrow(score.better)), score.name, *(number(value, score.digits) for value in values))
    out = io.StringIO()
    Console(file=out, width=_WIDTH, highlight=False, markup=False).print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join([*lines, *(f"  {note}" for note in notes(scores))])


def _readable(sign: str) -> str:
    """Write an arrow in words where the terminal has no letter for it."""
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return next(better for better, one in _ARROWS.items() if one == sign)
    return sign


def notes(scores: Sequence[Score]) -> list[str]:
    """Write each note of the scores once, with the names of those that it is of."""
    names: dict[str, list[str]] = {}
    for score in scores:
        if score.note:
            names.setdefault(score.note, []).append(score.name)
    return [f"{_joined(of)}: {note}" for note, of in names.items()]


def _joined(names: Sequence[str]) -> str:
    """Join names, and say what they begin with once: "Lab histogram intersection, L, a, b"."""
    head, separator, _ = names[0].rpartition(" ")
    if len(names) == 1 or not all(name.startswith(head + separator) for name in names):
        head = names[0].partition(":")[0]
        return ", ".join(names) if len(names) == 1 or not all(name.startswith(head) for name in names) else head
    return names[0] + "".join(f", {name.removeprefix(head + separator)}" for name in names[1:])


def scores_json(
    facts: Sequence[tuple[str, str]],
    scores: Sequence[Score],
    labels: LabelTable | None,
    num_pictures: int,
    failures: Sequence[Failed],
) -> str:
    """Write evaluation.json: what was evaluated, each score by its key, and the scores of each class."""
    written: dict[str, Any] = {
        "format": 1,
        "evaluated": dict(facts),
        "num_pictures": num_pictures,
        "num_failed": len(failures),
        "scores": {score.key: score.to_json() for score in scores},
    }
    if labels is not None:
        written["classes"] = _classes(labels)
    return json.dumps(written, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _classes(labels: LabelTable) -> list[dict[str, Any]]:
    sides = {"": labels.made} | ({"real_": labels.real} if labels.real else {})
    return [
        {"name": name}
        | {
            f"{prefix}{key}": finite(values[i])
            for prefix, scores in sides.items()
            for key, values in (("accuracy", scores.accuracies), ("iou", scores.ious))
        }
        for i, name in enumerate(labels.names)
    ]


def pictures_jsonl(pictures: Sequence[PictureScores]) -> str:
    """Write one line of JSON for each picture: its key and its measures."""
    lines = (
        json.dumps({"key": one.key} | {name: finite(value) for name, value in one.values.items()}, ensure_ascii=False)
        for one in pictures
    )
    return "".join(f"{line}\n" for line in lines)
