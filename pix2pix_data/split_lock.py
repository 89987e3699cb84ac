"""A lock file: which split each photo went to, so that it stays there when photos are added."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import FormatError
from pix2pix_data.pair import SPLITS, PairPlan

__all__ = ["read_lock", "torn_groups", "write_lock"]

_HEADER = ["key", "split"]
_NUM_SHOWN = 3  # groups that a split parts


def read_lock(path: Path) -> dict[str, str]:
    """Read a lock file as {key: split}; a file that is not there yet locks nothing.

    Raises
    ------
    FormatError
        If the file is no lock file; it names the line.
    """
    if not path.exists():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            f"the lock file cannot be read: {error}", where=path, fix="name one that p2p-data wrote, or a new file"
        ) from None
    if not rows or rows[0] != _HEADER:
        fix = "name one that p2p-data wrote, or a new file"
        raise FormatError("this is no lock file: its first line is not key,split", where=path, fix=fix)
    locked: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2 or row[1] not in SPLITS:
            fix = f"write a key, a comma, and one of {', '.join(SPLITS)}"
            raise FormatError(f"line {number} of the lock file cannot be used", where=path, fix=fix)
        if locked.setdefault(row[0], row[1]) != row[1]:
            raise FormatError(f"the lock file has {row[0]} in two splits", where=path, fix=f"mend line {number}")
    return locked


def write_lock(path: Path, locked: Mapping[str, str], splits: Mapping[str, Sequence[PairPlan]]) -> None:
    """Write a lock file with what was locked, present or not, and where everything else went."""
    everything = dict(locked) | {plan.key: split for split, plans in splits.items() for plan in plans}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(sorted(everything.items()))
    write_file(path, text.getvalue())


def torn_groups(plans: Sequence[PairPlan], locked: Mapping[str, str], *, by: str) -> list[str]:
    """Say in a line which groups lie in more than one split, as `by`, such as "the lock file says"; or nothing."""
    members: dict[str, dict[str, list[str]]] = {}
    for plan in plans:
        if plan.key in locked:
            members.setdefault(plan.group, {}).setdefault(locked[plan.key], []).append(plan.key)
    torn = sorted((group for group in members.values() if len(group) > 1), key=lambda group: -_num_held_out(group))
    if not torn:
        return []
    examples = [" and ".join(f"{keys[0]} ({split})" for split, keys in group.items()) for group in torn[:_NUM_SHOWN]]
    groups = "1 group of photos is" if len(torn) == 1 else f"{len(torn)} groups of photos are"
    such_as = "" if len(torn) == len(examples) else "such as "
    return [f"  warning: {groups} in more than one split, as {by}: {such_as}{'; '.join(examples)}"]


def _num_held_out(group: Mapping[str, Sequence[str]]) -> int:
    return sum(len(keys) for split, keys in group.items() if split != "train")
