"""The commands that show a dataset to people: report and show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pix2pix_data import _options
from pix2pix_data._check_command import CheckLimit, checked
from pix2pix_data.console import duration, help_text, result, say
from pix2pix_data.errors import UsageError
from pix2pix_data.urls import url_of

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset

__all__ = ["add_show_commands", "report_new"]

_PAIRS_CHECKED = 96  # after a build: a second or so, and enough to see what is wrong with most

_Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", help="A paired dataset of any layout; its pairs are not changed.")
]
_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name.")]
_REPORT_HELP = help_text(
    "Write one HTML page about a dataset that opens without a server or a network.",
    ("p2p-data report shoes-edges", "p2p-data report ./facades --out facades.html --limit 500"),
)
_SHOW_HELP = help_text(
    "Draw pairs as a picture, in the terminal where it can show one: a sheet of a split, or one pair enlarged.",
    ("p2p-data show shoes-edges", "p2p-data show shoes-edges --split test -n 6", "p2p-data show shoes-edges boot/0017"),
)


def add_show_commands(app: typer.Typer) -> None:
    """Add the commands to p2p-data."""
    app.command("report", help=_REPORT_HELP)(report)
    app.command("show", help=_SHOW_HELP)(show)


def report(
    dataset: _Dataset,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The page.", show_default="report.html in a dataset of p2p-data"),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the photos are, for thumbnails of those that gave no pair.",
            show_default="beside the dataset",
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Show what p2p-data check finds as well.")] = True,
    limit: CheckLimit = None,
    workers: _options.Workers = None,
    overwrite: _Overwrite = False,
) -> None:
    from pix2pix_data.dataset import ParquetDataset, open_dataset
    from pix2pix_data.report import write_report

    start = time.monotonic()
    pairs = open_dataset(dataset)
    is_ours = out is None and isinstance(pairs, ParquetDataset) and url_of(dataset) is None
    out = out or (dataset / "report.html" if is_ours else Path(f"{dataset.resolve().name}-report.html"))
    if out.exists() and not (is_ours or overwrite):
        raise _is_there(out)
    say(f"report: {_counted(pairs)} -> {out}")
    found = checked(dataset, limit, workers) if check else None
    write_report(pairs, found, out, photos=photos)
    result(f"{out} ({out.stat().st_size / 1e6:.1f} MB, in {duration(time.monotonic() - start)})")
    result("open it in a browser")


def report_new(dataset: Path, *, photos: Path | None = None, out: Path | None = None) -> None:
    """Write report.html into a dataset that was just made, check some of its pairs, and say what is wrong with them.

    `out` is where the dataset will lie, if that is elsewhere.
    """
    from pix2pix_data.check import check_dataset
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.report import write_report

    found = check_dataset(dataset, workers=1, limit=_PAIRS_CHECKED)
    write_report(open_dataset(dataset), found, dataset / "report.html", photos=photos, place=out)
    tally = Counter(finding.severity for finding in found.findings)  # the gravest come first
    if told := [
        f"{tally[severity]} {severity}{'s' if tally[severity] > 1 else ''}"
        for severity in ("error", "warning")
        if tally[severity]
    ]:
        looked_at, place = f"a look at {found.facts.num_looked_at} pairs", shlex.quote(str(out or dataset))
        say(f"  {looked_at} found {' and '.join(told)}: see the report, or p2p-data check {place}")
    for finding in found.findings:
        if finding.severity == "error":
            say(f"  error: {finding.what}")


def show(
    dataset: _Dataset,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="Show this pair alone, enlarged.", show_default="a sheet")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="The split to look in.", show_default="the first with pairs")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The PNG.", show_default="none where the terminal shows it, else by name"),
    ] = None,
    num_pairs: Annotated[int, typer.Option("-n", min=1, max=300, help="Pairs on a sheet, evenly spread.")] = 12,
    overwrite: _Overwrite = False,
) -> None:
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.images import encode_png
    from pix2pix_data.preview import draw_pairs
    from pix2pix_data.show import draw_pair, find_pair

    pairs = open_dataset(dataset)
    say(f"show: {_counted(pairs)}")
    if key is None:
        split = split or next(iter(pairs.num_pairs))
        picture, name = draw_pairs(pairs, split, num_pairs), split
        told = f"{min(num_pairs, pairs.num_pairs[split])} of {pairs.num_pairs[split]} pairs of {split}"
    else:
        split, position = find_pair(pairs, key, split)
        picture, name = draw_pair(pairs, split, position), re.sub(r"[^\w.-]+", "_", key)
        told = f"{key}, pair {position + 1} of {split}"
    png = encode_png(picture)
    shown = _show_in_terminal(png, picture.shape[1])
    if out is not None or not shown:
        out = out or Path(f"{dataset.resolve().name}-{name}.png")
        _write(out, png, overwrite=overwrite)
        told += f" in {out}"
    result(told)


def _show_in_terminal(png: bytes, width_px: int) -> bool:
    from pix2pix_data.terminal_pictures import known_protocol, picture_sequence

    protocol = known_protocol(os.environ) if sys.stdout.isatty() else None
    if protocol is None:
        return False
    result(picture_sequence(png, protocol, width_px=width_px, columns=shutil.get_terminal_size().columns))
    return True


def _counted(pairs: PairDataset) -> str:
    return f"{pairs.path} ({', '.join(f'{num} {split}' for split, num in pairs.num_pairs.items())})"


def _write(path: Path, content: bytes, *, overwrite: bool) -> None:
    from pix2pix_data.atomic import write_file

    if path.exists() and not overwrite and (path.is_dir() or path.read_bytes() != content):
        raise _is_there(path)
    write_file(path, content)


def _is_there(path: Path) -> UsageError:
    return UsageError("there is such a file already", where=path, fix="choose another --out, or --overwrite")
