"""The dataset doctor: decodes every pair of a dataset and says what would spoil training.

Processes look at the pairs, a few dozen at a time, and keep of each what `PairLook` holds (some 2 KB) and of all
together what `Sums` holds; the findings follow from these, see checks/.
"""

from __future__ import annotations

import functools
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.checks.duplicates import duplicate_findings
from pix2pix_data.checks.files import broken_findings, build_findings, file_findings, split_findings
from pix2pix_data.checks.frames import constant_borders
from pix2pix_data.checks.labels import label_findings
from pix2pix_data.checks.look import Broken, PairLook, Sums, look_at
from pix2pix_data.checks.order import swapped_sides
from pix2pix_data.checks.placing import placing_findings
from pix2pix_data.checks.seam import seam_findings
from pix2pix_data.checks.sides import about_side, kind_of, side_findings
from pix2pix_data.damaged_pairs import encoded_or_reason
from pix2pix_data.dataset import PairDataset, open_dataset
from pix2pix_data.engines.local import run_local
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.findings import CheckResult, Facts, Finding
from pix2pix_data.mends import SwapSides
from pix2pix_data.palette_file import Palette, read_palette

if TYPE_CHECKING:
    from pix2pix_data.checks.sides import Kind
    from pix2pix_data.engines import Tick

__all__ = ["check_dataset", "num_to_look_at"]

_TASK_PAIRS = 32
_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class _Task:
    """Pairs of one split to look at, and where to write what was seen."""

    folder: Path
    fingerprint: str
    split: str
    positions: tuple[int, ...]
    out: Path

    def __str__(self) -> str:
        return f"pairs {self.positions[0]} to {self.positions[-1]} of {self.split}"


@dataclass(slots=True)
class _Seen:
    """What was seen, in the order of the dataset."""

    looks: list[PairLook] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums.none)

    def add(self, other: _Seen) -> None:
        self.looks += other.looks
        self.broken += other.broken
        self.sums.add(other.sums)


def check_dataset(
    path: Path, *, workers: int, limit: int | None = None, tick: Callable[[int], None] = lambda _: None
) -> CheckResult:
    """Look at the pairs of a dataset and say what is wrong with them; the dataset is not changed.

    Parameters
    ----------
    path : Path
        A dataset of any layout that `open_dataset` reads.
    workers : int
        Processes; any number gives the same result.
    limit : int, optional
        Look at so many pairs, spread evenly over the dataset, instead of all.
    tick : callable
        Told how many more pairs were looked at.

    Raises
    ------
    FormatError
        If there is no dataset, or its build is not finished.
    """
    dataset = open_dataset(path)
    with tempfile.TemporaryDirectory(prefix="p2p-check-") as folder:
        tasks = _tasks(dataset, _spread(dataset.num_pairs, limit), Path(folder))
        run_local(_look, tasks, workers=workers, tick=tick)
        seen = _Seen()
        for task in tasks:
            seen.add(pickle.loads(task.out.read_bytes()))
    return _concluded(dataset, seen)


def num_to_look_at(path: Path, limit: int | None) -> int:
    """Count the pairs that `check_dataset` looks at; FormatError as there."""
    num_pairs = sum(open_dataset(path).num_pairs.values())
    return num_pairs if limit is None else min(limit, num_pairs)


# --- looking ------------------------------------------------------------------------------------------------------


def _spread(num_pairs: dict[str, int], limit: int | None) -> dict[str, list[int]]:
    """Choose positions in each split, evenly over the whole dataset."""
    total = sum(num_pairs.values())
    chosen = np.arange(total) if limit is None or limit >= total else np.linspace(0, total - 1, limit).astype(np.int64)
    positions, start = {}, 0
    for split, num in num_pairs.items():
        positions[split] = [int(i) - start for i in chosen[(chosen >= start) & (chosen < start + num)]]
        start += num
    return positions


def _tasks(dataset: PairDataset, positions: dict[str, list[int]], out: Path) -> list[_Task]:
    tasks = []
    for split, wanted in positions.items():
        for start in range(0, len(wanted), _TASK_PAIRS):
            file = out / f"{split}-{start}.pickle"
            some = tuple(wanted[start : start + _TASK_PAIRS])
            tasks.append(_Task(dataset.path, dataset.fingerprint, split, some, file))
    return tasks


@functools.lru_cache(maxsize=1)
def _opened(folder: Path, fingerprint: str) -> PairDataset:  # noqa: ARG001 - what has changed is opened anew
    """Open a dataset once in each process: listing a large folder takes longer than looking at a few dozen pairs."""
    return open_dataset(folder)


def _look(task: _Task, tick: Tick) -> None:
    """Look at the pairs of a task and write what was seen."""
    seen = _Seen()
    dataset = _opened(task.folder, task.fingerprint)
    keys = dataset.keys(task.split)
    for position, encoded in encoded_or_reason(dataset, task.split, task.positions):
        try:
            if isinstance(encoded, ImageError):
                raise encoded
            seen.looks.append(look_at(task.split, encoded, seen.sums))
        except ImageError as error:
            seen.broken.append(Broken(f"{task.split}/{keys[position]}", error.what))
        tick(1)
    task.out.write_bytes(pickle.dumps(seen))


# --- concluding ---------------------------------------------------------------------------------------------------


def _concluded(dataset: PairDataset, seen: _Seen) -> CheckResult:
    looks, num_seen = seen.looks, len(seen.looks) + len(seen.broken)
    findings = [
        *broken_findings(seen.broken, num_seen),
        *build_findings(dataset.path, dataset.num_pairs),
        *split_findings(dataset.num_pairs),
    ]
    about_a = about_b = "nothing that can be read"
    if looks:
        kind_a = kind_of([look.a for look in looks], seen.sums.flat_a)
        kind_b = kind_of([look.b for look in looks], seen.sums.flat_b)
        about_a, about_b = (
            about_side(kind_a, [look.a for look in looks]),
            about_side(kind_b, [look.b for look in looks]),
        )
        findings += _findings(dataset, seen, kind_a, kind_b)
    sizes = Counter((look.width, look.height) for look in looks)
    facts = Facts(dict(dataset.num_pairs), num_seen, dict(sizes.most_common()), about_a, about_b)
    return CheckResult(facts, tuple(sorted(findings, key=lambda finding: _SEVERITIES.index(finding.severity))))


def _findings(dataset: PairDataset, seen: _Seen, kind_a: Kind, kind_b: Kind) -> list[Finding]:
    looks, sums = seen.looks, seen.sums
    palette, findings = _palette(dataset.path)
    swapped = swapped_sides(looks)
    turned = (mend for one in swapped for mend in one.mends if isinstance(mend, SwapSides))
    not_labels = {name for mend in turned for name in mend.names}
    labelled = [look for look in looks if look.name not in not_labels and look.a.digest != look.b.digest]
    if kind_a == "labels":
        findings += label_findings(labelled, "A", sums.flat_a, palette)
    if kind_b == "labels":
        findings += label_findings(labelled, "B", sums.flat_b, None)
    photos_on_a = kind_a == "photos" and kind_b != "photos"
    return [
        *side_findings(looks, kind_a, kind_b),
        *swapped,
        *placing_findings(looks, sums.surfaces, sums.num_surfaces, drawn="B" if photos_on_a else "A"),
        *seam_findings(sums.seam, looks),
        *duplicate_findings(looks, lambda look: look.a if photos_on_a else look.b),
        *findings,
        *constant_borders(looks),
        *file_findings(looks, dataset.doubt),
    ]


def _palette(folder: Path) -> tuple[Palette | None, list[Finding]]:
    if not (folder / "palette.json").is_file():
        return None, []
    try:
        return read_palette(folder / "palette.json"), []
    except FormatError as error:
        what = f"palette.json cannot be read: {error.what}"
        return None, [Finding("palette-mismatch", "error", what, 0, fix=error.fix or "write it anew")]
