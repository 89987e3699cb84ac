"""Pairs that are there twice: the same picture, or nearly, within a split or across splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.findings import Finding, Severity
from pix2pix_data.mends import GatherCopies, LeaveOut, Mend
from pix2pix_data.near_duplicates import find_near_duplicates
from pix2pix_data.pair import SPLITS
from pix2pix_data.photo_prints import PRINT_PX

if TYPE_CHECKING:
    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.checks.sides import SideLook

__all__ = ["duplicate_findings"]

_Groups = list[list["PairLook"]]
_DIVIDE = "divide the dataset anew: p2p-data split DATASET (of picture files, after p2p-data import)"
_LOOK = f"look at them; different products on white may be this alike. Where they are copies, {_DIVIDE}"
_WHY_LEAK = "scores on held-out pairs are too good: the model has seen them in training"


def duplicate_findings(looks: Sequence[PairLook], target: Callable[[PairLook], SideLook]) -> list[Finding]:
    """Find equal pairs, pictures of one split in another, and near-duplicates.

    Parameters
    ----------
    looks : sequence of PairLook
    target : callable
        Returns the side that shows most: photos rather than what is drawn of them.
    """
    drawn = [look for look in looks if not (look.a.is_blank or look.b.is_blank)]
    same_pairs = _grouped(drawn, lambda look: (look.a.digest, look.b.digest))
    same_targets = _grouped(drawn, lambda look: target(look).digest)
    leaks = [group for group in same_targets if _straddles(group)]
    twice = [group for group in same_pairs if not _straddles(group)]
    found = [
        *_finding(
            "leaked-pairs",
            "error",
            "the same picture is in two splits",
            leaks,
            _WHY_LEAK,
            _DIVIDE,
            _gathered(leaks),
            _all_but_one([group for group in same_pairs if _straddles(group)]),
        ),
        *_finding(
            "duplicate-pairs",
            "warning",
            "the same pair is there more than once in a split",
            twice,
            "these pairs count for more than others",
            "leave out all but one of each",
            _all_but_one(twice),
        ),
    ]
    known = {look.name for group in (*leaks, *same_pairs) for look in group}
    near = [group for group in _alike(drawn, target) if not {look.name for look in group} <= known]
    near = [group for group in near if len({target(look).digest for look in group}) > 1]
    near_leaks = [_one_of_each_split(group) for group in near if _straddles(group)]
    return [
        *found,
        *_finding(
            "near-leaks",
            "warning",
            "pictures in two splits look nearly the same",
            near_leaks,
            f"of copies, {_WHY_LEAK}",
            _LOOK,
            _gathered(near_leaks),
        ),
        *_finding(
            "near-duplicates",
            "note",
            "pictures of one split that are nearly the same",
            [group for group in near if not _straddles(group)],
            "fewer different pictures than pairs",
            "nothing, where this is how the pictures were taken",
        ),
    ]


def _grouped(looks: Iterable[PairLook], key: Callable[[PairLook], Hashable]) -> _Groups:
    groups: dict[Hashable, list[PairLook]] = defaultdict(list)
    for look in looks:
        groups[key(look)].append(look)
    return [group for group in groups.values() if len(group) > 1]


def _alike(looks: Sequence[PairLook], target: Callable[[PairLook], SideLook]) -> _Groups:
    if not looks:
        return []
    prints = np.frombuffer(b"".join(target(look).print for look in looks), np.uint8).reshape(-1, PRINT_PX, PRINT_PX)
    first = dict(zip((look.name for look in looks), find_near_duplicates(prints).tolist(), strict=True))
    return _grouped(looks, lambda look: first[look.name])


def _straddles(group: Sequence[PairLook]) -> bool:
    return len({look.split for look in group}) > 1


def _one_of_each_split(group: Sequence[PairLook]) -> list[PairLook]:
    """Put a pair of each split first: of large groups not all are shown."""
    first = {look.split: look for look in reversed(group)}
    return [*first.values(), *(look for look in group if look is not first[look.split])]


def _gathered(groups: _Groups) -> GatherCopies:
    return GatherCopies(tuple(tuple(look.name for look in group) for group in groups))


def _all_but_one(groups: _Groups) -> LeaveOut:
    """Keep one pair of each group, and of two splits that which is held out: scores then stay comparable."""
    reasons = []
    for group in groups:
        kept, *others = sorted(group, key=lambda look: -SPLITS.index(look.split))
        reasons += [(look.name, f"the same pair as {kept.name}") for look in others]
    return LeaveOut(tuple(reasons))


def _finding(
    kind: str, severity: Severity, what: str, groups: _Groups, why: str, fix: str, *mends: Mend
) -> list[Finding]:
    if not groups:
        return []
    examples = tuple(tuple(look.name for look in group[:4]) for group in sorted(groups, key=len, reverse=True)[:10])
    return [Finding(kind, severity, what, sum(map(len, groups)), examples, why, fix, mends)]
