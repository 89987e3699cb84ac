"""The public pix2pix sets: where copies of them are, and how the official splits of a merged copy are found again.

The copies on the hub have all pairs in one split, and no names. They were read folder by folder, so each official split
is a run of rows; but in which order the folders came depended on the machine that made the copy (issue 5145 of
huggingface/datasets). Landmarks decide: small prints of a few photos of each split, of which it is known where they
belong. An order of the splits counts if it has the official numbers of pairs, the landmarks lie where they should, and
no other order does as well. Without landmarks, a copy cannot be divided officially, and that is said.

Numbers of pairs are those of the authors' archives; the paper (Isola et al. 2017, arXiv:1611.07004) gives those for
training. Rows of the copies on the hub: 606, 3,475, 50,025 and 20,120, as their dataset_infos.json say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice, pairwise, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from pix2pix_data.console import ProgressLine
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.layouts.found import Found, RawPair
from pix2pix_data.pair import Failed
from pix2pix_data.photo_prints import print_of_file

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["PUBLIC_SETS", "Division", "PublicSet", "divide_officially", "landmark_of"]

Side = Literal["a", "b"]
_SIDES: tuple[Side, Side] = ("a", "b")

_GRID = (17, 16)  # columns, rows: 16 x 16 differences between neighbours
_LEAST_STEP = 2  # in gray levels: flat ground gives no bits, whatever a JPEG makes of it
# Of 256 bits: one encoding more changes up to 8; among 606 facades, no two photos are nearer than 39.
_SAME = 16
_ENOUGH = 0.8  # of the landmarks of a split; a copy may have left out a few pictures, or changed them


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A set that the authors of pix2pix published.

    Attributes
    ----------
    repo_id : str or None
        A copy on the hub; None if no complete one is known.
    num_pairs : mapping of str to int
        The official splits.
    a, b : str
        What the left and the right half of the authors' pictures are.
    photo_side : "a" or "b"
        Which of them the landmarks are of.
    recipe : str
    terms : str
        Terms of the source, in a sentence.
    landmarks : mapping of str to sequence of str
        Prints of some photos of each split, as `landmark_of` makes them; empty if none are known.
    """

    repo_id: str | None
    num_pairs: Mapping[str, int]
    a: str
    b: str
    photo_side: Side
    recipe: str
    terms: str
    landmarks: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Division:
    """What became of the splits of a copy.

    Attributes
    ----------
    found : Found
        The pairs in their splits.
    is_official : bool
    photo_side : "a", "b" or None
        Which side of the copy the landmarks were found on.
    note : str
        What the user should know of it.
    """

    found: Found
    is_official: bool
    photo_side: Side | None
    note: str


_LANDMARKS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

PUBLIC_SETS = {
    "facades": PublicSet(
        "huggan/facades",
        {"train": 400, "validation": 100, "test": 106},
        "the photo",
        "the labels",
        "a",
        "facades",
        "CMP facade database (Tylecek and Sara 2013): for research.",
        _LANDMARKS["facades"],
    ),
    "cityscapes": PublicSet(
        "huggan/cityscapes",
        {"train": 2975, "validation": 500},
        "the photo",
        "the labels",
        "a",
        "cityscapes",
        "Cityscapes (Cordts et al. 2016): not for commercial use; its licence agreement holds.",
        _LANDMARKS["cityscapes"],
    ),
    "maps": PublicSet(
        "huggan/maps",
        {"train": 1096, "validation": 1098},
        "the aerial photo",
        "the map",
        "a",
        "maps",
        "Pictures of Google Maps: Google's terms hold.",
    ),
    "edges2shoes": PublicSet(
        "huggan/edges2shoes",
        {"train": 49_825, "validation": 200},
        "the edges",
        "the photo",
        "b",
        "edges2shoes",
        "UT Zappos50K (Yu and Grauman 2014): for academic use, not for commercial use.",
        _LANDMARKS["edges2shoes"],
    ),
    "edges2handbags": PublicSet(
        None,
        {"train": 138_567, "validation": 200},
        "the edges",
        "the photo",
        "b",
        "edges2handbags",
        "Photos of products of Amazon, collected for iGAN (Zhu et al. 2016): the terms of their owners hold.",
    ),
    "night2day": PublicSet(
        "huggan/night2day",
        {"train": 17_823, "validation": 10, "test": 2287},
        "the night",
        "the day",
        "b",
        "day2night-laffont",
        "Transient Attributes (Laffont et al. 2014), photos of webcams: for academic use.",
    ),
}
"""By the name that `p2p-data fetch` takes, which is that of the authors' archive."""


def landmark_of(photo_file: bytes) -> str:
    """Take the landmark print of a picture file: where gray rises from left to right on a grid of 16 x 16.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ImageError
        If it cannot be decoded.
    """
    return np.packbits(_bits_of(photo_file)).tobytes().hex()


def divide_officially(found: Found, public: PublicSet) -> Division:
    """Find the official splits of a copy again; where that cannot be done for sure, leave all pairs in one.

    Parameters
    ----------
    found : Found
        The copy.
    public : PublicSet

    Raises
    ------
    FormatError
        If the copy has not as many pairs as the set.
    """
    if dict(found.num_pairs) == dict(public.num_pairs):
        return Division(found, is_official=True, photo_side=None, note="the copy has the official splits")
    total = sum(public.num_pairs.values())
    if dict(found.num_pairs) != {"train": total}:
        told = ", ".join(f"{num} {split}" for split, num in found.num_pairs.items())
        raise FormatError(
            f"the copy holds {told}; the official set has {total} pairs",
            where=public.repo_id,
            fix="the copy was changed: fetch an older --revision, or import the authors' archive",
        )
    if not public.landmarks:
        why = "nobody recorded in which order they lie"
        return Division(found, is_official=False, photo_side=None, note=_undivided(why))
    where = _where_landmarks_lie(found.read("train"), public.landmarks, total)
    fitting = {
        (order, side)
        for order in permutations(public.num_pairs)
        for side in _SIDES
        if _fits(_blocks(order, public.num_pairs), where[side])
    }
    if len(fitting) != 1:
        why = "the pairs whose place is known lie elsewhere" if not fitting else "more than one order is possible"
        return Division(found, is_official=False, photo_side=None, note=_undivided(why))
    ((order, side),) = fitting
    blocks = _blocks(order, public.num_pairs)
    num_known = sum(map(len, public.landmarks.values()))
    note = f"divided officially: rows of {', '.join(order)} in turn, as {num_known} pairs show whose place is known"
    divided = replace(
        found,
        num_pairs=public.num_pairs,
        read=lambda split: islice(found.read("train"), blocks[split].start, blocks[split].stop),
    )
    return Division(divided, is_official=True, photo_side=side, note=note)


def _undivided(why: str) -> str:
    return (
        f"not divided: the copy has its official splits in one, and {why}. All pairs are in train; for the official "
        "splits, import the authors' archive (p2p-data import ARCHIVE), for others see p2p-data split"
    )


def _where_landmarks_lie(
    pairs: Iterator[RawPair | Failed], landmarks: Mapping[str, Sequence[str]], total: int
) -> dict[Side, dict[str, list[list[int]]]]:
    """List, by side and split, for each landmark the rows that look like it."""
    splits = [split for split, prints in landmarks.items() for _ in prints]
    wanted = np.array([_from_hex(one) for prints in landmarks.values() for one in prints])  # (L, 256)
    rows: dict[Side, list[list[int]]] = {side: [[] for _ in splits] for side in _SIDES}
    with ProgressLine("Finding the splits", total, unit="pairs") as progress:
        for row, raw in enumerate(pairs):
            progress.advance()
            if isinstance(raw, Failed):
                continue
            for side, content in zip(_SIDES, (raw.pair.a, raw.pair.b), strict=True):
                for landmark in _looking_like(content, wanted):
                    rows[side][landmark].append(row)
    return {
        side: {split: [found for found, of in zip(lists, splits, strict=True) if of == split] for split in landmarks}
        for side, lists in rows.items()
    }


def _looking_like(content: bytes | None, wanted: npt.NDArray[np.bool_]) -> Iterator[int]:
    try:
        bits = _bits_of(content or b"")
    except ImageError:
        return
    yield from np.flatnonzero((wanted != bits).sum(axis=1) <= _SAME).tolist()


def _bits_of(content: bytes) -> npt.NDArray[np.bool_]:
    grid = cv2.resize(print_of_file(content), _GRID, interpolation=cv2.INTER_AREA).astype(np.int16)  # (16, 17)
    bits: npt.NDArray[np.bool_] = (grid[:, 1:] > grid[:, :-1] + _LEAST_STEP).ravel()
    return bits


def _from_hex(text: str) -> npt.NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8)).astype(np.bool_)


def _blocks(order: Sequence[str], num_pairs: Mapping[str, int]) -> dict[str, range]:
    bounds = accumulate((num_pairs[split] for split in order), initial=0)
    return {split: range(start, stop) for split, (start, stop) in zip(order, pairwise(bounds), strict=True)}


def _fits(blocks: Mapping[str, range], where: Mapping[str, list[list[int]]]) -> bool:
    """Tell whether enough landmarks of each split have a row in its block."""
    return all(
        sum(any(row in blocks[split] for row in rows) for rows in found) >= _ENOUGH * len(found)
        for split, found in where.items()
    )
