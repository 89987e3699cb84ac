"""Which split a pair belongs to: whole groups, by hash and seed, as exact as the groups allow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from pix2pix_data.errors import UsageError
from pix2pix_data.pair import SPLIT_FOLDERS, SPLITS, PairPlan

__all__ = ["assign_splits", "first_plans", "splits_fingerprint", "splits_of_folders"]

_SPLIT_OF_FOLDER = {folder: split for split, folders in SPLIT_FOLDERS.items() for folder in folders}


def assign_splits(
    plans: Sequence[PairPlan], *, val: float, test: float, seed: int, locked: Mapping[str, str] | None = None
) -> dict[str, list[PairPlan]]:
    """Divide plans into train, validation and test so that no group lies in two of them.

    Groups are put in the order of a hash of (seed, group); test takes from the front, then validation, then train the
    rest. A group too large for what is still wanted is passed over. So the choice looks random, is the same on every
    machine, and moves few pairs when photos are added.

    Parameters
    ----------
    plans : sequence of PairPlan
        With their groups.
    val, test : float
        Below 1 a share of all pairs, otherwise a number of pairs. No single group, added or left out, brings the
        number nearer; and there is at least one group each where they are above 0 and there are three or more.
    seed : int
        Another seed gives another choice.
    locked : mapping of str to str, optional
        The split of some keys. They stay there, and the other members of their groups join them: where the lock has
        a group in two splits, in the one that holds more of it. Shares are filled up from groups that are free.

    Returns
    -------
    dict of str to list of PairPlan
        The plans of each split in their old order; a split without pairs is left out.

    Raises
    ------
    UsageError
        If nothing would be left to train on.
    """
    targets = {"test": _num_pairs(test, len(plans)), "validation": _num_pairs(val, len(plans))}
    if sum(targets.values()) >= len(plans) > 0:
        raise UsageError(
            f"validation and test would take all of {len(plans)} pairs", where="--val, --test", fix="ask for fewer"
        )
    locked = locked or {}
    split_of = _locked_groups(plans, locked)
    taken = Counter(locked.get(plan.key) or split_of.get(plan.group) for plan in plans)
    sizes = Counter(plan.group for plan in plans)
    waiting = sorted((group for group in sizes if group not in split_of), key=lambda group: _hash(seed, group))
    for split, target in targets.items():
        at_least_one = target > 0 and len(sizes) >= 3 and not taken[split]
        to_leave = 0 if taken["train"] else 1  # for training
        chosen = _chosen(waiting, sizes, target - taken[split], at_least_one=at_least_one, to_leave=to_leave)
        split_of |= dict.fromkeys(chosen, split)
        waiting = [group for group in waiting if group not in chosen]
    splits: dict[str, list[PairPlan]] = {split: [] for split in SPLITS}
    for plan in plans:
        splits[locked.get(plan.key) or split_of.get(plan.group, "train")].append(plan)
    if plans and not splits["train"]:
        raise UsageError("the lock file leaves no pair to train on", where="--lock", fix="give another")
    return {split: members for split, members in splits.items() if members}


def splits_of_folders(plans: Sequence[PairPlan]) -> tuple[dict[str, str], list[str]]:
    """Read the splits that folders train/, val/ and test/ make.

    Returns
    -------
    dict of str to str
        The split of each key; empty unless all photos lie in such folders, some in train/, and some in another.
    list of str
        What to tell of it.
    """
    splits = {}
    for plan in plans:
        folder, slash, _ = plan.key.partition("/")
        if slash and folder.lower() in _SPLIT_OF_FOLDER:
            splits[plan.key] = _SPLIT_OF_FOLDER[folder.lower()]
    if not {"train"} < set(splits.values()):
        return {}, []
    outside = [plan.key for plan in plans if plan.key not in splits]
    if outside:
        what = f"{len(outside)} photos, such as {outside[0]}, lie outside the folders train/, val/, test/"
        return {}, [f"  warning: {what}: all photos are divided anew"]
    return splits, ["  the photos lie in folders train/, val/, test/: these splits are kept (else: --new-splits)"]


def first_plans(plans: Sequence[PairPlan], limit: int, split_of: Mapping[str, str]) -> list[PairPlan]:
    """Take the first `limit` plans; where `split_of` knows splits, each has its share of them."""
    splits = [split_of.get(plan.key, "train") for plan in plans]
    sizes = Counter(splits)
    seen: Counter[str] = Counter()
    places = []
    for i, split in enumerate(splits):
        places.append((seen[split] / sizes[split], SPLITS.index(split), i))
        seen[split] += 1
    return [plans[i] for i in sorted(i for *_, i in sorted(places)[:limit])]


def splits_fingerprint(splits: Mapping[str, Sequence[PairPlan]]) -> str:
    """Hash which pair lies where, and in which group."""
    digest = hashlib.sha256()
    for split, plans in splits.items():
        for plan in plans:
            digest.update(f"{split}\0{plan.key}\0{plan.group}\n".encode())
    return digest.hexdigest()[:16]


def _chosen(
    waiting: Sequence[str], sizes: Mapping[str, int], missing: float, *, at_least_one: bool, to_leave: int
) -> set[str]:
    """Take groups in order while each brings the count nearer to its target."""
    chosen: set[str] = set()
    for group in waiting:
        if missing < 0.5 or len(waiting) - len(chosen) <= to_leave:
            break
        if sizes[group] / 2 <= missing:
            chosen.add(group)
            missing -= sizes[group]
    if at_least_one and not chosen and len(waiting) > to_leave:
        chosen.add(min(waiting, key=lambda group: sizes[group]))
    return chosen


def _locked_groups(plans: Sequence[PairPlan], locked: Mapping[str, str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for plan in plans:
        if plan.key in locked:
            counts.setdefault(plan.group, Counter())[locked[plan.key]] += 1
    order = {split: i for i, split in enumerate(SPLITS)}
    return {group: max(count, key=lambda split: (count[split], -order[split])) for group, count in counts.items()}


def _num_pairs(asked: float, total: int) -> float:
    if asked < 0:
        raise UsageError(f"a split cannot have {asked} pairs", where="--val, --test", fix="give 0 or more")
    return asked * total if asked < 1 else asked


def _hash(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{group}".encode(), digest_size=16).digest()
