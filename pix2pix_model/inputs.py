"""What to translate: pictures and folders of them, or a split of a paired dataset; and further inputs beside these."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pix2pix_data.dataset import EncodedPair, PairDataset, open_dataset
from pix2pix_data.errors import FormatError, ImageError, UsageError
from pix2pix_data.images import read_file
from pix2pix_data.listing import keys_of, list_photos
from pix2pix_model.pair_reader import Row, in_step
from pix2pix_model.sides import Sides

__all__ = ["Job", "Source", "check_further", "find_inputs", "read_rows"]

_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to translate.

    Attributes
    ----------
    key : str
        Names the output: `key`.png below the output folder.
    path : Path or None
        The picture's file; None for a pair of a dataset.
    content : bytes or None
        The file itself, where it is not on disk.
    """

    key: str
    path: Path | None
    content: bytes | None = None


_Further: TypeAlias = PairDataset | Mapping[str, Path]
"""Where the further picture of each key is: a dataset, or files by key."""


@dataclass(frozen=True, slots=True)
class Source:
    """What to translate, in order: files, or a split of a paired dataset, whose targets go onto the sheet."""

    jobs: tuple[Job, ...]
    dataset: PairDataset | None = None
    split: str = ""
    further: tuple[_Further, ...] = ()


def find_inputs(paths: Sequence[Path], *, split: str | None = None, also: Sequence[Path] = ()) -> Source:
    """Find what to translate.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders of pictures, patterns of them such as photos/*.jpg, or one paired dataset.
    split : str, optional
        Split of the dataset; without it test, else validation, else train.
    also : sequence of Path
        For each further input of the model a dataset, or a folder of pictures, that has the same keys; or one picture
        beside one picture.

    Raises
    ------
    FormatError
        If there is no picture, or no such split, or a picture without its further one.
    """
    source = _pictures(paths, split)
    keys = [job.key for job in source.jobs]
    return replace(source, further=tuple(_find_further(path, keys) for path in also))


def _pictures(paths: Sequence[Path], split: str | None) -> Source:
    if len(paths) == 1 and _is_dataset(paths[0]):
        dataset = open_dataset(paths[0])
        split = split or next(name for name in ("test", "validation", "train") if name in dataset.num_pairs)
        return Source(tuple(Job(key, None) for key in dataset.keys(split)), dataset, split)
    if split is not None:
        raise UsageError("only a paired dataset has splits", where=paths[0], fix="leave out --split")
    jobs = []
    for path in paths:
        if path.is_file():
            jobs.append(Job(path.stem, path))
        elif not path.exists() and _WILDCARD.search(str(path)):
            jobs += [Job(key, photo) for key, photo in _matching(path).items()]
        else:
            jobs += [Job(key, photo) for key, photo in _in_folder(path).items()]
    seen: dict[str, Path | None] = {}
    for job in jobs:
        if job.key in seen:
            raise FormatError(
                f"two pictures would both become {job.key}.png: {seen[job.key]} and", where=job.path, fix="rename one"
            )
        seen[job.key] = job.path
    return Source(tuple(jobs))


def _in_folder(path: Path) -> dict[str, Path]:
    return dict(list_photos(path).named())


def _matching(pattern: Path) -> dict[str, Path]:
    """Find the files of a pattern, and those in folders of it; named by their path below what has no wildcard."""
    root = Path(*itertools.takewhile(lambda part: not _WILDCARD.search(part), pattern.parts))
    found: list[Path] = []
    for match in sorted(root.glob(str(pattern.relative_to(root)))):
        found += [match] if match.is_file() else _in_folder(match).values()
    if not found:
        raise FormatError("no file matches this pattern", where=pattern, fix="try it with ls")
    photos = tuple(dict.fromkeys(found))
    return dict(zip(keys_of(photos, root), photos, strict=True))


def _is_dataset(path: Path) -> bool:
    """Tell a paired dataset from a folder of pictures that happens to have a folder train/ in it."""
    if (path / "build.json").is_file():
        return True
    try:
        return open_dataset(path).doubt is None
    except FormatError:
        return False


def _find_further(path: Path, keys: Sequence[str]) -> _Further:
    if path.is_file():
        if len(keys) != 1:
            raise UsageError(f"one picture cannot go with {len(keys)}", where=path, fix="give a folder, or a dataset")
        return {keys[0]: path}
    if _is_dataset(path):
        return open_dataset(path)
    found = _in_folder(path)
    if missing := [key for key in keys if key not in found]:
        what = f"{len(missing)} of {len(keys)} pictures are not here, such as {missing[0]}"
        raise FormatError(what, where=path, fix="give each the name of the picture that it goes with")
    return found


def check_further(sides: Sides, source: Source) -> None:
    """Raise UsageError unless there are as many inputs as a model is given."""
    first, *further = sides.inputs
    if len(source.further) != len(further):
        given = ", ".join(spec.words for spec in (first, *further))
        fix = "name where each further one is, a dataset or a folder: --also DIR" if further else "leave out --also"
        what = f"this model is given {len(sides.inputs)} pictures ({given}), not {len(source.further) + 1}"
        raise UsageError(what, fix=fix)


def read_rows(source: Source) -> Iterator[tuple[Job, Row | ImageError]]:
    """Read the encoded pictures of each job, the first input first; or why one cannot be read."""
    keys = [job.key for job in source.jobs]
    firsts = None if source.dataset is None else source.dataset.encoded_pairs(source.split)
    datasets = [in_step(one, keys) if isinstance(one, PairDataset) else None for one in source.further]
    for job in source.jobs:
        own = next(firsts) if firsts is not None else job.content or job.path
        assert own is not None
        others = [
            one[job.key] if isinstance(one, Mapping) else next(pairs)  # type: ignore[arg-type]
            for one, pairs in zip(source.further, datasets, strict=True)
        ]
        try:
            yield job, tuple(_encoded(one, job.key) for one in (own, *others))
        except ImageError as error:
            yield job, error


def _encoded(picture: EncodedPair | Path | bytes, key: str) -> EncodedPair:
    """Read a file; a picture by itself stands for either side of a pair."""
    if isinstance(picture, EncodedPair):
        return picture
    content = picture if isinstance(picture, bytes) else read_file(picture)
    return EncodedPair(key, key, content, content)
