"""Files of a repository on the Hugging Face hub, and how to tell by checksum that a local one is the same."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Content", "Listing", "RemoteFile", "is_cached_whole"]

Content = Path | bytes
_CHECKSUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision.

    Attributes
    ----------
    path : str
        Below the root, with slashes.
    num_bytes : int
    digest : str
        SHA-256 of a large file, git's SHA-1 of a small one, as hexadecimal digits.
    """

    path: str
    num_bytes: int
    digest: str

    def holds(self, content: Content) -> bool:
        """Tell whether a local file has the same bytes."""
        num_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        return num_bytes == self.num_bytes and self._digest_of(content) == self.digest

    def _digest_of(self, content: Content) -> str:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
            if len(self.digest) == hashlib.sha256().digest_size * 2:
                return hashlib.file_digest(stream, "sha256").hexdigest()
            git = hashlib.sha1(f"blob {self.num_bytes}\0".encode(), usedforsecurity=False)
            git.update(stream.read())
            return git.hexdigest()


@dataclass(frozen=True, slots=True)
class Listing:
    """What a revision holds.

    Attributes
    ----------
    commit : str
        Its hash.
    is_private : bool
    files : mapping of str to RemoteFile
        By path.
    configs : tuple of str
        Names of the sets that the card tells of, where it does.
    """

    commit: str
    is_private: bool
    files: Mapping[str, RemoteFile]
    configs: tuple[str, ...] = ()


def is_cached_whole(path: Path) -> bool:
    """Tell whether a file of the hub's cache is what the hub stated; one that is not is removed from the cache.

    The cache keeps the content under its checksum, and links to it by name; where a system has no links, this is not
    known, and what is there counts. What lies under the checksum may be a link again, to a store that names things
    otherwise.
    """
    blob = path.parent / path.readlink() if path.is_symlink() else path
    if not _CHECKSUM.fullmatch(blob.name):
        return True
    if RemoteFile(path.name, path.stat().st_size, blob.name).holds(path):
        return True
    for one in (path.resolve(), blob, path):
        one.unlink(missing_ok=True)
    return False
