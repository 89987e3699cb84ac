"""A mended dataset: a new folder in which each change is written down, and the rest is what it was."""

from __future__ import annotations

import functools
import json
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pix2pix_data import __version__
from pix2pix_data.atomic import write_file, write_json
from pix2pix_data.card import divided_card, write_card
from pix2pix_data.console import ProgressLine
from pix2pix_data.dataset import EncodedPair, ParquetDataset
from pix2pix_data.fixes.pictures import Altered, alter
from pix2pix_data.fixes.plan import FixPlan
from pix2pix_data.new_folder import new_folder
from pix2pix_data.ordered_work import in_order
from pix2pix_data.pair import Failed, PairPlan
from pix2pix_data.palette_file import palette_json
from pix2pix_data.preview import write_preview
from pix2pix_data.shards import Columns, write_split
from pix2pix_data.splits import splits_fingerprint

__all__ = ["FIXES_FILE", "FixSummary", "write_fixed"]

FIXES_FILE = "fixes.jsonl"
"""One line for each pair that is not what it was: how it was called, its key and split now, and the changes."""

_WRITTEN_ANEW = {"data", "README.md", "build.json", "preview.png", "report.html", "failures.jsonl", FIXES_FILE}
_FORMAT_VERSION = 1  # of build.json, as in build.py


@dataclass(slots=True)
class FixSummary:
    """How it ended.

    Attributes
    ----------
    num_pairs : dict of str to int
    num_changed, num_left_out : int
        Pairs with a change, and those that are not there any more: together the lines of fixes.jsonl.
    sides : Counter of str
        As in `ImportSummary`.
    """

    num_pairs: dict[str, int]
    num_changed: int = 0
    num_left_out: int = 0
    sides: Counter[str] = field(default_factory=Counter)


def write_fixed(
    plan: FixPlan, out: Path, *, jpeg: bool, workers: int, finish: Callable[[Path], None] | None = None
) -> FixSummary:
    """Write the mended dataset to a new folder, which is there whole or not at all; memory stays at a few dozen pairs.

    Parameters
    ----------
    plan : FixPlan
    out : Path
    jpeg : bool
        Where B has to be encoded anew, store JPEG of quality 95 instead of PNG.
    workers : int
        Threads; any number gives the same bytes.
    finish : callable, optional
        Adds to the dataset, in a folder of the same name, before it takes its place.

    Raises
    ------
    BuildError
        If `out` holds anything.
    ImageError
        If a pair cannot be decoded any more.
    """
    summary = FixSummary(plan.num_pairs, num_left_out=len(plan.left_out))
    lines = [_line(one, None, [f"left out: {plan.left_out[one.sources[2]]}"]) for one in _left_out(plan)]
    with new_folder(out) as beside:
        with (
            ProgressLine("Writing pairs", sum(plan.num_pairs.values()), unit="pairs") as progress,
            ThreadPoolExecutor(workers) as threads,
        ):
            modes = plan.dataset.modes[::-1] if plan.swap else plan.dataset.modes
            altered = functools.partial(_altered, plan, jpeg=jpeg)
            for split, plans in plan.splits.items():
                outcomes = in_order(threads, altered, _pairs(plan, plans), ahead=4 * workers)
                pairs = _told(outcomes, split, lines, summary, progress)
                write_split(beside, split, pairs, len(plans), Columns(modes=modes))
        _write_rest(plan, beside, out.resolve().name, lines, jpeg=jpeg)
        if finish is not None:
            finish(beside)
    return summary


def _is_ours(plan: FixPlan) -> bool:
    return isinstance(plan.dataset, ParquetDataset)


def _left_out(plan: FixPlan) -> list[PairPlan]:
    return [one for one in plan.plans if one.sources[2] in plan.left_out]


# --- pairs --------------------------------------------------------------------------------------------------------


def _pairs(plan: FixPlan, plans: Sequence[PairPlan]) -> Iterator[tuple[PairPlan, EncodedPair]]:
    """Read the pairs of one new split in their old order, with their new groups."""
    for split in plan.dataset.num_pairs:
        at = {int(one.sources[1]): one for one in plans if one.sources[0] == split}
        for position, pair in zip(sorted(at), plan.dataset.encoded_pairs(split, at.keys()) if at else (), strict=True):
            yield at[position], replace(pair, key=at[position].key, group=at[position].group)


def _altered(plan: FixPlan, item: tuple[PairPlan, EncodedPair], *, jpeg: bool) -> tuple[PairPlan, Altered]:
    one, pair = item
    return one, alter(pair, plan.alteration_of(one.sources[2]), is_ours=_is_ours(plan), jpeg=jpeg)


def _told(
    outcomes: Iterator[tuple[PairPlan, Altered]],
    split: str,
    lines: list[str],
    summary: FixSummary,
    progress: ProgressLine,
) -> Iterator[EncodedPair]:
    for plan, altered in outcomes:
        changes = list(altered.changes)
        if plan.sources[0] != split:
            changes.append(f"moved from {plan.sources[0]} to {split}")
        if changes:
            lines.append(_line(plan, split, changes))
            summary.num_changed += 1
        summary.sides.update(altered.stored.kinds)
        progress.advance()
        yield altered.stored.pair


def _line(plan: PairPlan, split: str | None, changes: Sequence[str]) -> str:
    record = {"pair": plan.sources[2], "key": plan.key, "split": split, "changes": changes}
    return json.dumps(record, ensure_ascii=False) + "\n"


# --- the other files ----------------------------------------------------------------------------------------------


def _write_rest(plan: FixPlan, out: Path, name: str, lines: Sequence[str], *, jpeg: bool) -> None:
    old = plan.dataset.path
    options = [option for option, given in (("--swap", plan.swap), ("--jpeg", jpeg)) if given]
    command = shlex.join(["p2p-data", "check", old.resolve().name, "--fix", *options])
    told = "\n".join([command, *(f"  {one.kind}: {one.count} pairs" for one in plan.mended)])
    failed = [Failed(one.key, one.sources[2], plan.left_out[one.sources[2]]).to_line() for one in _left_out(plan)]
    if _is_ours(plan):
        _copy_others(old, out, leave={"palette.json"} if plan.swap else set())
        failed = [*_lines(old / "failures.jsonl"), *failed]
        lines = [*_lines(old / FIXES_FILE), *lines]
    write_file(out / "failures.jsonl", "".join(failed))
    write_file(out / FIXES_FILE, "".join(lines))
    if plan.palette is not None and (plan.labels == "A") != plan.swap:
        write_file(out / "palette.json", palette_json(plan.palette))
    card = old / "README.md"
    if _is_ours(plan) and card.is_file():
        text = card.read_text(encoding="utf-8")
        text = divided_card(text, old.resolve().name, name, told, plan.num_pairs, num_failed=len(failed))
    else:
        text = write_card(name, f"Mended from `{old.resolve().name}`.", told, plan.num_pairs, len(failed))
    write_file(out / "README.md", text)
    write_preview(ParquetDataset(out), out / "preview.png")
    record = _record(plan, command, len(failed))
    write_json(out / "build.json", record)


def _copy_others(old: Path, out: Path, *, leave: set[str]) -> None:
    for path in old.iterdir():
        if path.name not in _WRITTEN_ANEW | leave and not path.name.startswith("."):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, out / path.name)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []


def _record(plan: FixPlan, command: str, num_failed: int) -> Mapping[str, Any]:
    """Write build.json: that of a dataset of ours goes on, and says how it was mended."""
    fixed = {"command": command, "mended": [one.kind for one in plan.mended]}
    old: Mapping[str, Any] = {
        "identity": {
            "format": _FORMAT_VERSION,
            "maker": "check",
            "settings": {},
            "options": {},
            "source": {
                "name": plan.dataset.path.resolve().name,
                "photos": len(plan.plans),
                "fingerprint": plan.dataset.fingerprint,
            },
            "version": __version__,
        },
        "others": [],
    }
    if _is_ours(plan):
        old = json.loads((plan.dataset.path / "build.json").read_text(encoding="utf-8"))
    fixes = [*old["identity"].get("fixed", []), fixed]
    identity = dict(old["identity"]) | {"fixed": fixes, "splits": splits_fingerprint(plan.splits)}
    return dict(old) | {"identity": identity, "pairs": plan.num_pairs, "failed": num_failed}
