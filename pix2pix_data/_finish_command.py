"""How every build ends: what is told, and the command that ends one whose shards many jobs made."""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pix2pix_data import _options
from pix2pix_data._hub_commands import check_can_push, push_and_tell
from pix2pix_data._show_commands import report_new
from pix2pix_data.console import duration, help_text, result, say

if TYPE_CHECKING:
    from pix2pix_data.closing import BuildSummary

__all__ = ["add_finish_command", "end_build", "reason_kind", "tell_others"]

_FINISH_HELP = help_text(
    "Make one dataset of what jobs with --shard-index and --num-shards have made; no pair is made again.",
    ("p2p-data finish shoes-edges", "p2p-data finish shoes-edges --push user/shoes-edges"),
)


def add_finish_command(app: typer.Typer) -> None:
    """Add the command to p2p-data."""
    app.command("finish", help=_FINISH_HELP)(finish)


def finish(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="The --out of the jobs.")],
    max_failed: _options.MaxFailed = 0.1,
    push: _options.Push = None,
) -> None:
    from pix2pix_data.closing import close, read_closing

    start = time.monotonic()
    if push is not None:
        check_can_push(push)
    closing = read_closing(dataset)
    if closing is None:
        result(f"{dataset} is complete")
        if push is not None:
            push_and_tell(dataset, push)
        return
    end_build(
        close(dataset, closing),
        dataset,
        Path(closing.source),
        closing.recipe,
        start=start,
        num_unused=closing.num_unused,
        max_failed=max_failed,
        push=push,
    )


def end_build(
    summary: BuildSummary,
    out: Path,
    source: Path,
    recipe: Sequence[str],
    *,
    start: float,
    num_unused: int,
    max_failed: float,
    push: str | None,
) -> None:
    """Write the report of a finished build, say how it went, and push it if that is asked for.

    Parameters
    ----------
    summary : BuildSummary
    out, source : Path
        The dataset, and the folder of photos.
    recipe : sequence of str
        The recipe that trains on it, and what to `--set` in it.
    start : float
        When the command began, by `time.monotonic`.
    num_unused : int
        How many of the failed photos are sound, and left out.
    max_failed : float
        Share of failed photos above which the command ends in exit code 3.
    push : str or None
        Repository on the hub.
    """
    if not summary.was_complete or not (out / "report.html").is_file():
        report_new(out, photos=source)
    num_failed = summary.num_failed - num_unused
    _tell(summary, out, time.monotonic() - start, num_unused)
    settings = " ".join(f"--set {one}" for one in (f"data.path={shlex.quote(str(out))}", *recipe[1:]))
    result(f"next: p2p-train recipes/{recipe[0]}.toml {settings}")
    if num_failed > max_failed * (sum(summary.num_pairs.values()) + num_failed):
        say(f"more than {max_failed:.0%} failed, which --max-failed says is too many{'; not pushed' if push else ''}")
        raise typer.Exit(3)
    if push is not None:
        push_and_tell(out, push)


def _tell(summary: BuildSummary, out: Path, elapsed_s: float, num_unused: int) -> None:
    num_pairs = sum(summary.num_pairs.values())
    counts = ", ".join(f"{num} {split}" for split, num in summary.num_pairs.items())
    done = "already complete" if summary.was_complete else f"in {duration(elapsed_s)}"
    left_out = f"{num_unused} photos not used, " if num_unused else ""
    result(f"{num_pairs} pairs ({counts}), {left_out}{summary.num_failed - num_unused} failed, {done}")
    if summary.num_failed:
        lines = (out / "failures.jsonl").read_text(encoding="utf-8").splitlines()
        reasons = Counter(reason_kind(json.loads(line)["reason"]) for line in lines)
        for reason, num in reasons.most_common(5):
            result(f"  {num} x {reason}")
        result(f"  each one: {out / 'failures.jsonl'}")
    tell_others(summary.others)
    result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")


def reason_kind(reason: str) -> str:
    """Return what many reasons have in common: what stands before the colon."""
    return reason.partition(":")[0]


def tell_others(others: list[str]) -> None:
    """Say which files are no pictures."""
    if others:
        more = ", ..." if len(others) > 3 else ""
        say(f"  {len(others)} other files are no pictures: {', '.join(others[:3])}{more}")
