"""The commands that bring datasets from other layouts and into them: import and export."""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pix2pix_data import _options
from pix2pix_data._show_commands import report_new
from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError

__all__ = ["add_layout_commands", "counts", "two_names"]

_IMPORT_HELP = help_text(
    "Make a dataset of pairs in another layout, with its splits, and with the very bytes of its pictures where they "
    "can be kept.\n\nLayouts: side-by-side pictures; trainA/ and trainB/ and the like; pictures named by "
    "metadata.jsonl or .csv (imagefolder); WebDataset; Parquet and Arrow tables with two columns of pictures; and "
    "each of these in a .zip or .tar (.gz, .bz2, .xz) archive, which is read and never unpacked.",
    (
        "p2p-data import ./facades --swap",
        "p2p-data import ./maps.tar.gz --out maps",
        "p2p-data import ./hub-set --columns sketch,photo",
    ),
)
_EXPORT_HELP = help_text(
    "Write a dataset in a layout that other programs read, in a new folder; pictures are copied as they are.\n\n"
    "ab: side-by-side PNG files in train/, val/, test/ (pix2pix). folders: trainA/, trainB/ and so on. imagefolder: "
    "pictures and metadata.jsonl. webdataset: .tar shards. columns: Parquet with other names, controlnet and instruct "
    "being those of diffusers' scripts. The last three take names: A,B or A,B,TEXT.",
    (
        "p2p-data export shoes-edges --to ab",
        "p2p-data export shoes-edges --to columns:controlnet --text 'a shoe'",
        "p2p-data export shoes-edges --to imagefolder:sketch,photo --split test",
    ),
)


def add_layout_commands(app: typer.Typer) -> None:
    """Add the commands to p2p-data."""
    app.command("import", help=_IMPORT_HELP)(import_)
    app.command("export", help=_EXPORT_HELP)(export)


def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder, archive or table; it is not changed.")],
    out: _options.Out = None,
    columns: _options.Columns = None,
    swap: _options.Swap = False,
    jpeg: _options.Jpeg = False,
    workers: _options.Workers = None,
    max_failed: _options.MaxFailed = 0.1,
    dry_run: _options.DryRun = False,
) -> None:
    from pix2pix_data.importing import ImportOptions, import_pairs, open_layout
    from pix2pix_data.limits import num_processors

    start = time.monotonic()
    out = out or Path(f"{path.resolve().name.partition('.')[0] or 'imported'}-pairs")
    if out.resolve().is_relative_to(path.resolve()):
        raise UsageError("the output would lie in what is imported", where=out, fix="give --out another place")
    options = ImportOptions(two_names(columns), swap, jpeg)
    scratch = next(folder for folder in out.resolve().parents if folder.is_dir())
    with open_layout(path, options, scratch=scratch) as opened:
        say(f"import: {path} ({counts(opened.found.num_pairs)}; {opened.found.layout}) -> {out}")
        if opened.found.doubt is not None:
            say(f"  doubtful: {opened.found.doubt}")
        if dry_run:
            for failed in opened.found.failed:
                say(f"  no pair from {failed.source}: {failed.reason}")
            return
        report = partial(report_new, photos=path, out=out)
        summary = import_pairs(opened, out, workers=workers or num_processors(), finish=report)
    num_pairs = sum(summary.num_pairs.values())
    elapsed = duration(time.monotonic() - start)
    result(f"{num_pairs} pairs ({counts(summary.num_pairs)}), {summary.num_failed} failed, in {elapsed}")
    result(f"  pictures stored as {', '.join(f'{kind}: {num}' for kind, num in summary.sides.most_common())}")
    if summary.num_failed:
        lines = (out / "failures.jsonl").read_text(encoding="utf-8").splitlines()
        reasons = Counter(json.loads(line)["reason"].partition(":")[0] for line in lines)
        for reason, num in reasons.most_common(5):
            result(f"  {num} x {reason}")
        result(f"  each one: {out / 'failures.jsonl'}")
    if opened.others:
        say(f"  {len(opened.others)} other files are no pictures; build.json names them")
    result(f"look at {out / 'report.html'}, or at {out / 'preview.png'}")
    result(f"next: p2p-data check {shlex.quote(str(out))}")
    if summary.num_failed > max_failed * (num_pairs + summary.num_failed):
        say(f"more than {max_failed:.0%} of the pairs failed")
        raise typer.Exit(3)


def export(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A paired dataset; it is not changed.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="LAYOUT", help="ab, folders, imagefolder[:NAMES], webdataset[:NAMES], columns:NAMES."
        ),
    ],
    out: _options.Out = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="SPLIT", help="Export this split alone; may be given again.", show_default="all"),
    ] = None,
    jpeg: Annotated[
        bool, typer.Option("--jpeg", help="ab: write JPEG quality 95, which is small and changes pixels.")
    ] = False,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What stands in the column TEXT of all pairs.")] = "",
    dry_run: _options.DryRun = False,
) -> None:
    from pix2pix_data.export import export_pairs, plan_export

    start = time.monotonic()
    out = out or Path(f"{dataset.resolve().name}-{to.partition(':')[0]}")
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageError("the output would lie in the dataset", where=out, fix="give --out another place")
    plan = plan_export(dataset, to, splits=split or (), jpeg=jpeg, caption=text)
    say(f"export: {dataset} ({counts(plan.num_pairs)}) -> {out}")
    if dry_run:
        return
    notes = export_pairs(plan, out)
    result(f"{sum(plan.num_pairs.values())} pairs in {out}, in {duration(time.monotonic() - start)}")
    for note in notes:
        result(f"  {note}")


def counts(num_pairs: Mapping[str, int]) -> str:
    """Say how many pairs each split has."""
    return ", ".join(f"{num} {split}" for split, num in num_pairs.items())


def two_names(columns: str | None) -> tuple[str, str] | None:
    """Read what --columns says; UsageError if these are not two names."""
    if columns is None:
        return None
    a, _, b = columns.partition(",")
    if not a or not b or "," in b or a == b:
        raise UsageError(f"{columns!r} does not name two columns", where="--columns", fix="write --columns A,B")
    return a, b
