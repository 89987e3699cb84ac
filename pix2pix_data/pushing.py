"""A dataset to the Hugging Face hub: the Parquet files as they are, in one commit, or none where nothing changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data import __version__
from pix2pix_data.card import hub_card
from pix2pix_data.errors import FormatError
from pix2pix_data.hub import HubRepo
from pix2pix_data.hub_push import PushSummary, num_bytes_of, push_files

if TYPE_CHECKING:
    from pix2pix_data.dataset import ParquetDataset

__all__ = ["Pushable", "check_counts", "open_pushable", "push_dataset", "travels"]

_FILES = ("README.md", "build.json", "failures.jsonl", "fixes.jsonl", "palette.json", "preview.png")
_SHARD = re.compile(r"data/(train|validation|test)-\d+-of-\d+\.parquet")


@dataclass(frozen=True, slots=True)
class Pushable:
    """A dataset that can be pushed.

    Attributes
    ----------
    path : Path
    num_pairs : dict of str to int
    files : dict of str to Path
        What travels, by path in the repository.
    left_here : tuple of str
        Files in the folder that do not travel: the report, and what is not ours.
    """

    path: Path
    num_pairs: dict[str, int]
    files: dict[str, Path]
    left_here: tuple[str, ...]

    @property
    def num_bytes(self) -> int:
        return num_bytes_of(self.files)


def open_pushable(path: Path) -> Pushable:
    """Look at a dataset of ours before it is pushed.

    Raises
    ------
    FormatError
        If it is of another layout, unfinished, or has other pairs than build.json says.
    """
    from pix2pix_data.dataset import ParquetDataset, open_dataset

    dataset = open_dataset(path)
    if not isinstance(dataset, ParquetDataset):
        fix = f"make it one first: p2p-data import {path}"
        raise FormatError("only a dataset of p2p-data can be pushed", where=path, fix=fix)
    check_counts(dataset, fix="make the dataset again")
    there = {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}
    files = {name: file for name, file in there.items() if travels(name)}
    if "README.md" not in files:
        raise FormatError("the dataset has no card", where=path / "README.md", fix="make the dataset again")
    left_here = tuple(name for name in there if name not in files and not name.startswith("."))
    return Pushable(path, dataset.num_pairs, files, left_here)


def push_dataset(path: Path, repo_id: str, *, private: bool = False, revision: str | None = None) -> PushSummary:
    """Bring a dataset to the hub.

    One commit, or none where nothing changed, see `hub_push.push_files`. The card there names the repository instead of
    the folder.

    Parameters
    ----------
    path : Path
        A dataset of ours; it is not changed.
    repo_id : str
        As user/name; made if it is not there.
    private : bool
        Make a new repository private, and refuse one that is public.
    revision : str, optional
        A branch, made from main if it is not there.

    Raises
    ------
    FormatError
        If it cannot be pushed, see `open_pushable`.
    HubError, UsageError
        If the hub refuses or cannot be reached, or the repository is not one for this dataset.
    """
    pushable = open_pushable(path)
    repo = HubRepo(repo_id, revision)
    return push_files(
        repo,
        {**pushable.files, "README.md": _card(pushable, repo).encode()},
        f"{_told(pushable.num_pairs)} pairs, by pix2pix-kit {__version__}",
        private=private,
        travels=travels,
        is_ours=lambda there: "build.json" in there.files,
    )


def _card(pushable: Pushable, repo: HubRepo) -> str:
    card = pushable.files["README.md"].read_text(encoding="utf-8")
    return hub_card(card, pushable.path.resolve().name, repo.repo_id)


def check_counts(dataset: ParquetDataset, *, fix: str) -> None:
    """Hold the pairs in the files against build.json; FormatError with `fix` if they differ."""
    try:
        recorded = json.loads((dataset.path / "build.json").read_text(encoding="utf-8"))["pairs"]
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError("build.json is damaged", where=dataset.path, fix=fix) from error
    if recorded != dataset.num_pairs:
        there = _told(dataset.num_pairs)
        raise FormatError(f"build.json tells of {recorded}, and the files hold {there}", where=dataset.path, fix=fix)


def travels(name: str) -> bool:
    """Tell by its path whether a file is one that a dataset on the hub consists of."""
    return name in _FILES or _SHARD.fullmatch(name) is not None


def _told(num_pairs: Mapping[str, int]) -> str:
    return ", ".join(f"{num} {split}" for split, num in num_pairs.items()) or "nothing"
