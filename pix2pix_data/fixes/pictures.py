"""The pictures of one pair, altered: sides exchanged, mirrored, cut, labels in their own colours; the rest as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pix2pix_data.images import Photo
from pix2pix_data.label_map import label_colors
from pix2pix_data.layouts.stored import StoredPair, decode_sides, encode_side
from pix2pix_data.mends import NO_EDGES, Edges, MirrorSide

if TYPE_CHECKING:
    from pix2pix_data.dataset import EncodedPair
    from pix2pix_data.layouts.stored import Side
    from pix2pix_data.pair import RGB
    from pix2pix_data.palette_file import Color

__all__ = ["Alteration", "Altered", "alter", "flipped"]

_EDGES = ("top", "right", "bottom", "left")
_TURNS: dict[str, tuple[slice, slice]] = {
    "": (slice(None), slice(None)),
    "left-right": (slice(None), slice(None, None, -1)),
    "upside down": (slice(None, None, -1), slice(None)),
    "turned by 180 degrees": (slice(None, None, -1), slice(None, None, -1)),
}


@dataclass(frozen=True, slots=True)
class Alteration:
    """What is done to the pictures of a pair, in this order.

    Attributes
    ----------
    exchange : bool
        This pair is the other way round than most: A and B change places.
    mirror : MirrorSide or None
    cut_a, cut_b : (int, int, int, int)
        Pixels to cut off at the top, right, bottom and left.
    labels : {"A", "B"} or None
        The side whose pixels get the colour of their class; `colors` are these.
    colors : tuple of (int, int, int)
    swap : bool
        A and B of all pairs change places, since the user asked for it.
    """

    exchange: bool = False
    mirror: MirrorSide | None = None
    cut_a: Edges = NO_EDGES
    cut_b: Edges = NO_EDGES
    labels: Literal["A", "B"] | None = None
    colors: tuple[Color, ...] = ()
    swap: bool = False


@dataclass(frozen=True, slots=True)
class Altered:
    """A pair as it will be stored, and each change in words; none where its pictures are what they were."""

    stored: StoredPair
    changes: tuple[str, ...]


def alter(pair: EncodedPair, alteration: Alteration, *, is_ours: bool, jpeg: bool) -> Altered:
    """Alter one pair.

    Parameters
    ----------
    pair : EncodedPair
    alteration : Alteration
    is_ours : bool
        The files are those of a dataset of ours, so what is not altered keeps its bytes whatever they are.
    jpeg : bool
        Where B has to be encoded anew, store JPEG of quality 95 instead of PNG.

    Raises
    ------
    ImageError
        If a side cannot be decoded.
    """
    if is_ours and alteration == Alteration():
        return Altered(StoredPair(pair, ("their own bytes", "their own bytes")), ())
    sides = dict(zip("AB", decode_sides(pair), strict=True))
    if is_ours:
        sides = {name: (replace(photo, plain=True), content) for name, (photo, content) in sides.items()}
    changes = list(_changed(sides, alteration))
    kind_a, file_a = encode_side(sides["A"], jpeg=False)
    kind_b, file_b = encode_side(sides["B"], jpeg=jpeg)
    return Altered(StoredPair(replace(pair, a=file_a, b=file_b), (kind_a, kind_b)), tuple(changes))


def _changed(sides: dict[str, Side], alteration: Alteration) -> Iterator[str]:
    """Change the sides in place, and say so."""
    if alteration.exchange:
        sides["A"], sides["B"] = sides["B"], sides["A"]
        yield "A and B exchanged"
    if (mirror := alteration.mirror) is not None:
        sides[mirror.side] = _with_pixels(_pixels(sides[mirror.side])[_TURNS[mirror.flip]])
        yield f"{mirror.side} mirrored back: {mirror.flip}"
    for name, edges in (("A", alteration.cut_a), ("B", alteration.cut_b)):
        if edges != NO_EDGES:
            sides[name] = _with_pixels(_cut(_pixels(sides[name]), edges))
            where = ", ".join(f"{px} px at the {edge}" for px, edge in zip(edges, _EDGES, strict=True) if px)
            yield f"{name} cut: {where}"
    if alteration.labels is not None:
        before = _pixels(sides[alteration.labels])
        colors = np.array(alteration.colors, np.uint8)
        after = colors[label_colors(before, alteration.colors)]
        sides[alteration.labels] = _with_pixels(after)
        num_changed = int((before != after).any(axis=2).sum())
        yield f"{alteration.labels} in its {len(colors)} colours: {num_changed:,} of {before[..., 0].size:,} pixels"
    if alteration.swap:
        sides["A"], sides["B"] = sides["B"], sides["A"]
        yield "A and B swapped, as asked"


def _pixels(side: Side) -> RGB:
    return side[0].rgb


def _with_pixels(rgb: RGB) -> Side:
    return Photo(np.ascontiguousarray(rgb), plain=False), b""


def _cut(picture: RGB, edges: Edges) -> RGB:
    top, right, bottom, left = edges
    height, width = picture.shape[:2]
    return picture[top : height - bottom, left : width - right]


def flipped(edges: Edges, flip: str) -> Edges:
    """Say where the edges of a picture lie when it is mirrored."""
    top, right, bottom, left = edges
    rows, columns = _TURNS[flip]
    if columns.step == -1:
        right, left = left, right
    if rows.step == -1:
        top, bottom = bottom, top
    return top, right, bottom, left
