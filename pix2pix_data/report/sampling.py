"""The pairs that a page shows, read once and evenly spread: a page costs the same for 100 pairs and for 100,000."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.damaged_pairs import DAMAGED, encoded_or_reason
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import ImageError
from pix2pix_data.preview import evenly_spread
from pix2pix_data.report.markup import NOTHING, Html
from pix2pix_data.report.pictures import PAIR, THUMBNAIL, Limits, embed

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import Pair

__all__ = ["HISTOGRAM_BINS", "Sample", "ShownPair", "read_sample"]

HISTOGRAM_BINS = 32

_PAIRS_OF_A_SPLIT = 24


@dataclass(frozen=True, slots=True)
class ShownPair:
    """A pair as markup: its pictures, or the reason why there are none."""

    key: str
    a: Html = NOTHING
    b: Html = NOTHING
    reason: str = ""


@dataclass(slots=True)
class Sample:
    """What was read for a page.

    Attributes
    ----------
    pairs : dict of str to list of ShownPair
        Evenly spread, by split.
    thumbnails : dict of str to ShownPair
        Those that were asked for, by split/key.
    sizes : dict of (int, int) to int
        Pairs of `pairs` by width and height, in pixels.
    colors : dict of str to ndarray of shape (3, HISTOGRAM_BINS), int64
        Pixels of `pairs` by the value of red, green and blue, for "A" and "B".
    """

    pairs: dict[str, list[ShownPair]] = field(default_factory=dict)
    thumbnails: dict[str, ShownPair] = field(default_factory=dict)
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    colors: dict[str, npt.NDArray[np.int64]] = field(
        default_factory=lambda: {side: np.zeros((3, HISTOGRAM_BINS), np.int64) for side in "AB"}
    )

    @property
    def num_read(self) -> int:
        return sum(self.sizes.values())


def read_sample(dataset: PairDataset, also: Sequence[str]) -> Sample:
    """Read up to 24 pairs of each split, and thumbnails of those called `also`, as split/key.

    A pair that cannot be read is there with the reason.
    """
    sample = Sample()
    for split, total in dataset.num_pairs.items():
        shown = set(evenly_spread(total, _PAIRS_OF_A_SPLIT))
        named = _positions(dataset, split, also)
        sample.pairs[split] = []
        for position, key, pair in _pairs(dataset, split, shown | named):
            if position in shown:
                sample.pairs[split].append(_shown(key, pair, PAIR))
                if not isinstance(pair, ImageError):
                    _count(sample, pair)
            if position in named:
                sample.thumbnails[f"{split}/{key}"] = _shown(key, pair, THUMBNAIL)
    return sample


def _positions(dataset: PairDataset, split: str, names: Sequence[str]) -> set[int]:
    wanted = {name.removeprefix(f"{split}/") for name in names if name.startswith(f"{split}/")}
    try:
        return {i for i, key in enumerate(dataset.keys(split)) if key in wanted} if wanted else set()
    except DAMAGED:
        return set()


def _pairs(
    dataset: PairDataset, split: str, positions: Collection[int]
) -> Iterator[tuple[int, str, Pair | ImageError]]:
    for position, encoded in encoded_or_reason(dataset, split, positions):
        if isinstance(encoded, ImageError):
            yield position, encoded.where or f"pair {position + 1}", encoded
            continue
        try:
            yield position, encoded.key, encoded.decode()
        except ImageError as error:
            yield position, encoded.key, error


def _shown(key: str, pair: Pair | ImageError, limits: Limits) -> ShownPair:
    if isinstance(pair, ImageError):
        return ShownPair(key, reason=pair.what)
    return ShownPair(key, embed(pair.a, "A", limits), embed(pair.b, "B", limits))


def _count(sample: Sample, pair: Pair) -> None:
    height, width = pair.a.shape[:2]
    sample.sizes[width, height] = sample.sizes.get((width, height), 0) + 1
    for side, pixels in (("A", pair.a), ("B", pair.b)):
        values = (pixels // (256 // HISTOGRAM_BINS)).reshape(-1, 3)
        sample.colors[side] += np.stack([np.bincount(values[:, i], minlength=HISTOGRAM_BINS) for i in range(3)])
