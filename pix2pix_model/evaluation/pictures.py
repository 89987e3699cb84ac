"""The pictures that are evaluated: A as the generator is given it, G(A), and B, all of one size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pix2pix_data.dataset import EncodedPair, PairDataset
from pix2pix_data.errors import ImageError
from pix2pix_data.images import resize_bicubic
from pix2pix_data.pair import Failed
from pix2pix_model.checkpoint import Model, ModelConfig
from pix2pix_model.color_space import COLOR_SPACES
from pix2pix_model.device import Device
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import sides_read
from pix2pix_model.translate import run_generator

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, Pair

__all__ = ["Example", "other_targets", "translated"]

_BATCH_PIXELS = 1 << 19
_MAX_PIXELS = 1 << 23  # as in translate: the activations take about 2 GB then


@dataclass(frozen=True, slots=True)
class Example:
    """A translated pair; all three pictures are uint8 (H, W, 3).

    Attributes
    ----------
    key : str
    given : ndarray
        The condition as the generator sees it.
    made, real : ndarray
        What the generator makes of it, and the target.
    pair : Pair
        As it lies in the dataset, at its own size.
    """

    key: str
    given: RGB
    made: RGB
    real: RGB
    pair: Pair


def translated(
    model: Model,
    dataset: PairDataset,
    split: str,
    *,
    size: PictureSize | None,
    device: Device,
    wanted: Collection[int] | None = None,
    failures: list[Failed],
) -> Iterator[list[Example]]:
    """Translate a split in its fixed order, in batches of one size.

    Parameters
    ----------
    model : Model
        Its generator is on the device.
    dataset : PairDataset
    split : str
    size : PictureSize or None
        What both sides are resized to (bicubic), as in training; None keeps their own.
    device : Device
    wanted : collection of int, optional
        Positions in the split; without it all.
    failures : list of Failed
        Takes the pairs that cannot be used.
    """
    space = COLOR_SPACES[model.config.color_space]
    for batch in _batches(_read(dataset.encoded_pairs(split, wanted), model.config, size, failures)):
        made = run_generator(model.generator, space, [given for _, given, _ in batch], device)
        seen = [space.seen(torch.from_numpy(given)[None])[0].numpy() for _, given, _ in batch]
        yield [
            Example(pair.key, one, picture, real, pair)
            for (pair, _, real), one, picture in zip(batch, seen, made, strict=True)
        ]


def other_targets(
    config: ModelConfig, dataset: PairDataset, *, size: PictureSize | None, number: int
) -> Iterator[list[RGB]]:
    """Read targets of real training pairs, evenly spread, in batches of one size: what else is real."""
    total = dataset.num_pairs["train"]
    number = min(number, total)
    wanted = {i * total // number for i in range(number)}
    for batch in _batches(_read(dataset.encoded_pairs("train", wanted), config, size, [])):
        yield [real for _, _, real in batch]


def _read(
    encoded_pairs: Iterator[EncodedPair], config: ModelConfig, size: PictureSize | None, failures: list[Failed]
) -> Iterator[tuple[Pair, RGB, RGB]]:
    """Decode pairs: as they are, the condition, and the target."""
    sides = sides_read(config.direction, config.color_space)
    for encoded in encoded_pairs:
        try:
            pair = encoded.decode()
            pictures = [{"A": pair.a, "B": pair.b}[side] for side in sides]
            if size is not None:
                pictures = [resize_bicubic(picture, size.width, size.height) for picture in pictures]
            height, width = pictures[0].shape[:2]
            if height * width > _MAX_PIXELS:
                raise ImageError(f"{width}x{height} pixels are more than {_MAX_PIXELS:,}: give --size a number")
        except ImageError as error:
            failures.append(Failed(encoded.key, encoded.key, str(error)))
        else:
            yield pair, pictures[0], pictures[-1]


def _batches(pairs: Iterator[tuple[Pair, RGB, RGB]]) -> Iterator[list[tuple[Pair, RGB, RGB]]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[tuple[Pair, RGB, RGB]] = []
    for one in pairs:
        height, width = one[1].shape[:2]
        if batch and ((len(batch) + 1) * height * width > _BATCH_PIXELS or one[1].shape != batch[0][1].shape):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
