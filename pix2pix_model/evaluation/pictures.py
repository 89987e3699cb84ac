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
from pix2pix_model.checkpoint import Model, ModelConfig
from pix2pix_model.device import Device
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.translate import run_generator
from pix2pix_model.views import View, Views, to_tensor, views_of

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.pair import RGB, Pair

    _Read = tuple[Pair, Pixels, Pixels]  # a pair, and what the views of the generator store of its sides

__all__ = ["Example", "other_targets", "translated"]

_BATCH_PIXELS = 1 << 19
_MAX_PIXELS = 1 << 23  # as in translate: the activations take about 2 GB then


@dataclass(frozen=True, slots=True)
class Example:
    """A translated pair; all three pictures are uint8 (H, W, 3), as they are shown: at 8 bits, transparency on a board.

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
        What both sides are resized to (bicubic; classes nearest), as in training; None keeps their own.
    device : Device
    wanted : collection of int, optional
        Positions in the split; without it all.
    failures : list of Failed
        Takes the pairs that cannot be used.
    """
    views = views_of(model.config.sides)
    for batch in _batches(_read(dataset.encoded_pairs(split, wanted), model.config, size, failures)):
        made = _made(model, views, batch, device)
        yield [
            Example(
                pair.key,
                given=_shown(views.inputs[0], given),
                made=_shown(views.target, picture),
                real=_shown(views.target, real),
                pair=pair,
            )
            for (pair, given, real), picture in zip(batch, made, strict=True)
        ]


def _made(model: Model, views: Views, batch: Sequence[_Read], device: Device) -> list[Pixels]:
    """Translate a batch; where dropout is on, what a picture draws depends on its key alone."""
    if not model.config.test_time.dropout:
        return run_generator(model.generator, views, [[given] for _, given, _ in batch], device)
    made: list[Pixels] = []
    with torch.random.fork_rng():
        for pair, given, _ in batch:
            torch.manual_seed(zlib.crc32(pair.key.encode("utf-8", "surrogateescape")))
            made += run_generator(model.generator, views, [[given]], device)
    return made


def other_targets(
    config: ModelConfig, dataset: PairDataset, *, size: PictureSize | None, number: int
) -> Iterator[list[RGB]]:
    """Read targets of real training pairs, evenly spread, in batches of one size: what else is real."""
    total, views = dataset.num_pairs["train"], views_of(config.sides)
    number = min(number, total)
    wanted = {i * total // number for i in range(number)}
    for batch in _batches(_read(dataset.encoded_pairs("train", wanted), config, size, [])):
        yield [_shown(views.target, real) for _, _, real in batch]


def _shown(view: View, stored: Pixels) -> RGB:
    return view.shown(to_tensor(stored[None]))[0].numpy()


def _read(
    encoded_pairs: Iterator[EncodedPair], config: ModelConfig, size: PictureSize | None, failures: list[Failed]
) -> Iterator[_Read]:
    """Decode pairs: as they are, the condition, and the target."""
    views = views_of(config.sides)
    if len(views.inputs) > 1:
        fix = "p2p-model translate --also draws its pictures beside the real ones"
        raise UsageError("a model of several inputs cannot be evaluated", fix=fix)
    both = [(config.sides.inputs[0].side, views.inputs[0]), (config.sides.target.side, views.target)]
    for encoded in encoded_pairs:
        try:
            pair = encoded.decode()
            decoded = encoded.decode_sides(*((side, view.file) for side, view in both))
            height, width = size or decoded[0].shape[:2]
            if height * width > _MAX_PIXELS:
                raise ImageError(f"{width}x{height} pixels are more than {_MAX_PIXELS:,}: give --size a number")
            given, real = (
                view.resized(view.read(pixels), width, height) for (_, view), pixels in zip(both, decoded, strict=True)
            )
        except ImageError as error:
            failures.append(Failed(encoded.key, encoded.key, str(error)))
        else:
            yield pair, given, real


def _batches(pairs: Iterator[_Read]) -> Iterator[list[_Read]]:
    """Gather neighbours of one size, as many as memory takes easily."""
    batch: list[_Read] = []
    for one in pairs:
        height, width = one[1].shape[:2]
        if batch and ((len(batch) + 1) * height * width > _BATCH_PIXELS or one[1].shape != batch[0][1].shape):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch
