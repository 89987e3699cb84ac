"""WebDataset: tar archives in which members KEY.FIELD belong together where KEY is the same."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pix2pix_data.errors import ImageError
from pix2pix_data.layouts.archives import open_tar
from pix2pix_data.layouts.column_names import KNOWN_COLUMNS, choose_columns, told_columns
from pix2pix_data.layouts.file_tree import FileTree, is_picture
from pix2pix_data.layouts.found import FilePair, Found, RawPair, read_file_pairs, split_in
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import SPLITS, Failed

__all__ = ["find_samples"]

_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class _Sample:
    """Members that belong together: pictures by their field without its suffix, and the JSON record, if any."""

    name: str
    pictures: dict[str, Path]
    record: Path | None


@dataclass(frozen=True, slots=True)
class _Shard:
    """A tar archive in a tree, or the tree itself where `tar` is None."""

    tree: FileTree
    tar: Path | None
    scratch: Path

    @contextlib.contextmanager
    def opened(self) -> Iterator[FileTree]:
        if self.tar is None:
            yield self.tree
        else:
            with self.tree.open(self.tar) as stream, open_tar(stream, self.tar, scratch=self.scratch) as members:
                yield members

    @property
    def name(self) -> str:
        return to_utf8((self.tar or Path(self.tree.path.name)).as_posix())


def find_samples(tree: FileTree, columns: tuple[str, str] | None, *, scratch: Path) -> Found | None:
    """Find .tar shards, or samples in the tree itself, with two pictures in each.

    Samples without both pictures are told as failed.

    Parameters
    ----------
    tree : FileTree
    columns : (str, str), optional
        Fields of A and B, without their suffixes.
    scratch : Path
        As for `open_tree`.

    Raises
    ------
    FormatError
        If an archive cannot be opened, or its fields are not known.
    """
    has_pictures = any(map(is_picture, tree.files))  # an archive beside pictures is mostly where they came from
    tars = [file for file in tree.files if not has_pictures and file.name.lower().endswith(_ENDINGS)]
    if not tars and columns is None:
        here = _fields(tree).keys()
        if not any(set(pair) <= here for pair in KNOWN_COLUMNS):
            return None
    shards = [_Shard(tree, tar, scratch) for tar in tars] or [_Shard(tree, None, scratch)]
    fields: Counter[str] = Counter()
    for shard in shards:
        with shard.opened() as members:
            fields += _fields(members)
    a, b = choose_columns(fields, columns, where=tree.path)
    by_split: dict[str, list[_Shard]] = {}
    counts: Counter[str] = Counter()
    failed: list[Failed] = []
    for shard in shards:
        split = split_in(Path(shard.name))
        by_split.setdefault(split, []).append(shard)
        with shard.opened() as members:
            complete, alone = _sorted_out(members, a, b, shard.name)
            failed += alone if shard.tar is None else [*members.refused, *alone]
        counts[split] += len(complete)

    def read(split: str) -> Iterator[RawPair | Failed]:
        for shard in by_split[split]:
            yield from _read(shard, a, b)

    num_pairs = {split: counts[split] for split in SPLITS if counts[split]}
    return Found(f"WebDataset, {told_columns((a, b), fields)}", num_pairs, read, tuple(failed))


def _fields(tree: FileTree) -> Counter[str]:
    return Counter(field for sample in _samples(tree) for field in sample.pictures)


def _samples(tree: FileTree) -> list[_Sample]:
    """Group the files of a tree: the name of a sample ends at the first dot behind the last slash."""
    found: dict[str, _Sample] = {}
    for file in tree.files:
        name, _, field = file.name.partition(".")
        name = (file.parent / name).as_posix()
        sample = found.setdefault(name, _Sample(name, {}, None))
        if is_picture(file):
            sample.pictures[field.rpartition(".")[0]] = file
        elif field == "json":
            found[name] = replace(sample, record=file)
    return list(found.values())


def _sorted_out(tree: FileTree, a: str, b: str, shard: str) -> tuple[list[_Sample], list[Failed]]:
    """Tell samples that have both pictures from those that do not."""
    complete, failed = [], []
    for sample in _samples(tree):
        if missing := [field for field in (a, b) if field not in sample.pictures]:
            name = f"{shard}/{to_utf8(sample.name)}"
            failed.append(Failed(name, shard, f"no {' and no '.join(missing)} in this sample"))
        else:
            complete.append(sample)
    return complete, failed


def _read(shard: _Shard, a: str, b: str) -> Iterator[RawPair | Failed]:
    with shard.opened() as members:
        for sample in _sorted_out(members, a, b, shard.name)[0]:
            name = f"{shard.name.partition('.')[0]}/{to_utf8(sample.name)}"  # names may come again in other shards
            key, group = _key_and_group(members, sample, name)
            pair = FilePair(key, group, (sample.pictures[a], sample.pictures[b]))
            yield from read_file_pairs(members, [pair])


def _key_and_group(tree: FileTree, sample: _Sample, name: str) -> tuple[str, str]:
    """Return what the sample's record says, as our exports write it, or else its name for both."""
    try:
        record = json.loads(tree.read(sample.record)) if sample.record is not None else {}
        return str(record.get("key", name)), str(record.get("group", record.get("key", name)))
    except (ImageError, ValueError, AttributeError, RecursionError):  # a record of something else
        return name, name
