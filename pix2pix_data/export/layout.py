"""What a layout must say to be written, and the names of columns in those that have them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pix2pix_data.dataset import EncodedPair
from pix2pix_data.errors import UsageError
from pix2pix_data.images import encode_png
from pix2pix_data.shards import Columns

__all__ = ["ExportLayout", "NamedPair", "both_sides", "parse_columns", "suffix_of"]

_SHORTCUTS = {
    "controlnet": ("conditioning_image", "image", "text"),  # what diffusers' scripts look for by default
    "instruct": ("input_image", "edited_image", "edit_prompt"),
}
_OWN = {"key", "group"}


@dataclass(frozen=True, slots=True)
class NamedPair:
    """A pair with the name of its files, without ending; both sides are PNG or JPEG files of their own.

    `num_encoded` of them were encoded anew, without loss.
    """

    name: str
    key: str
    group: str
    a: bytes
    b: bytes
    num_encoded: int = 0


class ExportLayout(ABC):
    """A layout that is being written to a folder.

    Parameters
    ----------
    folder : Path
    columns : Columns
        Names of A and B, in layouts that have columns.
    num_pairs : mapping of str to int
        Pairs of each split that will be written.
    """

    keeps_files: ClassVar[bool] = True
    """Whether the files of both sides are written as they are."""

    default_columns: ClassVar[str] = ""
    """What stands behind the colon in --to; empty where a layout has no columns."""

    def __init__(self, folder: Path, columns: Columns, num_pairs: Mapping[str, int]) -> None:
        self.folder = folder
        self.columns = columns
        self.num_pairs = num_pairs

    def prepare(self, pairs: Iterable[NamedPair]) -> None:  # noqa: B027 - most have nothing to prepare
        """See all pairs of all splits before the first is written."""

    @abstractmethod
    def write(self, split: str, pairs: Iterable[NamedPair]) -> None:
        """Write the pairs of a split; called once for each."""

    def notes(self) -> list[str]:
        """Say what the user should know of the files, when all are written."""
        return []


def parse_columns(text: str, caption: str) -> Columns:
    """Read names of columns: A,B or A,B,TEXT or a shortcut.

    Parameters
    ----------
    text : str
    caption : str
        What stands in the column TEXT, in every row.

    Raises
    ------
    UsageError
        If these are no names, the same name comes twice, or there is a caption and no column for it.

    Examples
    --------
    >>> parse_columns("controlnet", "a shoe")
    Columns(a='conditioning_image', b='image', texts=(('text', 'a shoe'),))
    """
    names = _SHORTCUTS.get(text) or tuple(text.split(","))
    if len(names) not in (2, 3) or not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name) for name in names):
        fix = f"give two names, or three: A,B,TEXT; or one of {', '.join(_SHORTCUTS)}"
        raise UsageError(f"{text!r} does not name columns", where="--to", fix=fix)
    if len({*names} | _OWN) < len(names) + len(_OWN):
        raise UsageError(f"{text!r} names a column twice, or one called key or group", where="--to", fix="rename it")
    if caption and len(names) == 2:
        raise UsageError("there is no column for this text", where="--text", fix=f"name it: {text},TEXT")
    return Columns(names[0], names[1], tuple((name, caption) for name in names[2:]))


def suffix_of(content: bytes) -> str:
    """Return the ending of a picture file by its first bytes: .png, .jpg, or "" for all others."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    return ".jpg" if content.startswith(b"\xff\xd8\xff") else ""


def both_sides(name: str, pair: EncodedPair) -> NamedPair:
    """Give a pair's sides files of their own: the very ones it has, or PNG where it has none, or other formats.

    Raises
    ------
    ImageError
        If a side must be decoded, and cannot be; it names the key.
    """
    if pair.b is not None and suffix_of(pair.a) and suffix_of(pair.b):
        return NamedPair(name, pair.key, pair.group, pair.a, pair.b)
    decoded = pair.decode()
    a = pair.a if pair.b is not None and suffix_of(pair.a) else encode_png(decoded.a)
    b = pair.b if pair.b is not None and suffix_of(pair.b) else encode_png(decoded.b)
    return NamedPair(name, pair.key, pair.group, a, b, num_encoded=(a is not pair.a) + (b is not pair.b))
