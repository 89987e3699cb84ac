"""Which files of a folder are photos; loads no pixels and no imaging library."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pix2pix_data.errors import FormatError

__all__ = ["Listing", "keys_of", "list_photos", "to_utf8"]

# What Pillow reads, and HEIC through an extra; a file of another name counts when its first bytes are a picture's.
_SUFFIXES = frozenset(
    ".apng .avif .avifs .blp .bmp .bw .cur .dcx .dds .dib .fli .flc .ftc .ftu .gbr .gif .heic .heif .icb .icns .ico"
    " .iim .im .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm"
    " .psd .pxr .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst .webp .xbm .xpm".split()
)
_ARCHIVES = frozenset((".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"))
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder: photos, and other files, each in the order of their paths."""

    photos: tuple[Path, ...]
    others: tuple[Path, ...]


def list_photos(folder: Path, *, also: frozenset[str] = frozenset()) -> Listing:
    """List all files below `folder`, links followed, photos told from other files by name or first bytes.

    Hidden files count as others: they are thumbnails and leftovers of file managers. Files with a suffix in `also`
    (lower case, with its dot) count as photos.

    Raises
    ------
    FormatError
        If `folder` is not a folder, holds no photo, or one below it cannot be read.
    """
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        unpack = "unpack it, and " if folder.suffix.lower() in _ARCHIVES else ""
        raise FormatError(what, where=folder, fix=f"{unpack}name the folder that holds the photos")
    files = sorted(_walk(folder), key=lambda path: path.relative_to(folder).parts)
    photos = tuple(path for path in files if _is_photo(path, folder, also))
    if not photos:
        what = f"none of the files here is a picture, such as {files[0].name}" if files else "this folder is empty"
        raise FormatError(what, where=folder, fix="name a folder with pictures in it")
    is_photo = set(photos)
    return Listing(photos, tuple(path for path in files if path not in is_photo))


def keys_of(photos: tuple[Path, ...], folder: Path) -> list[str]:
    """Name each photo by its path below `folder` without its suffix; with it where two would share a name.

    Examples
    --------
    >>> keys_of((Path("d/x/1.jpg"), Path("d/2.jpg"), Path("d/2.png")), Path("d"))
    ['x/1', '2.jpg', '2.png']
    """
    short = [to_utf8(path.relative_to(folder).with_suffix("").as_posix()) for path in photos]
    num_called = Counter(short)
    full = [to_utf8(path.relative_to(folder).as_posix()) for path in photos]
    taken = set(full)
    return [
        name if num_called[name] == 1 and name not in taken else long for name, long in zip(short, full, strict=True)
    ]


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back up
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (Path(parent, name) for name in names)


def _refuse(error: OSError) -> NoReturn:
    what = f"a folder cannot be read: {error.strerror}"  # os.walk by itself passes over it in silence
    raise FormatError(what, where=error.filename, fix="make it readable, or move it elsewhere")


def _is_photo(path: Path, folder: Path, also: frozenset[str]) -> bool:
    if any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts):
        return False
    if path.suffix.lower() in _SUFFIXES | also:
        return True
    try:
        with path.open("rb") as file:
            first = file.read(16)
    except OSError:
        return False
    return first.startswith(_SIGNATURES) or first[4:8] == b"ftyp"


def to_utf8(name: str) -> str:
    """Write a file name so that it can be printed and stored: names of other encodings reach us as surrogates."""
    return name.encode("utf-8", "backslashreplace").decode()
