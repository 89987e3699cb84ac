"""What a layout that was recognised gives: pairs as they lie there, or reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pix2pix_data.dataset import EncodedPair
from pix2pix_data.errors import ImageError
from pix2pix_data.layouts.file_tree import FileTree
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import SPLIT_FOLDERS, SPLITS, Failed

__all__ = [
    "FilePair",
    "Found",
    "RawPair",
    "common_root",
    "read_file_pairs",
    "sort_splits",
    "split_in",
    "split_of_folders",
]

_SPLIT_OF_WORD = {word: split for split, words in SPLIT_FOLDERS.items() for word in words}


@dataclass(frozen=True, slots=True)
class RawPair:
    """A pair as it lies there, undecoded; `source` says where, for failures.jsonl."""

    pair: EncodedPair
    source: str


@dataclass(frozen=True, slots=True)
class FilePair:
    """The files of a pair: A and B, or one that holds both, A on the left."""

    key: str
    group: str
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A layout that was recognised.

    Attributes
    ----------
    layout : str
        Its name, with what A and B are, in words.
    num_pairs : mapping of str to int
        Pairs that each split should give, in the order train, validation, test.
    read : callable
        Gives the pairs of a split, or the reasons why there are none, one by one.
    failed : tuple of Failed
        What gives no pair, known before any picture is read.
    doubt : str or None
        Why these may be no pairs at all, for the user to judge.
    others : tuple of Path
        Tables and archives of the tree that have no part in it.
    """

    layout: str
    num_pairs: Mapping[str, int]
    read: Callable[[str], Iterator[RawPair | Failed]]
    failed: tuple[Failed, ...] = field(default=())
    doubt: str | None = None
    others: tuple[Path, ...] = ()


def read_file_pairs(tree: FileTree, pairs: Iterable[FilePair]) -> Iterator[RawPair | Failed]:
    """Read the files of pairs, each into memory."""
    for pair in pairs:
        source = ", ".join(to_utf8(file.as_posix()) for file in pair.files)
        try:
            contents = [tree.read(file) for file in pair.files]
        except ImageError as error:
            yield Failed(pair.key, source, str(error))
        else:
            b = contents[1] if len(contents) == 2 else None
            yield RawPair(EncodedPair(pair.key, pair.group, contents[0], b), source)


def _split_called(word: str) -> str | None:
    """Return the split that a word names: train, validation (val, valid, eval) or test; None for other words."""
    return _SPLIT_OF_WORD.get(word.casefold())


def split_in(file: Path) -> str:
    """Return the split that a path names, in a folder or at the beginning of its name; train if it names none."""
    word = file.name.replace(".", "-").replace("_", "-").partition("-")[0]
    return split_of_folders(file.parent / word / file.name)


def split_of_folders(file: Path) -> str:
    """Return the split that a folder of a path names; train if none does."""
    return next(filter(None, map(_split_called, file.parts[:-1])), "train")


def sort_splits(by_split: Mapping[str, list[FilePair]]) -> dict[str, list[FilePair]]:
    """Put splits in their order, and leave out those without pairs."""
    return {split: by_split[split] for split in SPLITS if by_split.get(split)}


def common_root(files: Iterable[Path]) -> Path:
    """Return the folder that all files lie in, as far as it says nothing: above folders of splits and sides.

    Examples
    --------
    >>> common_root([Path("facades/train/1.jpg"), Path("facades/train/2.jpg")]).as_posix()
    'facades'
    """
    parts = [file.parent.parts for file in files]
    root: list[str] = []
    for folders in zip(*parts, strict=False):
        name = folders[0]
        if len(set(folders)) > 1 or _split_called(name) or _split_called(name.rstrip("AB").rstrip("_")):
            break
        root.append(name)
    return Path(*root)
