"""Repositories on the Hugging Face hub, of datasets or models: what they hold, downloads, uploads and commits.

A download goes on where it stood and is held against the hub's checksum. An upload is of no consequence until a commit
names it, and a commit names the revision that it follows: so nobody ever sees half of one.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pix2pix_data.console import ProgressLine, say
from pix2pix_data.errors import HubError, P2PError, UsageError
from pix2pix_data.hub_faults import AGAIN, LOG_IN, WAITS_S, explained, is_passing, reason_of
from pix2pix_data.hub_files import Content, Listing, RemoteFile, is_cached_whole

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

__all__ = ["HubBusyError", "HubRepo", "Kind", "Tick", "transfer_line"]

Kind: TypeAlias = Literal["dataset", "model"]
Tick = Callable[[int], None]
_Result = TypeVar("_Result")

_TIMEOUT_S = 30.0
_MEGABYTE = 1_000_000
_BATCH_FILES, _BATCH_BYTES = 8, 64 << 20


@contextmanager
def transfer_line(what: str, num_bytes: int) -> Iterator[Tick]:
    """Show a line of progress over so many bytes; what it gives is told how many more are done."""
    done = 0
    with ProgressLine(what, -(-num_bytes // _MEGABYTE), unit="MB") as line:

        def tick(num_more: int) -> None:
            nonlocal done
            done += num_more
            line.set(done // _MEGABYTE)

        yield tick


def _untold(num_bytes: int) -> None:
    """Take a number of bytes, and show nothing."""


class HubBusyError(HubError):
    """The hub could not be reached or could not answer; trying again may help."""


class HubRepo:
    """A repository on the hub, at a branch, tag or commit.

    The hub is that of $HF_ENDPOINT, the token that of $HF_TOKEN or of `hf auth login`: neither is a setting of ours.

    Parameters
    ----------
    repo_id : str
        As user/name.
    revision : str, optional
        The branch main if not given.
    kind : {"dataset", "model"}
        The two have names apart: a dataset and a model may share one.

    Raises
    ------
    UsageError
        If the name cannot be one.
    """

    def __init__(self, repo_id: str, revision: str | None = None, *, kind: Kind = "dataset") -> None:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import disable_progress_bars, validate_repo_id  # type: ignore[attr-defined]
        from huggingface_hub.utils.logging import set_verbosity

        disable_progress_bars()  # one line of ours tells how far it is
        set_verbosity(logging.ERROR)
        try:
            validate_repo_id(repo_id)
        except HFValidationError:
            repo_id_is_valid = False
        else:
            repo_id_is_valid = repo_id.count("/") == 1
        if not repo_id_is_valid:
            fix = "write user/name: letters, digits, - _ and . in the name"
            raise UsageError(f"this cannot be the name of a {kind} on the hub", where=repo_id, fix=fix)
        self.repo_id = repo_id
        self.revision = revision or "main"
        self.kind: Kind = kind
        self._api = HfApi()

    @property
    def url(self) -> str:
        """Where people see the repository."""
        return f"{self._api.endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.repo_id}"

    def list_files(self) -> Listing:
        """List the files of the revision.

        Raises
        ------
        HubError
            If there is no such repository or revision, or it may not be read.
        """
        from huggingface_hub.hf_api import RepoFile

        def listed() -> Listing:
            info = self._api.repo_info(self.repo_id, revision=self.revision, repo_type=self.kind, timeout=_TIMEOUT_S)
            assert info.sha is not None
            tree = self._api.list_repo_tree(self.repo_id, recursive=True, revision=info.sha, repo_type=self.kind)
            files = {
                one.path: RemoteFile(one.path, one.size, one.blob_id if one.lfs is None else one.lfs.sha256)
                for one in tree
                if isinstance(one, RepoFile)
            }
            return Listing(info.sha, bool(info.private), files, _configs(getattr(info, "card_data", None)))

        with self._errors_told():
            return self._patiently(listed)

    # --- writing --------------------------------------------------------------------------------------------------

    def require_token(self) -> None:
        """Raise HubError where nobody has logged in."""
        from huggingface_hub import get_token

        if get_token() is None:
            raise HubError("there is no token for the hub", where=self.url, fix=LOG_IN)

    def create(self, *, private: bool) -> None:
        """Make the repository and the branch, as far as they are not there; an existing one keeps its visibility.

        Raises
        ------
        HubError
            If that is not allowed.
        """
        self.require_token()
        with self._errors_told(writing=True):
            self._patiently(
                lambda: self._api.create_repo(
                    # None, not False: the owner's settings may make all that is new private
                    self.repo_id,
                    repo_type=self.kind,
                    private=private or None,
                    exist_ok=True,
                )
            )
            if self.revision != "main" and not self.revision.startswith("refs/"):
                self._patiently(
                    lambda: self._api.create_branch(
                        self.repo_id, branch=self.revision, repo_type=self.kind, exist_ok=True
                    )
                )

    def upload(self, contents: Mapping[str, Content], tick: Tick) -> list[CommitOperationAdd]:
        """Bring large files to the hub's store, where no revision shows them yet; it takes no bytes that it has.

        Parameters
        ----------
        contents : mapping of str to Path or bytes
            By path in the repository.
        tick : callable
            Told how many bytes have been dealt with.

        Returns
        -------
        list of CommitOperationAdd
            For `commit`, which brings small files itself.
        """
        from huggingface_hub import CommitOperationAdd

        additions = [
            CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
            for path, content in contents.items()
        ]
        with self._errors_told(writing=True):
            for batch in _batches(additions):
                self._patiently(
                    lambda batch=batch: self._api.preupload_lfs_files(  # type: ignore[misc]
                        self.repo_id, batch, repo_type=self.kind, revision=self.revision, free_memory=False
                    )
                )
                tick(sum(one.upload_info.size for one in batch))
        return additions

    def commit(
        self, additions: Sequence[CommitOperationAdd], deletions: Sequence[str], message: str, *, parent: str
    ) -> None:
        """Make one commit of all changes, on top of the commit `parent` or not at all.

        Raises
        ------
        HubBusyError
            If the hub did not answer well; whether the commit was made is not known.
        HubError
            If it was not made, for instance because `parent` is not the newest commit any more.
        """
        from huggingface_hub import CommitOperationDelete

        with self._errors_told(writing=True):
            self._api.create_commit(
                self.repo_id,
                [*additions, *map(CommitOperationDelete, deletions)],
                commit_message=message,
                repo_type=self.kind,
                revision=self.revision,
                parent_commit=parent,
            )

    # --- reading --------------------------------------------------------------------------------------------------

    def download(self, file: RemoteFile, commit: str, folder: Path, tick: Tick = _untold) -> Path:
        """Fetch a file into `folder`, from where an interrupted download stood; it is there whole or not at all.

        Parameters
        ----------
        file : RemoteFile
        commit : str
            The hash of the commit that it is taken from.
        folder : Path
            A folder for this commit alone.
        tick : callable, optional
            Told how many bytes have come.

        Raises
        ------
        HubError
            If it cannot be fetched, or is not what the hub states.
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        path = folder / file.path
        if path.is_file():  # renamed below, so whole
            tick(file.num_bytes)
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        url = hf_hub_url(self.repo_id, file.path, repo_type=self.kind, revision=commit, endpoint=self._api.endpoint)

        def fetched() -> None:
            with _CountedFile(part, tick) as stream:
                http_get(
                    url, stream, resume_size=stream.tell(), headers=build_hf_headers(), expected_size=file.num_bytes
                )

        if part.is_file() and part.stat().st_size > file.num_bytes:  # two processes may have written to it
            part.unlink()
        if part.is_file():
            tick(part.stat().st_size)
        with self._errors_told(file.path):
            self._patiently(fetched)
        if not file.holds(part):
            part.unlink()
            raise HubError("what came is not what the hub states by checksum", where=file.path, fix=AGAIN)
        return part.replace(path)

    def cached(self, path: str, *, commit: str | None = None) -> Path:
        """Find a file in the hub's own cache, or bring it there; where the hub cannot be reached, what is there counts.

        Parameters
        ----------
        path : str
            In the repository.
        commit : str, optional
            Take it from this commit; else from the revision as it is now.

        Returns
        -------
        Path
            Below a folder of the cache that is named after the commit.

        Raises
        ------
        HubError
            If it is not there and cannot be fetched, or is not what the hub states by checksum.
        """
        from huggingface_hub import hf_hub_download

        with self._errors_told(path):
            found = self._patiently(
                lambda: hf_hub_download(self.repo_id, path, repo_type=self.kind, revision=commit or self.revision)
            )
        if not is_cached_whole(Path(found)):
            raise HubError("what is in the hub's cache is not what the hub states by checksum", where=path, fix=AGAIN)
        return Path(found)

    # --- faults ---------------------------------------------------------------------------------------------------

    def _patiently(self, call: Callable[[], _Result]) -> _Result:
        for wait_s in WAITS_S:
            try:
                return call()
            except Exception as error:
                if not is_passing(error):
                    raise
                say(f"  {reason_of(error)}: trying again in {wait_s:.0f} s")
                time.sleep(wait_s)
        return call()

    @contextmanager
    def _errors_told(self, path: str = "", *, writing: bool = False) -> Iterator[None]:
        """Turn what the hub's client raises into an error that says what to do."""
        try:
            yield
        except P2PError:
            raise
        except Exception as error:  # the client raises its own, those of two HTTP libraries, and plain ones
            where = f"{self.url} ({path})" if path else self.url
            what, fix = explained(error, url=self.url, revision=self.revision, kind=self.kind, writing=writing)
            kind = HubBusyError if is_passing(error) else HubError
            raise kind(what, where=where, fix=fix) from error


class _CountedFile(io.FileIO):
    """A file that is appended to, and says how much is."""

    def __init__(self, path: Path, tick: Tick) -> None:
        super().__init__(path, "a+b")
        self._tick = tick

    def write(self, content: object) -> int:
        num_bytes = super().write(content)  # type: ignore[arg-type]
        self._tick(num_bytes)
        return num_bytes


def _configs(card_data: Any) -> tuple[str, ...]:
    """Read the names of configurations from the head of a card, which anybody may have written."""
    configs = card_data.get("configs") if card_data is not None else None
    named = [one.get("config_name") for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []
    return tuple(name for name in named if isinstance(name, str))


def _batches(additions: Sequence[CommitOperationAdd]) -> Iterator[list[CommitOperationAdd]]:
    batch: list[CommitOperationAdd] = []
    num_bytes = 0
    for one in additions:
        batch.append(one)
        num_bytes += one.upload_info.size
        if len(batch) == _BATCH_FILES or num_bytes >= _BATCH_BYTES:
            yield batch
            batch, num_bytes = [], 0
    if batch:
        yield batch
