"""Reading a dataset in which some pairs cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa

from pix2pix_data.dataset import EncodedPair, PairDataset
from pix2pix_data.errors import FormatError, ImageError

__all__ = ["DAMAGED", "encoded_or_reason"]

DAMAGED = (OSError, pa.ArrowException, FormatError)
"""What is raised on a shard that was cut or overwritten."""


def encoded_or_reason(
    dataset: PairDataset, split: str, positions: Collection[int]
) -> Iterator[tuple[int, EncodedPair | ImageError]]:
    """Read some pairs of a split in its order, each with its position; the reason in place of what cannot be read.

    Such a pair ends the dataset's own reading, so that begins again behind it.
    """
    waiting = sorted(positions)
    while waiting:
        try:
            for encoded in dataset.encoded_pairs(split, set(waiting)):
                yield waiting.pop(0), encoded
            assert not waiting, "a dataset holds as many pairs as it says"
        except ImageError as error:
            yield waiting.pop(0), error
        except DAMAGED:
            yield waiting.pop(0), ImageError("its shard is damaged")
