"""The pictures that are evaluated: A as the generator is given it, G(A), and B, all of one size."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pix2pix_data.dataset import EncodedPair, PairDataset
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.pair import Failed
from pix2pix_model.checkpoint import Model
from pix2pix_model.device import Device
from pix2pix_model.generation import run_generator
from pix2pix_model.pair_reader import Row, in_step
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import Side
from pix2pix_model.views import View, Views, to_tensor, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.pair import RGB

__all__ = ["Example", "Task", "other_targets", "translated"]

_BATCH_PIXELS = 1 << 19
_MOST_IN_BATCH = 32  # feature networks see pictures enlarged: 128 small ones would take them half a gigabyte
_MAX_PIXELS = 1 << 23  # as in translate: the activations take about 2 GB then


@dataclass(frozen=True, slots=True)
class Task:
    """What is evaluated.

    Attributes
    ----------
    model : Model
        Its generator is on the device.
    dataset : PairDataset
    split : str
    size : PictureSize or None
        What all sides are resized to (bicubic; classes nearest), as in training; None keeps the dataset's own sizes.
    device : Device
    limit : int or None
        So many pairs, evenly spread; None takes all.
    also : tuple of PairDataset
        Where the further inputs of the model are, by the same keys.
    """

    model: Model
    dataset: PairDataset
    split: str
    size: PictureSize | None
    device: Device
    limit: int | None = None
    also: tuple[PairDataset, ...] = ()

    @property
    def positions(self) -> list[int]:
        """Which pairs of the split are evaluated."""
        total = self.dataset.num_pairs[self.split]
        number = min(self.limit or total, total)
        return [i * total // number for i in range(number)]


@dataclass(frozen=True, slots=True)
class Example:
    """A translated pair; pictures are uint8 (H, W, 3), as they are shown: at 8 bits, transparency on a board.

    Attributes
    ----------
    given : tuple of ndarray
        The inputs as the generator sees them.
    made, real : ndarray
        What the generator makes of them, and the target.
    encoded : EncodedPair
        As it lies in the dataset, at its own size.
    """

    given: tuple[RGB, ...]
    made: RGB
    real: RGB
    encoded: EncodedPair

    @property
    def key(self) -> str:
        return self.encoded.key


@dataclass(frozen=True, slots=True)
class _Read:
    """A pair, and what the views of the generator store of its sides."""

    encoded: EncodedPair
    given: list[Pixels]
    real: Pixels


def translated(task: Task, positions: Collection[int], failures: list[Failed]) -> Iterator[list[Example]]:
    """Translate pairs at these positions of the split, in its fixed order, in batches of one size.

    Parameters
    ----------
    task : Task
    positions : collection of int
    failures : list of Failed
        Takes the pairs that cannot be used.

    Raises
    ------
    UsageError
        If the model is given another number of pictures.
    FormatError
        If a further dataset lacks a key.
    """
    sides, wanted = task.model.config.sides, set(positions)
    if len(task.also) != len(sides.inputs) - 1:
        given = ", ".join(spec.words for spec in sides.inputs)
        fix = "name the dataset of each further one: --also DATASET" if sides.inputs[1:] else "leave out --also"
        raise UsageError(
            f"this model is given {len(sides.inputs)} pictures ({given}), not {len(task.also) + 1}", fix=fix
        )
    keys = [key for i, key in enumerate(task.dataset.keys(task.split)) if i in wanted]
    further = [in_step(dataset, keys) for dataset in task.also]
    rows: Iterator[Row] = zip(task.dataset.encoded_pairs(task.split, wanted), *further, strict=True)
    views = views_of(sides)
    reads = [(i, spec.side, view) for i, (spec, view) in enumerate(zip(sides.inputs, views.inputs, strict=True))]
    reads.append((0, sides.target.side, views.target))
    for batch in _batches(_read(rows, reads, task.size, failures)):
        made = _made(task, views, batch)
        yield [
            Example(
                given=tuple(_shown(view, given) for view, given in zip(views.inputs, one.given, strict=True)),
                made=_shown(views.target, picture),
                real=_shown(views.target, one.real),
                encoded=one.encoded,
            )
            for one, picture in zip(batch, made, strict=True)
        ]


def _made(task: Task, views: Views, batch: Sequence[_Read]) -> list[Pixels]:
    """Translate a batch; where dropout is on, what a picture draws depends on its key alone."""
    generator = task.model.generator
    if not task.model.config.test_time.dropout:
        return run_generator(generator, views, [one.given for one in batch], task.device)
    made: list[Pixels] = []
    with torch.random.fork_rng():
        for one in batch:
            torch.manual_seed(zlib.crc32(one.encoded.key.encode("utf-8", "surrogateescape")))
            made += run_generator(generator, views, [one.given], task.device)
    return made


def other_targets(task: Task, number: int) -> Iterator[list[RGB]]:
    """Read targets of real training pairs, evenly spread, in batches of one size: what else is real."""
    total, sides = task.dataset.num_pairs["train"], task.model.config.sides
    number = min(number, total)
    rows = ((encoded,) for encoded in task.dataset.encoded_pairs("train", {i * total // number for i in range(number)}))
    target = views_of(sides).target
    for batch in _batches(_read(rows, [(0, sides.target.side, target)], task.size, [])):
        yield [_shown(target, one.real) for one in batch]


def _shown(view: View, stored: Pixels) -> RGB:
    return view.shown(to_tensor(stored[None]))[0].numpy()


def _read(
    rows: Iterator[Row], reads: Sequence[tuple[int, Side, View]], size: PictureSize | None, failures: list[Failed]
) -> Iterator[_Read]:
    """Decode of each row what `reads` names: position in the row, side, and how it is seen; the target is the last."""
    for row in rows:
        try:
            decoded = [row[i].decode_sides((side, view.file))[0] for i, side, view in reads]
            height, width = size or decoded[-1].shape[:2]
            if height * width > _MAX_PIXELS:
                raise ImageError(f"{width}x{height} pixels are more than {_MAX_PIXELS:,}: give --size a number")
            *given, real = (
                view.resized(view.read(pixels), width, height)
                for (_, _, view), pixels in zip(reads, decoded, strict=True)
            )
        except ImageError as error:
            failures.append(Failed(row[0].key, row[0].key, str(error)))
        else:
            yield _Read(row[0], given, real)


def _batches(read: Iterator[_Read]) -> Iterator[list[_Read]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[_Read] = []
    for one in read:
        height, width = one.real.shape[:2]
        full = len(batch) == _MOST_IN_BATCH or (len(batch) + 1) * height * width > _BATCH_PIXELS
        if batch and (full or one.real.shape != batch[0].real.shape):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
