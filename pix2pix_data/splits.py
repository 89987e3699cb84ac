"""Which split a pair belongs to: whole groups, by hash and seed, as exact as the groups allow."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pix2pix_data.errors import UsageError
from pix2pix_data.pair import SPLIT_FOLDERS, SPLITS, PairPlan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.plans import Plans

    Indices: TypeAlias = npt.NDArray[np.int64]
    SplitNumbers: TypeAlias = npt.NDArray[np.int8]  # positions in SPLITS, or _FREE

__all__ = ["assign_splits", "first_plans", "splits_fingerprint", "splits_of_folders"]

_FREE = -1
_SPLIT_OF_FOLDER = {folder: split for split, folders in SPLIT_FOLDERS.items() for folder in folders}


def assign_splits(
    plans: Sequence[PairPlan], *, val: float, test: float, seed: int, locked: Mapping[str, str] | None = None
) -> dict[str, Plans]:
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
    dict of str to Plans
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
    import numpy as np

    from pix2pix_data.plans import Plans

    plans = Plans.of(plans)
    # Groups are numbered in the order of their hashes.
    _, group_of, sizes = np.unique(plans.group_hashes(f"{seed}\0"), return_inverse=True, return_counts=True)
    locked_plans = _locked_plans(plans, locked or {})
    split_of = _locked_groups(group_of, locked_plans, len(sizes))  # (G,)
    waiting = np.flatnonzero(split_of == _FREE)
    taken = _counts(np.where(locked_plans == _FREE, split_of[group_of], locked_plans))
    for split, target in targets.items():
        at_least_one = target > 0 and len(sizes) >= 3 and not taken[split]
        to_leave = 0 if taken["train"] else 1  # for training
        chosen = _chosen(waiting, sizes, target - taken[split], at_least_one=at_least_one, to_leave=to_leave)
        split_of[chosen] = SPLITS.index(split)
        waiting = waiting[split_of[waiting] == _FREE]
    split_of[split_of == _FREE] = SPLITS.index("train")
    final = np.where(locked_plans == _FREE, split_of[group_of], locked_plans)
    if len(plans) and not _counts(final)["train"]:
        raise UsageError("the lock file leaves no pair to train on", where="--lock", fix="give another")
    return {split: plans.where(final == i) for i, split in enumerate(SPLITS) if (final == i).any()}


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


def first_plans(plans: Plans, limit: int, split_of: Mapping[str, str]) -> Plans:
    """Take the first `limit` plans; where `split_of` knows splits, each has its share of them."""
    import numpy as np

    if not split_of:
        return plans[:limit]
    splits = [split_of.get(plan.key, "train") for plan in plans]
    sizes = Counter(splits)
    seen: Counter[str] = Counter()
    places = []
    for i, split in enumerate(splits):
        places.append((seen[split] / sizes[split], SPLITS.index(split), i))
        seen[split] += 1
    wanted = np.zeros(len(plans), np.bool_)
    wanted[[i for *_, i in sorted(places)[:limit]]] = True
    return plans.where(wanted)


def splits_fingerprint(splits: Mapping[str, Sequence[PairPlan]]) -> str:
    """Hash which pair lies where, and in which group."""
    digest = hashlib.sha256()
    for split, plans in splits.items():
        for plan in plans:
            digest.update(f"{split}\0{plan.key}\0{plan.group}\n".encode())
    return digest.hexdigest()[:16]


def _chosen(waiting: Indices, sizes: Indices, missing: float, *, at_least_one: bool, to_leave: int) -> list[int]:
    """Take groups in order while each brings the count nearer to its target."""
    chosen: list[int] = []
    for group in map(int, waiting):
        if missing < 0.5 or len(waiting) - len(chosen) <= to_leave:
            break
        if sizes[group] / 2 <= missing:
            chosen.append(group)
            missing -= sizes[group]
    if at_least_one and not chosen and len(waiting) > to_leave:
        chosen.append(int(waiting[sizes[waiting].argmin()]))
    return chosen


def _locked_plans(plans: Plans, locked: Mapping[str, str]) -> SplitNumbers:
    """Return the split of each plan that is locked, (N,)."""
    import numpy as np

    if not locked:
        return np.full(len(plans), _FREE, np.int8)
    numbers = {split: i for i, split in enumerate(SPLITS)}
    splits = (locked.get(plan.key) for plan in plans)
    return np.fromiter((_FREE if split is None else numbers[split] for split in splits), np.int8, len(plans))


def _locked_groups(group_of: Indices, locked_plans: SplitNumbers, num_groups: int) -> SplitNumbers:
    """Return for each group that has locked plans the split that holds most of them, (G,); of equals the first."""
    import numpy as np

    if (locked_plans == _FREE).all():
        return np.full(num_groups, _FREE, np.int8)
    counts = np.stack([np.bincount(group_of[locked_plans == i], minlength=num_groups) for i in range(len(SPLITS))])
    return np.where(counts.any(0), counts.argmax(0), _FREE).astype(np.int8)


def _counts(split_of: SplitNumbers) -> dict[str, int]:
    return {split: int((split_of == i).sum()) for i, split in enumerate(SPLITS)}


def _num_pairs(asked: float, total: int) -> float:
    if asked < 0:
        raise UsageError(f"a split cannot have {asked} pairs", where="--val, --test", fix="give 0 or more")
    return asked * total if asked < 1 else asked
