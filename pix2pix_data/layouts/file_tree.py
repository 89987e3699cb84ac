"""Files below a root, a folder's or an archive's: named by their paths and read one at a time, never unpacked."""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from PIL import Image

from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import MAX_FILE_BYTES
from pix2pix_data.listing import list_photos
from pix2pix_data.pair import Failed

__all__ = ["ARCHIVES", "TABLES", "FileTree", "FolderTree", "is_picture", "is_wanted", "leads_outside"]

TABLES = frozenset((".jsonl", ".json", ".csv", ".parquet", ".arrow"))
ARCHIVES = frozenset((".tar", ".tgz", ".gz", ".bz2", ".xz", ".zip"))


class FileTree(ABC):
    """What a folder or an archive holds.

    Attributes
    ----------
    path : Path
        The folder or archive.
    files : tuple of Path
        Pictures, tables and archives, relative to the root, in the order of their parts.
    others : tuple of Path
        Files of other kinds.
    refused : tuple of Failed
        Members that no honest archive holds, each with the reason.
    """

    path: Path
    files: tuple[Path, ...]
    others: tuple[Path, ...]
    refused: tuple[Failed, ...] = ()

    @functools.cached_property
    def listed(self) -> frozenset[Path]:
        """All of `files`, for looking one up."""
        return frozenset(self.files)

    @abstractmethod
    def num_bytes(self, file: Path) -> int:
        """Return the size that a file declares."""

    @abstractmethod
    @contextlib.contextmanager
    def open(self, file: Path) -> Iterator[IO[bytes]]:
        """Open a file for reading, seekable; FormatError if that cannot be done."""

    def read(self, file: Path) -> bytes:
        """Read a whole file; ImageError if that cannot be done, or it is larger than any picture."""
        if (num_bytes := self.num_bytes(file)) > MAX_FILE_BYTES:
            raise ImageError(f"the file has {num_bytes >> 20} MiB, more than {MAX_FILE_BYTES >> 20}")
        try:
            with self.open(file) as stream:
                content = stream.read(num_bytes + 1)
        except FormatError as error:
            raise ImageError(error.what) from error
        if len(content) != num_bytes:
            raise ImageError(f"the file declares {num_bytes} bytes and holds others")
        return content


class FolderTree(FileTree):
    """A folder; or one file, as if it lay in a folder alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = path if path.is_dir() else path.parent
        if path.is_dir():
            listing = list_photos(path, also=TABLES | ARCHIVES)
            files, self.others = listing.photos, _relative(listing.others, path)
        else:
            files, self.others = (path,), ()
        self.files = _relative(files, self._root)

    def num_bytes(self, file: Path) -> int:
        try:
            return (self._root / file).stat().st_size
        except OSError as error:
            raise ImageError(f"the file cannot be read: {error.strerror or error}") from error

    @contextlib.contextmanager
    def open(self, file: Path) -> Iterator[IO[bytes]]:
        try:
            with (self._root / file).open("rb") as stream:
                yield stream
        except OSError as error:
            raise FormatError(
                f"the file cannot be read: {error.strerror or error}",
                where=file,
                fix="look at its permissions and at the disk",
            ) from error


def is_picture(file: Path) -> bool:
    """Tell a picture from a table or an archive, by its name."""
    return file.suffix.lower() not in TABLES | ARCHIVES


def is_wanted(file: Path) -> bool:
    """Tell by its path whether a member of an archive is a picture, a table or an archive, and not hidden."""
    if any(part.startswith(".") or part == "__MACOSX" for part in file.parts):
        return False
    return file.suffix.lower() in _wanted_suffixes()


@functools.cache
def _wanted_suffixes() -> frozenset[str]:
    return TABLES | ARCHIVES | {".heic", ".heif"} | Image.registered_extensions().keys()


def leads_outside(name: str) -> bool:
    """Tell whether a name, taken as a path on any system, could leave the folder that it is read in."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return posix.is_absolute() or bool(windows.anchor) or ".." in posix.parts or ".." in windows.parts or "\0" in name


def _relative(files: tuple[Path, ...], root: Path) -> tuple[Path, ...]:
    return tuple(file.relative_to(root) for file in files)
