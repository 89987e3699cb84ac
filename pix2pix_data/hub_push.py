"""Files of ours to a repository on the hub, whatever it is of: all that changed in one commit, or none."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pix2pix_data.card import has_licence, with_licence_of
from pix2pix_data.console import say
from pix2pix_data.errors import HubError, UsageError
from pix2pix_data.hub import HubBusyError, HubRepo, transfer_line
from pix2pix_data.hub_faults import WAITS_S
from pix2pix_data.hub_files import Content, Listing

__all__ = ["PushSummary", "files_in_words", "num_bytes_of", "push_files"]

_STARTER_FILES = {".gitattributes", "README.md", "LICENSE"}  # what the hub's page for a new repository makes


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

    def lines(self, elapsed: str) -> list[str]:
        """Say what was uploaded and where it can be looked at; `elapsed` is how long it took, in words."""
        told = "the hub has all of it already; nothing was uploaded"
        if self.num_changed or self.num_deleted:
            deleted = f", {self.num_deleted} deleted" if self.num_deleted else ""
            changed = files_in_words(self.num_changed, self.num_bytes)
            told = f"new or changed: {changed}{deleted}, in one commit, in {elapsed}"
        return [told, f"look at {self.url} ({'private' if self.is_private else 'public'})"]


def files_in_words(num_files: int, num_bytes: int) -> str:
    """Say how many files, and their size together."""
    return f"{num_files} file{'' if num_files == 1 else 's'}, {num_bytes / 1e6:.1f} MB"


def push_files(
    repo: HubRepo,
    files: Mapping[str, Content],
    message: str,
    *,
    private: bool,
    travels: Callable[[str], bool],
    is_ours: Callable[[Listing], bool],
) -> PushSummary:
    """Bring files to the hub.

    Large files go to the hub's store first, where no revision shows them; then one commit names all that changed, and
    deletes what an earlier push left. So an interrupted push changes nothing that anybody sees, the next one goes on
    with what is missing, and a push of the same makes no commit.

    A licence that was added to the card on the hub is kept.

    Parameters
    ----------
    repo : HubRepo
        Made if it is not there.
    files : mapping of str to Path or bytes
        All that it is to hold, by path; README.md as bytes.
    message : str
        Of the commit.
    private : bool
        Make a new repository private, and refuse one that is public.
    travels : callable
        Tells by its path whether a file is of the kind that is pushed; those that are not in `files` are deleted.
    is_ours : callable
        Tells whether a repository that holds more than a new one does is one for these files.

    Raises
    ------
    HubError, UsageError
        If the hub refuses or cannot be reached, or the repository is not one for these files.
    """
    repo.create(private=private)
    there = repo.list_files()
    _check_target(repo, there, is_ours, private=private)
    readme = files["README.md"]
    assert isinstance(readme, bytes)
    card = with_licence_of(_card_of(repo, there), readme.decode("utf-8"))
    contents = {**files, "README.md": card.encode()}
    changed, stale = _differences(contents, there, travels)
    if changed or stale:
        with transfer_line("Uploading", num_bytes_of(changed)) as tick:
            additions = repo.upload(changed, tick)
        _commit(
            lambda: repo.commit(additions, stale, message, parent=there.commit),
            lambda: _was_made(repo, there, contents, travels),
        )
    size = num_bytes_of(changed)
    return PushSummary(repo.url, len(changed), len(stale), size, there.is_private, has_licence(card))


def num_bytes_of(contents: Mapping[str, Content]) -> int:
    """Return how many bytes files have together."""
    return sum(one.stat().st_size if isinstance(one, Path) else len(one) for one in contents.values())


def _check_target(repo: HubRepo, there: Listing, is_ours: Callable[[Listing], bool], *, private: bool) -> None:
    if private and not there.is_private:
        fix = "make it private in its settings, choose another name, or leave --private away"
        raise UsageError("the repository is there already, and public", where=repo.url, fix=fix)
    others = sorted(set(there.files) - _STARTER_FILES)
    if others and not is_ours(there):
        what = f"the repository holds other things, such as {others[0]}"
        raise UsageError(what, where=repo.url, fix="choose another name")


def _card_of(repo: HubRepo, there: Listing) -> str:
    if "README.md" not in there.files:
        return ""
    with tempfile.TemporaryDirectory() as scratch:
        path = repo.download(there.files["README.md"], there.commit, Path(scratch))
        return path.read_text("utf-8", "replace")


def _differences(
    contents: Mapping[str, Content], there: Listing, travels: Callable[[str], bool]
) -> tuple[dict[str, Content], list[str]]:
    """Return what the hub has not, or otherwise, and the files of an earlier push that are no more."""
    changed = {
        name: content
        for name, content in contents.items()
        if name not in there.files or not there.files[name].holds(content)
    }
    stale = [name for name in there.files if travels(name) and name not in contents]
    return changed, stale


def _commit(commit: Callable[[], None], was_made: Callable[[], bool]) -> None:
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
        if was_made():
            return


def _was_made(repo: HubRepo, before: Listing, contents: Mapping[str, Content], travels: Callable[[str], bool]) -> bool:
    now = repo.list_files()
    if not any(_differences(contents, now, travels)):
        return True
    if now.commit != before.commit:
        what = "the repository was changed while this ran; nothing of yours was committed"
        raise HubError(what, where=repo.url, fix="push again")
    return False
