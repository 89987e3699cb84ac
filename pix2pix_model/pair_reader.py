"""From encoded pairs to what networks see of them: the sides that a recipe uses, each decoded and stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from torch import Tensor

from pix2pix_data.dataset import EncodedPair, PairDataset, open_dataset
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import DataSettings, Side
from pix2pix_model.side_doubts import SideDoubts
from pix2pix_model.sides import sides_of
from pix2pix_model.views import View, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["Form", "PairReader", "Row", "in_step", "same_shape"]

Row: TypeAlias = tuple[EncodedPair, ...]
"""A pair of the dataset, and those of the same key of the further ones."""
Form: TypeAlias = tuple[tuple[int, ...], np.dtype[np.generic]]
"""Shape and dtype of an array."""


@dataclass(frozen=True, slots=True)
class _Slot:
    """One side that is stored, for one view or two."""

    source: int  # position in a row
    side: Side
    view: View


class PairReader:
    """Reads pairs as a recipe's networks see them.

    Parameters
    ----------
    dataset : PairDataset
        The one at `settings.path`; the further ones of `settings.also` are opened here.
    settings : DataSettings

    Attributes
    ----------
    sides : Sides
    views : Views
    doubts : SideDoubts
        What looks wrong of the sides that were read.

    Raises
    ------
    FormatError
        If there is no such further dataset, or no palette of classes.
    """

    def __init__(self, dataset: PairDataset, settings: DataSettings) -> None:
        self._settings = settings
        self.sides = sides_of(settings)
        self.views = views_of(self.sides)
        self.doubts = SideDoubts()
        self._datasets = [dataset, *(open_dataset(further.path) for further in settings.further)]
        self._slots: list[_Slot] = []
        specs, views = (*self.sides.inputs, self.sides.target), (*self.views.inputs, self.views.target)
        sources = (0, *range(1, len(self.sides.inputs)), 0)
        self._slot_of = [
            self._slot(source, spec.side, view) for source, spec, view in zip(sources, specs, views, strict=True)
        ]

    def _slot(self, source: int, side: Side, view: View) -> int:
        """Return where a side is stored; what is stored already, such as the one picture of L and ab, is not again."""
        for i, slot in enumerate(self._slots):
            if (slot.source, slot.side, slot.view.stored_as) == (source, side, view.stored_as):
                return i
        self._slots.append(_Slot(source, side, view))
        return len(self._slots) - 1

    def forms(self, size: PictureSize) -> list[Form]:
        """Return shape and dtype of what is stored of a pair of a size."""
        return [((*size, slot.view.num_stored), slot.view.dtype) for slot in self._slots]

    def name_of_pixels(self, split: str, size: PictureSize) -> str:
        """Name what is stored of a split at a size: another name wherever these, or words about them, could differ."""
        facts = [
            *(dataset.stamp for dataset in self._datasets),
            *(f"{slot.source}{slot.side}{slot.view.file}{slot.view.stored_as}" for slot in self._slots),
            *(split, size, self._settings.resize, self._settings.levels),
            *(version(name) for name in ("pix2pix-kit", "pillow", "opencv-python-headless", "numpy")),
        ]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def rows(self, split: str, wanted: Collection[int] | None = None) -> Iterator[Row]:
        """Read a split in its fixed order without decoding: all of it, or the `wanted` positions alone.

        Raises
        ------
        FormatError
            If a further dataset lacks a key, which is named.
        """
        pairs = self._datasets[0].encoded_pairs(split, wanted)
        if len(self._datasets) == 1:
            return ((pair,) for pair in pairs)
        keys = [key for i, key in enumerate(self._datasets[0].keys(split)) if wanted is None or i in wanted]
        further = [in_step(dataset, keys) for dataset in self._datasets[1:]]
        return zip(pairs, *further, strict=True)

    def read(self, row: Row, size: PictureSize) -> list[Pixels]:
        """Decode and resize one row; returns what is stored of it, as `forms` says.

        Raises
        ------
        ImageError
            If a side cannot be decoded, or the sides differ in shape; `where` is the key.
        """
        decoded = [self._decoded(row, source) for source in range(len(row))]
        shape: tuple[int, ...] | None = None
        sides = []
        taken = [0] * len(row)
        for slot in self._slots:
            pixels = decoded[slot.source][taken[slot.source]]
            taken[slot.source] += 1
            shape = shape or pixels.shape
            if not same_shape(pixels.shape, shape):
                raise ImageError(
                    f"its sides differ in shape: {_size(shape)} and {_size(pixels.shape)}", where=row[0].key
                )
            stored = slot.view.read(pixels)
            self.doubts.note(self._title(slot), slot.view, pixels, stored)
            sides.append(slot.view.resized(stored, size.width, size.height, self._settings.resize))
        return sides

    def _title(self, slot: _Slot) -> str:
        specs = (*self.sides.inputs, self.sides.target)
        return specs[self._slot_of.index(self._slots.index(slot))].title

    def _decoded(self, row: Row, source: int) -> list[Pixels]:
        wanted = [(slot.side, slot.view.file) for slot in self._slots if slot.source == source]
        return row[source].decode_sides(*wanted)

    # --- what networks see ----------------------------------------------------------------------------------------
    # `stored`: for each of `forms` a batch, (N, H, W, num_stored), as `views.to_tensor` gives it

    def inputs(self, stored: Sequence[Tensor]) -> list[Tensor]:
        """Return what is stored of each input."""
        return [stored[slot] for slot in self._slot_of[:-1]]

    def target(self, stored: Sequence[Tensor]) -> Tensor:
        """Return what is stored of the target."""
        return stored[self._slot_of[-1]]

    def given(self, stored: Sequence[Tensor]) -> Tensor:
        """Return what the generator is given, float32 (N, in_channels, H, W) in [-1, 1]."""
        return self.views.given(self.inputs(stored))

    def wanted(self, stored: Sequence[Tensor]) -> Tensor:
        """Return what it should make, float32 (N, out_channels, H, W) in [-1, 1]."""
        return self.views.target.seen(self.target(stored))


def in_step(dataset: PairDataset, keys: Sequence[str]) -> Iterator[EncodedPair]:
    """Read the pairs of these keys, from whichever split holds each, in the order of the keys.

    Pairs that come before their turn wait in memory: none where both orders are the same.

    Raises
    ------
    FormatError
        If a key is not there.
    """
    wanted, missing = set(keys), set(keys)
    positions: dict[str, set[int]] = {}
    for split in dataset.num_pairs:
        own = dataset.keys(split)
        positions[split] = {i for i, key in enumerate(own) if key in wanted}
        missing -= set(own)
    if missing:
        raise FormatError(
            f"{len(missing)} of {len(wanted)} keys are not in this dataset, such as {min(missing)}",
            where=dataset.path,
            fix="make it from the same photos, so that names agree",
        )
    return _in_order(dataset, keys, positions)


def _in_order(dataset: PairDataset, keys: Sequence[str], positions: dict[str, set[int]]) -> Iterator[EncodedPair]:
    found = (pair for split, chosen in positions.items() for pair in dataset.encoded_pairs(split, chosen))
    waiting: dict[str, EncodedPair] = {}
    for key in keys:
        while key not in waiting:
            pair = next(found)
            waiting[pair.key] = pair
        yield waiting.pop(key)


def same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two pictures have the same proportions, to a pixel of rounding."""
    (rows, columns), (other_rows, other_columns) = one[:2], other[:2]
    return abs(columns * other_rows - other_columns * rows) <= max(rows, columns, other_rows, other_columns)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels"
