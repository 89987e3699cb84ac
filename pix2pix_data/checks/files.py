"""Findings from the files themselves: damaged, missing, of odd kinds, of different sizes, too few."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data.findings import Finding
from pix2pix_data.mends import LeaveOut

if TYPE_CHECKING:
    from pix2pix_data.checks.look import Broken, PairLook

__all__ = ["broken_findings", "build_findings", "file_findings", "split_findings"]

_FEW = 100  # the smallest set of the paper, facades, has 400


def broken_findings(broken: Sequence[Broken], num_pairs: int) -> list[Finding]:
    """Tell of pairs that cannot be read, with the reasons."""
    if not broken:
        return []
    reasons = Counter(one.reason.partition(":")[0] for one in broken)
    shown = "; ".join(f"{num} x {reason}" for reason, num in reasons.most_common(4))
    more = "; ..." if len(reasons) > 4 else ""
    return [
        Finding(
            "damaged-pairs",
            "error",
            f"{len(broken)} of {num_pairs} pairs cannot be read: {shown}{more}",
            len(broken),
            tuple((one.name,) for one in broken[:10]),
            "training stops at the first of them",
            "put sound files in their places, or leave these pairs out",
            (LeaveOut(tuple((one.name, one.reason) for one in broken)),),
        )
    ]


def build_findings(folder: Path, num_pairs: Mapping[str, int]) -> list[Finding]:
    """Compare what lies in the folder with what its build wrote down: shards that are gone, photos without a pair."""
    try:
        record = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        wanted, num_failed = {str(split): int(num) for split, num in record["pairs"].items()}, int(record["failed"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []  # not one of our builds, or made by hand
    found = []
    if wanted != dict(num_pairs):
        said, there = (", ".join(f"{num} {split}" for split, num in counts.items()) for counts in (wanted, num_pairs))
        found.append(
            Finding(
                "incomplete-dataset",
                "error",
                f"the build made {said}; there are {there}",
                sum(abs(wanted.get(split, 0) - num_pairs.get(split, 0)) for split in {*wanted, *num_pairs}),
                why="files in data/ are missing, or not its own",
                fix="copy the dataset again, or build it again with --overwrite",
            )
        )
    if num_failed:
        found.append(
            Finding(
                "photos-without-pair",
                "note",
                "photos gave no pair when the dataset was built, or were left out by choice",
                num_failed,
                fix="read the reasons in its failures.jsonl",
            )
        )
    return found


def split_findings(num_pairs: Mapping[str, int]) -> list[Finding]:
    """Tell of too few pairs, and of nothing held out."""
    found = []
    if num_pairs.get("train", 0) < _FEW:
        found.append(
            Finding(
                "few-pairs",
                "note",
                "few pairs to train on",
                num_pairs.get("train", 0),
                why="the model learns them by heart; the smallest set of the paper has 400",
                fix="add pairs, or expect good pictures of scenes like these alone",
            )
        )
    if set(num_pairs) <= {"train"}:
        found.append(
            Finding(
                "nothing-held-out",
                "note",
                "there is neither a validation nor a test split",
                sum(num_pairs.values()),
                why="nothing tells what the model learnt from what it memorised",
                fix="p2p-data split DATASET, or put some pairs into a folder val/",
            )
        )
    return found


def file_findings(looks: Sequence[PairLook], doubt: str | None) -> list[Finding]:
    """Tell of files that others read differently, of different sizes, and of what may be no pairs at all."""
    found = []
    if doubt is not None:
        found.append(Finding("maybe-no-pairs", "warning", doubt, len(looks), why="halves of one photo are no pair"))
    odd = Counter(oddity for look in looks for oddity in look.oddities)
    for oddity, num in odd.most_common():
        names = tuple((look.name,) for look in looks if oddity in look.oddities)
        found.append(
            Finding(
                "unusual-files",
                "note",
                oddity,
                num,
                names[:10],
                "p2p reads them right; other programs may not",
                "make the dataset with p2p-data, which writes plain 8-bit RGB",
            )
        )
    sizes = Counter((look.width, look.height) for look in looks)
    if len(sizes) > 1:
        (width, height), num = sizes.most_common(1)[0]
        found.append(
            Finding(
                "mixed-sizes",
                "note",
                f"sides have {len(sizes)} sizes; {num} have {width}x{height} pixels",
                len(looks) - num,
                tuple((look.name,) for look in looks if (look.width, look.height) != (width, height))[:10],
                "the trainer brings all to one square, so shapes are stretched differently",
                "make the pairs with one --size",
            )
        )
    return found
