"""Which files of a folder are photos; loads no pixels and no imaging library."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2pix_data.errors import FormatError

__all__ = ["Listed", "Listing", "keys_of", "list_photos", "to_utf8", "walk_photos"]

# What Pillow reads, and HEIC through an extra; a file of another name counts when its first bytes are a picture's.
_SUFFIXES = frozenset(
    ".apng .avif .avifs .blp .bmp .bw .cur .dcx .dds .dib .fli .flc .ftc .ftu .gbr .gif .heic .heif .icb .icns .ico"
    " .iim .im .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm"
    " .psd .pxr .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst .webp .xbm .xpm".split()
)
_ARCHIVES = frozenset((".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"))
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that was found, and the name of the pair that a photo becomes; None where it is no photo."""

    path: Path
    key: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder, in the order of the paths: photos, what the pair of each is called, and other files."""

    photos: tuple[Path, ...]
    keys: tuple[str, ...]
    others: tuple[Path, ...]

    def named(self) -> Iterator[tuple[str, Path]]:
        """Return the photos with their keys."""
        return zip(self.keys, self.photos, strict=True)


def walk_photos(folder: Path, *, also: frozenset[str] = frozenset()) -> Iterator[Listed]:
    """Find all files below `folder`, links followed, photos told from other files by name or first bytes.

    Files come in the order of their paths. Of the folders on the way to a file, and of no other, the names are held, so
    that millions of photos in many folders take no memory. Keys are those of `keys_of`.

    Hidden files are no photos: they are thumbnails and leftovers of file managers. Files with a suffix in `also` (lower
    case, with its dot) count as photos.

    Raises
    ------
    FormatError
        If `folder` is not a folder, holds no photo, or one below it cannot be read.
    """
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        unpack = "unpack it, and " if folder.suffix.lower() in _ARCHIVES else ""
        raise FormatError(what, where=folder, fix=f"{unpack}name the folder that holds the photos")
    other, has_photo = None, False
    for path, key in _walk(str(folder), _SUFFIXES | also):
        listed = Listed(Path(path), key)
        has_photo = has_photo or key is not None
        other = other or listed.path
        yield listed
    if not has_photo:
        what = f"none of the files here is a picture, such as {other.name}" if other else "this folder is empty"
        raise FormatError(what, where=folder, fix="name a folder with pictures in it")


def list_photos(folder: Path, *, also: frozenset[str] = frozenset()) -> Listing:
    """List at once what `walk_photos` finds, with its errors."""
    named, others = [], []
    for file in walk_photos(folder, also=also):
        if file.key is None:
            others.append(file.path)
        else:
            named.append((file.key, file.path))
    return Listing(tuple(path for _, path in named), tuple(key for key, _ in named), tuple(others))


def keys_of(photos: tuple[Path, ...], folder: Path) -> list[str]:
    """Name each photo by its path below `folder` without its suffix; with it where two would share a name.

    Examples
    --------
    >>> keys_of((Path("d/x/1.jpg"), Path("d/2.jpg"), Path("d/2.png")), Path("d"))
    ['x/1', '2.jpg', '2.png']
    """
    return _keys([path.relative_to(folder).as_posix() for path in photos])


def _keys(names: Sequence[str]) -> list[str]:
    short = [to_utf8(_stem_and_suffix(name)[0]) for name in names]
    num_called = Counter(short)
    full = [*map(to_utf8, names)]
    taken = set(full)
    return [
        name if num_called[name] == 1 and name not in taken else long for name, long in zip(short, full, strict=True)
    ]


def _walk(root: str, suffixes: frozenset[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the key of each file, in the order of their paths."""
    seen: set[tuple[int, int]] = set()
    waiting = [_Entry(root, is_folder=True, below="")]
    while waiting:
        entry = waiting.pop()
        if not entry.is_folder:
            yield entry.path, entry.key
            continue
        status = Path(entry.path).stat()
        if (status.st_dev, status.st_ino) not in seen:  # else a link back up
            seen.add((status.st_dev, status.st_ino))
            waiting += reversed(_entries(entry, suffixes))


@dataclass(slots=True)
class _Entry:
    path: str
    is_folder: bool
    below: str  # the root, with slashes
    key: str | None = None


def _entries(folder: _Entry, suffixes: frozenset[str]) -> list[_Entry]:
    """List a folder by name, with the keys of its photos."""
    start = f"{folder.below}/" if folder.below else ""
    try:
        with os.scandir(folder.path) as found:
            entries = [_Entry(one.path, one.is_dir(), f"{start}{one.name}") for one in found]
    except OSError as error:
        what = f"a folder cannot be read: {error.strerror}"
        raise FormatError(what, where=folder.path, fix="make it readable, or move it elsewhere") from None
    entries.sort(key=lambda entry: entry.path)
    photos = [entry for entry in entries if not entry.is_folder and _is_photo(entry, suffixes)]
    for photo, key in zip(photos, _keys([photo.below for photo in photos]), strict=True):
        photo.key = key
    return entries


def _is_photo(entry: _Entry, suffixes: frozenset[str]) -> bool:
    if any(part.startswith(".") or part == "__MACOSX" for part in entry.below.split("/")):
        return False
    if _stem_and_suffix(entry.path)[1].lower() in suffixes:
        return True
    try:
        with Path(entry.path).open("rb") as file:
            first = file.read(16)
    except OSError:
        return False
    return first.startswith(_SIGNATURES) or first[4:8] == b"ftyp"


def _stem_and_suffix(path: str) -> tuple[str, str]:
    return os.path.splitext(path)  # noqa: PTH122 (a million of them)


def to_utf8(name: str) -> str:
    """Write a file name so that it can be printed and stored: names of other encodings reach us as surrogates."""
    return name.encode("utf-8", "backslashreplace").decode()
