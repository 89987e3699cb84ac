"""What the hub on loopback holds: repositories, commits, blobs, and the faults that tests ask for."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

OWNER_TOKEN = "hf_owner"
CUT = 0  # in place of a status: the connection breaks off in the middle


@dataclass
class Repo:
    """A repository: what each commit holds, by path, and where the branches stand."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        digest = hashlib.sha1(f"{len(self.commits)}".encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        oid = digest.hexdigest()
        self.commits[oid] = dict(files)
        self.branches[branch] = oid
        return oid

    def at(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Fault:
    """The next `times` requests of this kind end in a status, or in a cut connection; `after` they were carried out.

    A status of 200 is no fault, but `first` is called.
    """

    request: str
    status: int
    times: int
    first: Callable[[], None] | None = None
    after: bool = False


class Hub:
    """The state of the server, which tests read and set.

    Attributes
    ----------
    repos : dict of str to Repo
        Datasets by owner/name, models by models/owner/name.
    blobs : dict of str to bytes
        Large files by their SHA-256, committed or not.
    requests : list of str
        "METHOD path" of all requests.
    num_bytes_uploaded : int
    num_bytes_sent : Counter of str
        What was sent of each file.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.num_bytes_uploaded = 0
        self.num_bytes_sent: Counter[str] = Counter()
        self.garbled = False
        self.url = ""
        self._faults: list[Fault] = []

    def fail(
        self,
        request: str,
        status: int,
        *,
        times: int = 1,
        first: Callable[[], None] | None = None,
        after: bool = False,
    ) -> None:
        """Let requests of which "METHOD path" matches the expression fail."""
        self._faults.append(Fault(request, status, times, first, after))

    def mend(self) -> None:
        """Let all requests succeed again."""
        self._faults.clear()

    def garble_next(self) -> None:
        """Let the next file that is sent have other bytes than the hub states."""
        self.garbled = True

    def fault_for(self, request: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and re.search(fault.request, request):
                fault.times -= 1
                return fault
        return None

    def count(self, request: str) -> int:
        return sum(re.search(request, one) is not None for one in self.requests)

    def page(self, name: str) -> str:
        """Where people see a repository: a model has no word before its name."""
        return f"{self.url}/{name.removeprefix('models/') if name.startswith('models/') else f'datasets/{name}'}"

    def head(self, name: str, branch: str = "main") -> dict[str, bytes]:
        """The files of a branch."""
        repo = self.repos[name]
        return repo.commits[repo.branches[branch]]

    def create(self, name: str, files: dict[str, bytes] | None = None, *, private: bool = False) -> Repo:
        repo = self.repos[name] = Repo(private)
        repo.commit({".gitattributes": b"*.parquet filter=lfs\n"} | (files or {}))
        return repo


def is_large(path: str) -> bool:
    return path.endswith((".parquet", ".png", ".zip", ".safetensors"))


def git_oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def described(path: str, content: bytes) -> dict[str, Any]:
    """A file as the tree of a revision lists it."""
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
    if is_large(path):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry
