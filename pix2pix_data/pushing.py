"""A dataset to the Hugging Face hub: the Parquet files as they are, in one commit, or none where nothing changed."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data import __version__
from pix2pix_data.card import has_licence, hub_card
from pix2pix_data.console import say
from pix2pix_data.errors import FormatError, HubError, UsageError
from pix2pix_data.hub import Content, HubBusyError, HubRepo, Listing, transfer_line
from pix2pix_data.hub_faults import WAITS_S

if TYPE_CHECKING:
    from pix2pix_data.dataset import ParquetDataset

__all__ = ["PushSummary", "Pushable", "check_counts", "open_pushable", "push_dataset", "travels"]

_FILES = ("README.md", "build.json", "failures.jsonl", "fixes.jsonl", "palette.json", "preview.png")
_SHARD = re.compile(r"data/(train|validation|test)-\d+-of-\d+\.parquet")
_STARTER_FILES = {".gitattributes", "README.md", "LICENSE"}  # what the hub's page for a new repository makes


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
        return _num_bytes(self.files)


@dataclass(frozen=True, slots=True)
class PushSummary:
    """How a push ended.

    Attributes
    ----------
    url : str
    num_changed, num_deleted : int
        Files in the commit; both are 0 where the hub had everything, and no commit was made.
    num_bytes : int
        Size of the changed files.
    is_private : bool
        What the repository is now.
    has_licence : bool
        The card there names one.
    """

    url: str
    num_changed: int
    num_deleted: int
    num_bytes: int
    is_private: bool
    has_licence: bool


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

    Large files go to the hub's store first, where no revision shows them; then one commit names all that changed, and
    deletes the shards of an earlier push. So an interrupted push changes nothing that anybody sees, the next one goes
    on with what is missing, and a push of the same data makes no commit.

    The card there names the repository instead of the folder, and keeps a licence that was added on the hub.

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
    repo.create(private=private)
    there = repo.list_files()
    _check_target(repo, there, private=private)
    card = _card(pushable, repo, there)
    contents: dict[str, Content] = {**pushable.files, "README.md": card.encode()}
    changed, stale = _differences(contents, there)
    if changed or stale:
        with transfer_line("Uploading", _num_bytes(changed)) as tick:
            additions = repo.upload(changed, tick)
        message = f"{_told(pushable.num_pairs)} pairs, by pix2pix-kit {__version__}"
        _commit(repo, there, contents, lambda: repo.commit(additions, stale, message, parent=there.commit))
    num_bytes = _num_bytes(changed)
    return PushSummary(repo.url, len(changed), len(stale), num_bytes, there.is_private, has_licence(card))


def _commit(repo: HubRepo, before: Listing, contents: Mapping[str, Content], commit: Callable[[], None]) -> None:
    """Commit, and if the hub does not answer well, find out whether it did; then try again."""
    for wait_s in (*WAITS_S, None):
        try:
            commit()
            return
        except HubBusyError as error:
            if wait_s is None:
                raise
            say(f"  {error.what}: trying again in {wait_s:.0f} s")
            time.sleep(wait_s)
        now = repo.list_files()
        if not any(_differences(contents, now)):
            return
        if now.commit != before.commit:
            what = "the repository was changed while this ran; nothing of yours was committed"
            raise HubError(what, where=repo.url, fix="push again")


def _check_target(repo: HubRepo, there: Listing, *, private: bool) -> None:
    if private and not there.is_private:
        fix = "make it private in its settings, choose another name, or leave --private away"
        raise UsageError("the repository is there already, and public", where=repo.url, fix=fix)
    others = sorted(set(there.files) - _STARTER_FILES)
    if others and "build.json" not in there.files:
        what = f"the repository holds other things, such as {others[0]}"
        raise UsageError(what, where=repo.url, fix="choose another name")


def _card(pushable: Pushable, repo: HubRepo, there: Listing) -> str:
    card = pushable.files["README.md"].read_text(encoding="utf-8")
    old = ""
    if "README.md" in there.files:
        with tempfile.TemporaryDirectory() as scratch:
            old = repo.download(there.files["README.md"], there.commit, Path(scratch)).read_text("utf-8", "replace")
    return hub_card(card, pushable.path.resolve().name, repo.repo_id, old)


def _differences(contents: Mapping[str, Content], there: Listing) -> tuple[dict[str, Content], list[str]]:
    """Return what the hub has not, or otherwise, and the files of an earlier push that are no more."""
    changed = {
        name: content
        for name, content in contents.items()
        if name not in there.files or not there.files[name].holds(content)
    }
    stale = [name for name in there.files if travels(name) and name not in contents]
    return changed, stale


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


def _num_bytes(contents: Mapping[str, Content]) -> int:
    return sum(one.stat().st_size if isinstance(one, Path) else len(one) for one in contents.values())


def _told(num_pairs: Mapping[str, int]) -> str:
    return ", ".join(f"{num} {split}" for split, num in num_pairs.items()) or "nothing"
