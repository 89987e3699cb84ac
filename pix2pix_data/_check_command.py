"""The command `check`: what the dataset doctor found, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pix2pix_data import _options
from pix2pix_data.console import ProgressLine, help_text, result, say

if TYPE_CHECKING:
    from pix2pix_data.findings import CheckResult, Finding

__all__ = ["CheckLimit", "add_check_command", "checked"]

CheckLimit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Look at N pairs, spread evenly, instead of all.")
]

_HELP = help_text(
    "Look at every pair of a dataset and say what would spoil training; exit code 3 if anything would.",
    ("p2p-data check shoes-edges", "p2p-data check ./facades --json", "p2p-data check ./facades --limit 1000"),
)
_WIDTH = 100
_EXAMPLES = 3


def add_check_command(app: typer.Typer) -> None:
    """Add the command to p2p-data."""
    app.command("check", help=_HELP)(_check)


def _check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A dataset of any layout; it is not changed.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write what was found as JSON to stdout.")] = False,
    limit: CheckLimit = None,
    workers: _options.Workers = None,
) -> None:
    found = checked(dataset, limit, workers)
    result(json.dumps(_record(found), indent=1, ensure_ascii=False) if as_json else _text(found))
    if found.has_errors:
        raise typer.Exit(3)


def checked(dataset: Path, limit: int | None, workers: int | None) -> CheckResult:
    """Check a dataset and say so; FormatError if there is none."""
    from pix2pix_data.check import check_dataset, num_to_look_at
    from pix2pix_data.engines.local import default_workers

    num_pairs = num_to_look_at(dataset, limit)
    say(f"check: {dataset} ({num_pairs} pairs)")
    with ProgressLine("Looking at pairs", num_pairs, unit="pairs") as progress:
        return check_dataset(dataset, workers=workers or default_workers(), limit=limit, tick=progress.advance)


def _record(found: CheckResult) -> dict[str, Any]:
    """Turn a result into what JSON can hold: sizes as WxH."""
    facts = asdict(found.facts)
    facts["sizes"] = {f"{width}x{height}": num for (width, height), num in found.facts.sizes.items()}
    return {"facts": facts, "findings": [asdict(finding) for finding in found.findings]}


def _text(found: CheckResult) -> str:
    facts = found.facts
    total = sum(facts.num_pairs.values())
    counts = ", ".join(f"{num} {split}" for split, num in facts.num_pairs.items())
    looked_at = "" if facts.num_looked_at == total else f", {facts.num_looked_at} looked at"
    sizes = [f"{width}x{height}" for width, height in facts.sizes]
    more = f" and {len(sizes) - 3} more" if len(sizes) > 3 else ""
    lines = [
        f"pairs  {total} ({counts}){looked_at}",
        f"sides  {', '.join(sizes[:3])}{more} pixels" if sizes else "sides  none that can be read",
        f"A      {facts.about_a}",
        f"B      {facts.about_b}",
    ]
    for finding in found.findings:
        lines += ["", *_finding_lines(finding)]
    tally = Counter(finding.severity for finding in found.findings)  # the gravest come first
    said = ", ".join(f"{num} {severity}{'s' if num != 1 else ''}" for severity, num in tally.items())
    return "\n".join([*lines, "", said or "nothing wrong was found"])


def _finding_lines(finding: Finding) -> list[str]:
    lines = _wrapped(f"{finding.severity}: ", f"{finding.what} [{finding.kind}, {_pairs(finding.count)}]")
    if finding.examples:
        shown = ["; ".join(" = ".join(pairs) for pairs in finding.examples[:_EXAMPLES])]
        shown += [", ..."] if len(finding.examples) > _EXAMPLES else []
        lines += _wrapped("  such as: ", "".join(shown))
    if finding.why:
        lines += _wrapped("  why: ", finding.why)
    if finding.fix:
        lines += _wrapped("  to do: ", finding.fix)
    return lines


def _pairs(num: int) -> str:
    return f"{num} pair{'' if num == 1 else 's'}"


def _wrapped(title: str, text: str) -> list[str]:
    return textwrap.wrap(
        title + text, _WIDTH, subsequent_indent=" " * len(title), break_long_words=False, break_on_hyphens=False
    )
