"""File names for keys: safe on every system, and no two the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from pix2pix_data.errors import FormatError

__all__ = ["file_names"]

_MAX_BYTES = (
    120  # of 255 that file systems allow, and of 100 to 256 in old archives with room for a folder and an ending
)
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{i}" for port in ("com", "lpt") for i in range(10)}  # on Windows


def file_names(keys: Sequence[str], split: str) -> list[str]:
    """Name the files of the pairs of a split, without ending.

    A name holds letters, digits, "_" and "-" alone, so it has no folder and no dot, and begins with a letter or a
    digit (`datasets` passes over files that begin with two underscores); "train/" before a key of the training split
    is left out. Where that leaves nothing, too much, or what another key has too, a hash of the key is appended. Names
    that differ in upper and lower case alone count as the same.

    Raises
    ------
    FormatError
        If two pairs have the same key.

    Examples
    --------
    >>> file_names(["train/7", "left/01", "a/b", "a_b", "../x"], "train")
    ['7', 'left_01', 'a_b-c14cddc033', 'a_b-648fa9b31b', 'x']
    """
    plain = [_plain(key.removeprefix(f"{split}/")) for key in keys]
    num_called = Counter(map(str.casefold, plain))
    names = [
        name if _is_good(name) and num_called[name.casefold()] == 1 else _with_hash(name, key)
        for name, key in zip(plain, keys, strict=True)
    ]
    where: dict[str, str] = {}
    for name, key in zip(names, keys, strict=True):
        if name.casefold() in where:
            what = f"two pairs of the {split} split would have files of one name, {name}"
            raise FormatError(what, where=f"{where[name.casefold()]!r} and {key!r}", fix="give pairs keys of their own")
        where[name.casefold()] = key
    return names


def _plain(key: str) -> str:
    return re.sub(r"[^\w-]", "_", unicodedata.normalize("NFC", key)).lstrip("_-")


def _is_good(name: str) -> bool:
    return 0 < len(name.encode("utf-8", "backslashreplace")) <= _MAX_BYTES and name.casefold() not in _RESERVED


def _with_hash(name: str, key: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{name.encode()[: _MAX_BYTES - 11].decode(errors='ignore') or 'pair'}-{digest}"
