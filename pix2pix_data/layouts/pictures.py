"""Layouts of picture files alone: side by side in one file, or two folders matched by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pix2pix_data.classic import doubt_of_sides
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import open_picture
from pix2pix_data.layouts.file_tree import FileTree, is_picture
from pix2pix_data.layouts.found import FilePair, Found, common_root, read_file_pairs, sort_splits
from pix2pix_data.listing import keys_of, to_utf8
from pix2pix_data.pair import SPLIT_FOLDERS, Failed

__all__ = ["PAIRS_FILE", "find_side_by_side", "find_two_folders"]

PAIRS_FILE = "pairs.jsonl"
"""What our exports say of their files: the split, the name, and the key and group that the pair had."""

# junyanz; pix2pixHD, twice; and the folders that combine_A_and_B.py of junyanz starts from.
_SIDES = (("{}A", "{}B"), ("{}_A", "{}_B"), ("{}_label", "{}_img"), ("A/{}", "B/{}"))

_LOOKED_AT = 8  # pictures that must be wide enough where no folder says that they are pairs

_Known: TypeAlias = Mapping[tuple[str, str], tuple[str, str]]


def find_two_folders(tree: FileTree) -> Found | None:
    """Find trainA/ and trainB/, valA/ and valB/, and the like; without splits, A/ and B/."""
    pictures, root = _pictures(tree)
    folders = {folder for file in pictures for folder in file.relative_to(root).parents}
    known = _read_known(tree, root)
    pairs: dict[str, list[FilePair]] = {}
    for split, words in SPLIT_FOLDERS.items():
        for a, b in ((Path(a.format(word)), Path(b.format(word))) for word in words for a, b in _SIDES):
            if a in folders and b in folders:
                pairs[split] = _matched(pictures, root / a, root / b, split, known)
                break
    if not pairs and {Path("A"), Path("B")} <= folders:
        pairs["train"] = _matched(pictures, root / "A", root / "B", "train", known)
    return _found(tree, "two folders, A and B, matched by name", pairs, pictures) if pairs else None


def find_side_by_side(tree: FileTree) -> Found | None:
    """Find side-by-side pictures in train/, val/ and test/; or in no such folder, if some are wide enough."""
    pictures, root = _pictures(tree)
    known = _read_known(tree, root)
    pairs: dict[str, list[FilePair]] = {}
    for split, words in SPLIT_FOLDERS.items():
        for word in words:
            if named := _named(pictures, root / word):
                pairs[split] = [_file_pair(split, name, (file,), known) for name, file in named.items()]
                break
    if pairs:
        first = next(iter(pairs.values()))[0].files[0]
        return _found(tree, "side-by-side pictures, A on the left", pairs, pictures, _doubt(tree, first))
    some = pictures[:: max(1, len(pictures) // _LOOKED_AT)]
    if not pictures or any(_doubt(tree, file) is not None for file in some):
        return None
    pairs["train"] = [FilePair(name, name, (file,)) for name, file in _named(pictures, root).items()]
    return _found(tree, "side-by-side pictures in one folder, A on the left", pairs, pictures)


def _pictures(tree: FileTree) -> tuple[list[Path], Path]:
    pictures = [file for file in tree.files if is_picture(file)]
    return pictures, common_root(pictures)


def _named(pictures: Sequence[Path], folder: Path) -> dict[str, Path]:
    inside = tuple(file for file in pictures if file.is_relative_to(folder))
    return dict(zip(keys_of(inside, folder), inside, strict=True))


def _matched(pictures: Sequence[Path], folder_a: Path, folder_b: Path, split: str, known: _Known) -> list[FilePair]:
    of_a, of_b = _named(pictures, folder_a), _named(pictures, folder_b)
    return [_file_pair(split, name, (file, of_b[name]), known) for name, file in of_a.items() if name in of_b]


def _file_pair(split: str, name: str, files: tuple[Path, ...], known: _Known) -> FilePair:
    key = f"{split}/{name}"  # names may come again in other splits; keys may not
    return FilePair(*known.get((split, name), (key, key)), files)


def _found(
    tree: FileTree, layout: str, pairs: dict[str, list[FilePair]], pictures: list[Path], doubt: str | None = None
) -> Found:
    used = {file for members in pairs.values() for pair in members for file in pair.files}
    failed = (_alone(to_utf8(file.as_posix())) for file in pictures if file not in used)
    pairs = sort_splits(pairs)
    num_pairs = {split: len(members) for split, members in pairs.items()}
    others = tuple(file for file in tree.files if not is_picture(file) and file.name != PAIRS_FILE)
    return Found(layout, num_pairs, lambda split: read_file_pairs(tree, pairs[split]), tuple(failed), doubt, others)


def _alone(name: str) -> Failed:
    return Failed(name, name, "no partner, or in no folder of a split")


def _doubt(tree: FileTree, first: Path) -> str | None:
    try:
        with open_picture(tree.read(first)) as image:
            return doubt_of_sides(first.name, image.height, image.width)
    except ImageError:
        return None  # told with its key when the pairs are read


def _read_known(tree: FileTree, root: Path) -> _Known:
    """Read the keys and groups that an export wrote down; an empty table where there is no such file."""
    file = root / PAIRS_FILE
    if file not in tree.files:
        return {}
    try:
        records = map(json.loads, tree.read(file).decode("utf-8").splitlines())
        return {(str(one["split"]), str(one["name"])): (str(one["key"]), str(one["group"])) for one in records}
    except (ImageError, ValueError, TypeError, KeyError, RecursionError) as error:
        what = f"the names of pairs cannot be read: {error!r}"
        raise FormatError(what, where=file, fix="export again, or remove this file") from error
