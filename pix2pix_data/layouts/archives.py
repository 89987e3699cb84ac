"""Zip and tar archives as trees of files. Members are read into memory; no archive is ever unpacked.

What a hostile archive can do is bounded: links, devices and names that lead outside are refused by name, sizes are
held against limits before and while bytes are read, and a compressed tar is decompressed to one nameless file.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pix2pix_data.errors import FormatError
from pix2pix_data.layouts.file_tree import FileTree, FolderTree, is_wanted, leads_outside
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import Failed

__all__ = ["open_tar", "open_tree"]

_MAX_MEMBERS = 5_000_000  # half a kilobyte of memory each
_MAX_EXPANSION = 200  # pictures are compressed already; a tar of drawn BMP files shrinks to about a hundredth
_FREE_EXPANSION_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 20
_OUTSIDE = "refused: the name leads out of the archive"
_COMPRESSIONS: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_UNREADABLE = (*_DAMAGED, RuntimeError, NotImplementedError, ValueError)  # encrypted, compressed in another way


@contextlib.contextmanager
def open_tree(path: Path, *, scratch: Path) -> Iterator[FileTree]:
    """Open a folder, a .zip, a .tar (also .gz, .bz2, .xz), or a single table as a tree of files.

    Parameters
    ----------
    path : Path
    scratch : Path
        An existing folder with room for a decompressed tar; the file there has no name, and goes with the process.

    Raises
    ------
    FormatError
        If there is no such path, it is damaged, or it holds more than we read.
    """
    if path.is_dir() or path.suffix.lower() in (".parquet", ".arrow"):
        yield FolderTree(path)
        return
    if not path.is_file():
        raise FormatError("there is no such folder or file", where=path, fix="name a folder or an archive of pairs")
    with path.open("rb") as stream:
        if zipfile.is_zipfile(stream):
            with _open_zip(stream, path) as tree:
                yield tree
        else:
            with open_tar(stream, path, scratch=scratch) as tree:
                yield tree


@contextlib.contextmanager
def open_tar(stream: IO[bytes], path: Path, *, scratch: Path) -> Iterator[FileTree]:
    """Open a tar in a seekable stream, `path` being its name; see `open_tree`."""
    with contextlib.ExitStack() as stack:
        stream.seek(0)
        start = stream.read(6)
        stream.seek(0)
        for magic, opener in _COMPRESSIONS:
            if start.startswith(magic):
                plain = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
                _decompress(stream, opener, plain, path)
                stream = plain
        try:
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))
        except _DAMAGED:
            what = "neither a folder nor a .zip or .tar archive, nor a Parquet file"
            raise FormatError(what, where=path, fix="name a folder or an archive of paired pictures") from None
        yield _TarTree(path, tar, stream)


def _decompress(stream: IO[bytes], opener: Any, plain: IO[bytes], path: Path) -> None:
    packed = stream.seek(0, 2)
    stream.seek(0)
    most = max(_FREE_EXPANSION_BYTES, packed * _MAX_EXPANSION)
    try:
        with opener(stream, "rb") as unpacked:
            while chunk := unpacked.read(_CHUNK_BYTES):
                if plain.tell() + len(chunk) > most:
                    what = f"{packed:,} bytes unpack to more than {most:,}: this is no archive of pictures"
                    raise FormatError(
                        what, where=path, fix="unpack it yourself, if you trust it, and import the folder"
                    )
                plain.write(chunk)
    except _DAMAGED as error:
        raise FormatError(f"damaged archive: {error}", where=path, fix="fetch it again") from error
    plain.seek(0)


class _Archive(FileTree):
    """What both kinds share: members by path, of which each is a picture, a table, something else, or refused."""

    def __init__(self, path: Path, members: Iterator[tuple[str, Any, str | None]]) -> None:
        """Take the name of each member, what to read it by, and why it is refused, if it is."""
        self.path = path
        self._members: dict[Path, Any] = {}
        self._others: list[Path] = []
        refused: list[Failed] = []
        for number, (name, member, refusal) in enumerate(members):
            if number == _MAX_MEMBERS:
                raise FormatError(
                    f"the archive has more than {_MAX_MEMBERS:,} members",
                    where=path,
                    fix="unpack it, and import the folder",
                )
            shown, file = to_utf8(name), Path(name)
            if refusal is None and leads_outside(name):
                refusal = _OUTSIDE
            elif refusal is None and file in self._members:
                refusal = "refused: two members have this name, and the first is taken"
            if refusal is not None:
                refused.append(Failed(shown, shown, refusal))
            elif is_wanted(file):
                self._members[file] = member
            else:
                self._others.append(file)
        self.files = tuple(sorted(self._members, key=lambda file: file.parts))
        self.others = tuple(self._others)
        self.refused = tuple(refused)


class _TarTree(_Archive):
    def __init__(self, path: Path, tar: tarfile.TarFile, stream: IO[bytes]) -> None:
        self._tar = tar
        super().__init__(path, self._listed(stream))

    def _listed(self, stream: IO[bytes]) -> Iterator[tuple[str, tarfile.TarInfo | None, str | None]]:
        try:
            for member in self._tar:
                if member.issym() or member.islnk():
                    yield member.name, member, f"refused: a link to {to_utf8(member.linkname)}"
                elif not member.isfile() and not member.isdir():
                    yield member.name, member, "refused: a device, not a file"
                elif member.isfile():
                    yield member.name, member, None
            stream.seek(self._tar.offset)
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                # tarfile takes a cut between two members for the end; a whole archive ends in zeros.
                yield self.path.name, None, "the archive has no end: it may have been cut off"
        except _DAMAGED as error:
            yield self.path.name, None, f"the archive is damaged, and what follows is lost: {error}"

    def num_bytes(self, file: Path) -> int:
        return int(self._members[file].size)

    @contextlib.contextmanager
    def open(self, file: Path) -> Iterator[IO[bytes]]:
        stream = self._tar.extractfile(self._members[file])
        assert stream is not None
        with _damage_told(file), stream:
            yield stream


@contextlib.contextmanager
def _open_zip(stream: IO[bytes], path: Path) -> Iterator[FileTree]:
    try:
        archive = zipfile.ZipFile(stream)
    except _UNREADABLE as error:
        raise FormatError(f"damaged archive: {error}", where=path, fix="fetch it again") from error
    with archive:
        yield _ZipTree(path, archive)


class _ZipTree(_Archive):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        super().__init__(path, self._listed())

    def _listed(self) -> Iterator[tuple[str, zipfile.ZipInfo, str | None]]:
        for info in self._archive.infolist():
            name = info.filename.replace("\\", "/")  # as some tools on Windows write it
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield name, info, "refused: a link or a device, not a file"
            elif not name.endswith("/"):
                yield name, info, None

    def num_bytes(self, file: Path) -> int:
        return int(self._members[file].file_size)

    @contextlib.contextmanager
    def open(self, file: Path) -> Iterator[IO[bytes]]:
        with _damage_told(file), self._archive.open(self._members[file]) as stream:
            yield stream


@contextlib.contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise FormatError(f"damaged member: {error}", where=file, fix="fetch the archive again") from error
