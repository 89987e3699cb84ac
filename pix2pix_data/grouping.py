"""What must stay on one side of a split: photos of a folder, a name, a table, or that look the same."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from pix2pix_data.disjoint_sets import DisjointSets
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.pair import PairPlan
from pix2pix_data.registry import nearest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.photo_prints import Prints
    from pix2pix_data.plans import Plans

    Numbers: TypeAlias = npt.NDArray[np.int64]
    ReadPrints: TypeAlias = Callable[[], tuple[Prints, npt.NDArray[np.bool_]]]

__all__ = ["NEAR_DUPLICATES", "GroupBy", "Grouped", "group_plans", "joined", "numbers_of", "parse_group_by"]

NEAR_DUPLICATES = "near-duplicates"
_PLAIN = (NEAR_DUPLICATES, "file", "folder")
_HOW = 'near-duplicates, file, folder, "regex:PATTERN", or csv:FILE:COLUMN'
_CROWD_PHOTOS, _CROWD_SHARE = 20, 0.1  # a larger group than both is hardly made of copies alone
_PHOTO_COLUMNS = ("key", "file_name", "file", "path", "image", "photo")


@dataclass(frozen=True, slots=True)
class GroupBy:
    """How photos are grouped.

    Attributes
    ----------
    kind : {"near-duplicates", "file", "folder", "regex", "csv"}
    pattern : re.Pattern or None
        For regex: searched for in each key; its groups, or else the whole match, name the group.
    table : Path or None
    column : str
        For csv: the table, and the column that names the group.
    """

    kind: str
    pattern: re.Pattern[str] | None = None
    table: Path | None = None
    column: str = ""

    def __str__(self) -> str:
        """Write it as it is typed, without the folders of this machine."""
        if self.pattern is not None:
            return f"regex:{self.pattern.pattern}"
        return self.kind if self.table is None else f"csv:{self.table.name}:{self.column}"


@dataclass(frozen=True, slots=True)
class Grouped:
    """Plans with their groups, and what to tell of it."""

    plans: Plans
    notes: list[str]


def parse_group_by(text: str) -> GroupBy:
    """Read what stands behind `--group`.

    Raises
    ------
    UsageError
        If it is none of the five ways.

    Examples
    --------
    >>> parse_group_by("csv:shoes.csv:product").column
    'product'
    """
    if text in _PLAIN:
        return GroupBy(text)
    kind, _, rest = text.partition(":")
    if kind == "regex" and rest:
        try:
            return GroupBy(kind, pattern=re.compile(rest))
        except re.error as error:
            raise UsageError(
                f"the pattern is no regular expression: {error}", where=f"--group {text}", fix="mend it"
            ) from None
    table, _, column = rest.rpartition(":")
    if kind == "csv" and table and column:
        return GroupBy(kind, table=Path(table), column=column)
    guess = nearest(kind, (*_PLAIN, "regex", "csv"))
    hint = f"did you mean {guess!r}? Choose {_HOW}" if guess and guess != kind else f"choose {_HOW}"
    raise UsageError("photos cannot be grouped like this", where=f"--group {text}", fix=hint)


def group_plans(plans: Sequence[PairPlan], by: GroupBy, read_prints: ReadPrints) -> Grouped:
    """Join plans that belong together; what the maker put into one group is never taken apart.

    Parameters
    ----------
    plans : sequence of PairPlan
    by : GroupBy
    read_prints : callable
        Gives the prints of the plans' targets, in order; called for near-duplicates alone.

    Returns
    -------
    Grouped
        The plans in their order. A group is called after the folder, match or value that makes it, otherwise after
        the shortest of its members' names (the first of these): copies mostly have longer names than what they are
        copied from, so a group keeps its name, and with it its split, when they are added.

    Raises
    ------
    UsageError, FormatError
        If a photo does not match the pattern or has no row in the table, or the table cannot be read.
    """
    from pix2pix_data.plans import Plans

    plans = Plans.of(plans)
    if by.kind == "file":
        return Grouped(plans, [])
    if by.kind == NEAR_DUPLICATES:
        return _by_looks(plans, read_prints)
    labels = _labels(plans, by)
    names = [group if label is None else label for group, label in zip(plans.groups(), labels, strict=True)]
    return Grouped(joined(plans, numbers_of(names), lambda: names), [])


def joined(plans: Plans, labels: Numbers, names: Callable[[], Iterable[str]]) -> Plans:
    """Join the plans of one maker's group and those of one label; name each set by the shortest of `names()`.

    Parameters
    ----------
    plans : Plans
    labels : ndarray of shape (N,), int64
    names : callable
        Gives a name for each plan, each time.
    """
    import numpy as np

    sets = DisjointSets(len(plans))
    for numbers in (plans.group_hashes(), labels):
        _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
        earliest = first[which]  # the plan with the same number that comes first
        repeated = np.flatnonzero(earliest != np.arange(len(plans)))
        for plan, earlier in zip(repeated.tolist(), earliest[repeated].tolist(), strict=True):
            sets.join(plan, earlier)
    roots = np.array(sets.roots(), np.int64)
    is_alone = np.bincount(roots, minlength=len(plans))[roots] == 1
    name_of: dict[int, str] = {}
    for alone, root, name in zip(is_alone, roots, names(), strict=True):
        if not alone:
            known = name_of.setdefault(root, name)
            if (len(name), name) < (len(known), known):
                name_of[root] = name
    return plans.with_groups(name_of.get(root, name) for root, name in zip(roots, names(), strict=True))


# --- labels -------------------------------------------------------------------------------------------------------


def _by_looks(plans: Plans, read_prints: ReadPrints) -> Grouped:
    import numpy as np

    from pix2pix_data.near_duplicates import find_near_duplicates

    prints, readable = read_prints()
    rows = np.flatnonzero(readable)
    labels = np.arange(len(plans))  # a photo that cannot be read is alone, and the build reports it
    labels[rows] = rows[find_near_duplicates(prints[rows] if len(rows) < len(plans) else prints)]
    sizes = np.bincount(labels)
    crowds = sizes[sizes > 1].tolist()
    notes = []
    if crowds:
        largest = f", the largest of {max(crowds)}" if len(crowds) > 1 else ""
        groups = "1 group" if len(crowds) == 1 else f"{len(crowds)} groups"
        notes.append(f"  {sum(crowds)} photos are near-duplicates, in {groups}{largest}")
        if max(crowds) > max(_CROWD_PHOTOS, _CROWD_SHARE * len(plans)):
            notes.append(
                f"  warning: {max(crowds) / len(plans):.0%} of the photos are one group; if these are not copies but "
                "things that look alike (products on white), choose --group file, or csv: with a column of products"
            )
    return Grouped(joined(plans, labels, plans.groups), notes)


def numbers_of(labels: Iterable[str]) -> Numbers:
    """Number labels as they come; equal ones have one number."""
    import numpy as np

    numbers: dict[str, int] = {}
    return np.fromiter((numbers.setdefault(label, len(numbers)) for label in labels), np.int64)


def _labels(plans: Plans, by: GroupBy) -> list[str | None]:
    if by.kind == "folder":
        return [PurePosixPath(plan.key).parent.as_posix() for plan in plans]
    find = _matched(by.pattern) if by.pattern is not None else _looked_up(by)
    labels, missing = [], []
    for plan in plans:
        try:
            labels.append(find(plan.key))
        except KeyError:
            missing.append(plan.key)
    if missing:
        what = "do not match" if by.pattern is not None else "have no row in the table"
        fix = "change the pattern; an empty one behind | matches all" if by.pattern is not None else "add their rows"
        raise UsageError(f"{len(missing)} photos {what}, such as {missing[0]}", where=f"--group {by}", fix=fix)
    return labels


def _matched(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def find(key: str) -> str | None:
        match = pattern.search(key)
        if match is None:
            raise KeyError(key)
        parts = [part for part in match.groups() if part is not None] if match.groups() else [match[0]]
        return "/".join(parts) or None

    return find


def _looked_up(by: GroupBy) -> Callable[[str], str | None]:
    label_of = dict(_rows(by))
    return lambda key: label_of[key] or None


def _rows(by: GroupBy) -> Iterator[tuple[str, str]]:
    """Read (key, label) from a table: under the name as it stands, and without its suffix."""
    assert by.table is not None
    try:
        with by.table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            if by.column not in columns:
                there = ", ".join(columns) or "none"
                raise FormatError(f"the table has no column {by.column!r}", where=by.table, fix=f"choose from: {there}")
            photo_column = next((name for name in _PHOTO_COLUMNS if name in columns), columns[0])
            rows = [(row[photo_column] or "", row[by.column] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            f"the table cannot be read: {error}", where=by.table, fix="give a CSV file in UTF-8"
        ) from None
    named = [(name.replace("\\", "/").removeprefix("./"), label.strip()) for name, label in rows]
    for name, label in named:
        path = PurePosixPath(name)
        if path.name:
            yield path.with_suffix("").as_posix(), label
    yield from named  # a key with its suffix is one that two photos would share without
