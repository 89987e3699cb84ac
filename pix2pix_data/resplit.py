"""A dataset divided anew, into a new folder: the very bytes of its pictures, other splits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix_data.build import BuildOptions, divide
from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import FormatError, ImageError, UsageError
from pix2pix_data.grouping import group_plans, parse_group_by
from pix2pix_data.new_folder import new_folder
from pix2pix_data.pair import PairPlan
from pix2pix_data.split_lock import read_lock, write_lock
from pix2pix_data.splits import splits_fingerprint

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.dataset import EncodedPair, ParquetDataset
    from pix2pix_data.engines import Tick
    from pix2pix_data.photo_prints import PrintFiles, Prints
    from pix2pix_data.plans import Plans

__all__ = ["Resplit", "plan_resplit", "resplit"]

_WRITTEN_ANEW = {"data", "README.md", "build.json", "preview.png", "report.html"}
_TASK_PAIRS = 256


@dataclass(frozen=True, slots=True)
class Resplit:
    """What a new division will be.

    Attributes
    ----------
    dataset : ParquetDataset
    splits : dict of str to Plans
        The source of each plan is the split and the position that its pair has now.
    notes : list of str
        What the user should know of groups and splits.
    options : BuildOptions
    """

    dataset: ParquetDataset
    splits: dict[str, Plans]
    notes: list[str]
    options: BuildOptions

    @property
    def num_pairs(self) -> dict[str, int]:
        return {split: len(plans) for split, plans in self.splits.items()}


@dataclass(frozen=True, slots=True)
class _Task:
    """Pairs of one split whose prints are wanted; `positions` in it have the rows from `start`."""

    folder: Path
    split: str
    positions: range
    start: int
    files: PrintFiles

    def __str__(self) -> str:
        return f"pairs {self.positions.start} to {self.positions.stop - 1} of {self.split}"


def plan_resplit(folder: Path, options: BuildOptions, *, workers: int) -> Resplit:
    """Divide the pairs of a dataset anew; groups that it has stay whole.

    Raises
    ------
    FormatError, UsageError
        If the dataset is not one that p2p-data built, or cannot be divided like this.
    """
    from pix2pix_data.dataset import ParquetDataset, open_dataset
    from pix2pix_data.plans import Plans

    dataset = open_dataset(folder)
    if not isinstance(dataset, ParquetDataset):
        raise FormatError("only a dataset that p2p-data built can be split anew", where=folder, fix="build it first")
    plans = Plans.of(
        PairPlan(key, (split, str(position)), group)
        for split in dataset.num_pairs
        for position, (key, group) in enumerate(dataset.keys_and_groups(split))
    )

    def prints() -> tuple[Prints, npt.NDArray[np.bool_]]:
        return _prints(dataset, workers=workers)

    splits, notes = divide(group_plans(plans, parse_group_by(options.group), prints), options, anew=True)
    return Resplit(dataset, splits, notes, options)


def resplit(plan: Resplit, out: Path, *, finish: Callable[[Path], None] | None = None) -> None:
    """Write the dataset of a plan to a new folder, which is there whole or not at all; memory stays at a few pairs.

    `finish` adds to the dataset, in a folder of the same name, before it takes its place.

    Raises
    ------
    BuildError
        If `out` holds anything.
    """
    if plan.options.lock is not None and plan.options.lock.resolve().is_relative_to(plan.dataset.path.resolve()):
        raise UsageError("the lock file would lie in the dataset", where=plan.options.lock, fix="choose another")
    with new_folder(out) as beside:
        _write_pairs(plan, beside)
        _write_rest(plan, beside, out.resolve().name)
        if finish is not None:
            finish(beside)
    if plan.options.lock is not None:
        write_lock(plan.options.lock, read_lock(plan.options.lock), plan.splits)


# --- pairs --------------------------------------------------------------------------------------------------------


def _write_pairs(plan: Resplit, out: Path) -> None:
    from pix2pix_data.shards import Columns, write_split

    with ProgressLine("Moving pairs", sum(plan.num_pairs.values()), unit="pairs") as progress:
        for split, plans in plan.splits.items():
            pairs, columns = _pairs(plan.dataset, plans, progress), Columns(modes=plan.dataset.modes)
            write_split(out, split, pairs, len(plans), columns)


def _pairs(dataset: ParquetDataset, plans: Sequence[PairPlan], progress: ProgressLine) -> Iterator[EncodedPair]:
    """Read the pairs of one new split in their old order, a row group at a time."""
    for split in dataset.num_pairs:
        group_at = {int(plan.sources[1]): plan.group for plan in plans if plan.sources[0] == split}
        if group_at:
            positions = sorted(group_at)
            pairs = dataset.encoded_pairs(split, group_at.keys())
            for position, pair in zip(positions, pairs, strict=True):
                yield replace(pair, group=group_at[position])
                progress.advance()


def _prints(dataset: ParquetDataset, *, workers: int) -> tuple[Prints, npt.NDArray[np.bool_]]:
    from pix2pix_data.photo_prints import collect_prints

    def tasks(files: PrintFiles) -> list[_Task]:
        found, first = [], 0
        for split, num in dataset.num_pairs.items():
            for start in range(0, num, _TASK_PAIRS):
                positions = range(start, min(start + _TASK_PAIRS, num))
                found.append(_Task(dataset.path, split, positions, first + start, files))
            first += num
        return found

    return collect_prints(_print_pairs, tasks, sum(dataset.num_pairs.values()), workers=workers)


def _print_pairs(task: _Task, tick: Tick) -> None:
    from pix2pix_data.dataset import ParquetDataset
    from pix2pix_data.photo_prints import print_of_file

    pairs = ParquetDataset(task.folder).encoded_pairs(task.split, task.positions)
    for row, pair in enumerate(pairs, task.start):
        assert pair.b is not None
        try:
            task.files.put(row, print_of_file(pair.b))
        except ImageError:
            task.files.put(row, None)
        tick(1)


# --- the other files ----------------------------------------------------------------------------------------------


def _write_rest(plan: Resplit, out: Path, name: str) -> None:
    from pix2pix_data.atomic import write_file, write_json
    from pix2pix_data.card import divided_card
    from pix2pix_data.dataset import ParquetDataset
    from pix2pix_data.preview import write_preview
    from pix2pix_data.provenance import split_command_line

    old = plan.dataset.path
    for path in old.iterdir():
        if path.name not in _WRITTEN_ANEW and not path.name.startswith("."):
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, out / path.name)
    command = split_command_line(old, plan.options)
    if (old / "README.md").is_file():
        card = (old / "README.md").read_text(encoding="utf-8")
        told = "\n".join([command, *plan.notes])
        write_file(out / "README.md", divided_card(card, old.resolve().name, name, told, plan.num_pairs))
    write_preview(ParquetDataset(out), out / "preview.png")
    record = _record(json.loads((old / "build.json").read_text(encoding="utf-8")), plan, command)
    write_json(out / "build.json", record)


def _record(old: Mapping[str, Any], plan: Resplit, command: str) -> dict[str, Any]:
    identity = dict(old.get("identity", {})) | {"splits": splits_fingerprint(plan.splits)}
    again = [*old.get("split_again", []), command]
    return dict(old) | {"identity": identity, "pairs": plan.num_pairs, "split_again": again}
