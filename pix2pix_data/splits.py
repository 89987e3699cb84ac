"""Which split a pair belongs to: whole groups, by hash and seed, exact to one group."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from pix2pix_data.errors import UsageError
from pix2pix_data.pair import PairPlan

__all__ = ["GroupBy", "assign_splits", "regroup"]

GroupBy: TypeAlias = Literal["file", "folder"]


def regroup(plans: Sequence[PairPlan], by: GroupBy) -> list[PairPlan]:
    """Set the group of each plan: itself, or the folder that its source lies in."""
    if by == "file":
        return list(plans)
    return [PairPlan(plan.key, plan.sources, group=PurePosixPath(plan.key).parent.as_posix()) for plan in plans]


def assign_splits(plans: Sequence[PairPlan], *, val: float, test: float, seed: int) -> dict[str, list[PairPlan]]:
    """Divide plans into train, validation and test so that no group lies in two of them.

    Groups are put in the order of a hash of (seed, group) and cut in two places. So the choice looks random, is the
    same on every machine, and moves few pairs when photos are added.

    Parameters
    ----------
    plans : sequence of PairPlan
        With their groups.
    val, test : float
        Below 1 a share of all pairs, otherwise a number of pairs; exact to one group, and at least one group each
        where they are above 0 and there are three groups or more.
    seed : int
        Another seed gives another choice.

    Returns
    -------
    dict of str to list of PairPlan
        The plans of each split in their old order; a split without pairs is left out.

    Raises
    ------
    UsageError
        If nothing would be left to train on.
    """
    sizes = Counter(plan.group for plan in plans)
    targets = {"test": _num_pairs(test, len(plans)), "validation": _num_pairs(val, len(plans))}
    if sum(targets.values()) >= len(plans) > 0:
        raise UsageError(
            f"validation and test would take all of {len(plans)} pairs", where="--val, --test", fix="ask for fewer"
        )
    waiting = sorted(sizes, key=lambda group: _hash(seed, group), reverse=True)  # the next one last
    split_of: dict[str, str] = {}
    for split, target in targets.items():
        at_least_one = target > 0 and len(sizes) >= 3
        taken = 0
        # A group goes in while that brings the count nearer to its target.
        while len(waiting) > 1 and (taken + sizes[waiting[-1]] / 2 <= target or (at_least_one and taken == 0)):
            group = waiting.pop()
            split_of[group] = split
            taken += sizes[group]
    splits: dict[str, list[PairPlan]] = {"train": [], "validation": [], "test": []}
    for plan in plans:
        splits[split_of.get(plan.group, "train")].append(plan)
    return {split: members for split, members in splits.items() if members}


def _num_pairs(asked: float, total: int) -> float:
    if asked < 0:
        raise UsageError(f"a split cannot have {asked} pairs", where="--val, --test", fix="give 0 or more")
    return asked * total if asked < 1 else asked


def _hash(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=16).digest()
