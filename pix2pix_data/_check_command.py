"""The command `check`: what the dataset doctor found, for people and for programs."""

from __future__ import annotations

import json
import textwrap
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pix2pix_data import _options
from pix2pix_data.console import ProgressLine, duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.new_folder import require_free

if TYPE_CHECKING:
    from pix2pix_data.findings import CheckResult, Finding

__all__ = ["CheckLimit", "add_check_command", "checked"]

CheckLimit = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Look at N pairs, spread evenly, instead of all.")
]

_HELP = help_text(
    "Look at every pair of a dataset and say what would spoil training; exit code 3 if anything would.\n\nWith --fix, "
    "write a new dataset in which what is safely mended is mended: common shifts and borders cut, sides mirrored back "
    "or exchanged, copies and leaks removed, labels in their own colours. fixes.jsonl names each change.",
    (
        "p2p-data check shoes-edges",
        "p2p-data check ./facades --json",
        "p2p-data check ./facades --fix --swap --out facades-fixed",
    ),
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
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safely mended, in a new folder.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="--fix: the new folder.", show_default="named after the dataset")
    ] = None,
    swap: Annotated[bool, typer.Option("--swap", help="--fix: make A of B, and B of A, as well.")] = False,
    jpeg: Annotated[
        bool, typer.Option("--jpeg", help="--fix: where B must be encoded anew, as JPEG quality 95 instead of PNG.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="--fix: say what would be mended.")] = False,
) -> None:
    if fix:
        if as_json or limit is not None:
            raise UsageError(
                "--fix looks at all pairs, and tells people", where="--fix", fix="leave --json, --limit away"
            )
        _fix_and_tell(dataset, out, swap=swap, jpeg=jpeg, workers=workers, dry_run=dry_run)
        return
    if out or swap or jpeg or dry_run:
        raise UsageError("nothing is written without --fix", where="--out, --swap, --jpeg, --dry-run", fix="add --fix")
    found = checked(dataset, limit, workers)
    result(json.dumps(_record(found), indent=1, ensure_ascii=False) if as_json else _told(found))
    if found.has_errors:
        raise typer.Exit(3)


def _fix_and_tell(
    dataset: Path, out: Path | None, *, swap: bool, jpeg: bool, workers: int | None, dry_run: bool
) -> None:
    """Check a dataset, mend it in a new folder, check that, and say what was done and what is left."""
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.fixes.plan import plan_fix
    from pix2pix_data.fixes.write import FIXES_FILE, write_fixed
    from pix2pix_data.limits import num_processors
    from pix2pix_data.report import write_report

    start = time.monotonic()
    out = out or Path(f"{dataset.resolve().name}-fixed")
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageError("the output would lie in the dataset", where=out, fix="give --out another place")
    require_free(out)
    found = checked(dataset, None, workers)
    pairs = open_dataset(dataset)
    plan = plan_fix(pairs, found, swap=swap)
    say(f"fix: {dataset} -> {out}")
    for finding in plan.mended:
        say(f"  mended: {finding.what} [{finding.kind}, {_pairs(finding.count)}]")
    for finding, reason in plan.unmended:
        say(f"  not mended: {finding.what} [{finding.kind}, {_pairs(finding.count)}]: {reason}")
    if plan.changes_nothing:
        result("there is nothing that --fix can mend; nothing was written")
    if not (plan.changes_nothing or dry_run):
        again: list[CheckResult] = []

        def look_again(made: Path) -> None:
            again.append(checked(made, None, workers, place=out))
            write_report(open_dataset(made), again[0], made / "report.html", place=out)

        fixed = write_fixed(plan, out, jpeg=jpeg, workers=workers or num_processors(), finish=look_again)
        found = again[0]
        counts = ", ".join(f"{num} {split}" for split, num in fixed.num_pairs.items())
        elapsed = duration(time.monotonic() - start)
        result(f"{sum(fixed.num_pairs.values())} pairs ({counts}), {fixed.num_left_out} left out, in {elapsed}")
        result(f"  {fixed.num_changed} pairs changed; each one: {out / FIXES_FILE}")
        result(f"  pictures stored as {', '.join(f'{kind}: {num}' for kind, num in fixed.sides.most_common())}")
        left = [f"{one.kind} ({one.severity})" for one in found.findings if one.severity != "note"]
        result(f"looked at again: {', '.join(left) or 'nothing wrong was found'}")
        result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")
    if found.has_errors:
        raise typer.Exit(3)


def checked(dataset: Path, limit: int | None, workers: int | None, *, place: Path | None = None) -> CheckResult:
    """Check a dataset, which will lie at `place` if that is elsewhere, and say so; FormatError if there is none."""
    from pix2pix_data.check import check_dataset, num_to_look_at
    from pix2pix_data.limits import num_processors

    num_pairs = num_to_look_at(dataset, limit)
    say(f"check: {place or dataset} ({num_pairs} pairs)")
    with ProgressLine("Looking at pairs", num_pairs, unit="pairs") as progress:
        return check_dataset(dataset, workers=workers or num_processors(), limit=limit, tick=progress.advance)


def _record(found: CheckResult) -> dict[str, Any]:
    """Turn a result into what JSON can hold: sizes as WxH."""
    facts = asdict(found.facts)
    facts["sizes"] = {f"{width}x{height}": num for (width, height), num in found.facts.sizes.items()}
    findings = []
    for finding in found.findings:
        record = asdict(finding)
        del record["mends"]
        findings.append(record | {"mended_by_fix": bool(finding.mends)})
    return {"facts": facts, "findings": findings}


def _told(found: CheckResult) -> str:
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
    if num_mended := sum(bool(finding.mends) for finding in found.findings):
        said += f"; --fix mends {num_mended} of them, in a new folder"
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
