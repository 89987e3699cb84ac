"""Shards of a dataset, written: which pairs go into a Parquet file, what it is called, and what its columns are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.arrow_arrays import array_of_texts
from pix2pix_data.atomic import path_beside

if TYPE_CHECKING:
    from pix2pix_data.dataset import EncodedPair

__all__ = ["OURS", "Columns", "pairs_per_shard", "shard_path", "write_shard", "write_split"]

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_STRING_FEATURE = {"dtype": "string", "_type": "Value"}
_MAX_SHARDS_BELOW = 64  # small datasets get shards small enough for progress, a restart and two dozen workers
_SHARD_PAIRS = (32, 1000)
_ROW_GROUP_PAIRS = 64  # a reader that streams or shuffles fetches a few megabytes at a time
_ROW_GROUP_BYTES = 1 << 28  # fewer large pictures are held at once; Arrow counts the bytes of a column in 31 bits


@dataclass(frozen=True, slots=True)
class Columns:
    """How the columns of a Parquet file are called; the defaults are our own format.

    Attributes
    ----------
    a, b : str
        Columns of pictures.
    texts : tuple of (str, str)
        Further columns, each with the text that stands in all its rows.
    modes : (str, str)
        Pillow's modes that `datasets` gives A and B in. One for all pictures of a column: without, a gray PNG beside
        others would come as (H, W).
    """

    a: str = "imageA"
    b: str = "imageB"
    texts: tuple[tuple[str, str], ...] = ()
    modes: tuple[str, str] = ("RGB", "RGB")

    @property
    def strings(self) -> tuple[str, ...]:
        return ("key", "group", *(name for name, _ in self.texts))

    def schema(self) -> pa.Schema:
        images = {
            name: {"mode": mode, "_type": "Image"} for name, mode in zip((self.a, self.b), self.modes, strict=True)
        }
        features = images | dict.fromkeys(self.strings, _STRING_FEATURE)
        return pa.schema(
            [(self.a, _IMAGE), (self.b, _IMAGE), *((name, pa.string()) for name in self.strings)],
            metadata={"huggingface": json.dumps({"info": {"features": features}})},  # what `datasets` reads types from
        )

    def writer_options(self) -> dict[str, Any]:
        # Pictures are compressed already; the page index and content-defined chunks are what the hub's viewer and
        # storage want.
        return {
            "compression": {
                **dict.fromkeys(self.strings, "snappy"),
                **{f"{column}.{field}": "none" for column in (self.a, self.b) for field in ("bytes", "path")},
            },
            "use_dictionary": [name for name in self.strings if name != "key"],
            "write_page_index": True,
            "use_content_defined_chunking": True,
        }


OURS = Columns()
"""Those of our own format."""


def shard_path(folder: Path, split: str, index: int, num_shards: int) -> Path:
    """Name a shard as the Hugging Face hub does."""
    return folder / "data" / f"{split}-{index:05d}-of-{num_shards:05d}.parquet"


def pairs_per_shard(num_pairs: int) -> int:
    """Say how many of the pairs of a split go into one file."""
    fewest, most = _SHARD_PAIRS
    return min(max(-(-num_pairs // _MAX_SHARDS_BELOW), fewest), most)


def write_split(
    folder: Path, split: str, pairs: Iterator[EncodedPair], num_pairs: int, columns: Columns = OURS
) -> None:
    """Write a split of `num_pairs` to as many files as it takes."""
    per_shard = pairs_per_shard(num_pairs)
    num_shards = -(-num_pairs // per_shard)
    for i in range(num_shards):
        write_shard(shard_path(folder, split, i, num_shards), islice(pairs, per_shard), columns)


def write_shard(path: Path, pairs: Iterable[EncodedPair], columns: Columns = OURS) -> int:
    """Write pairs to one Parquet file, whole or not at all; memory stays at one row group.

    Returns
    -------
    int
        The number of pairs written.
    """
    num_written = 0
    schema = columns.schema()
    with path_beside(path) as beside, pq.ParquetWriter(beside, schema, **columns.writer_options()) as writer:
        for group in _row_groups(pairs):
            writer.write_batch(_batch(group, columns, schema))
            num_written += len(group)
    return num_written


def _row_groups(pairs: Iterable[EncodedPair]) -> Iterator[list[EncodedPair]]:
    """Gather what is written at once: few pairs, and fewer of large pictures."""
    group: list[EncodedPair] = []
    num_bytes = 0
    for pair in pairs:
        group.append(pair)
        num_bytes += len(pair.a) + len(pair.b or b"")
        if len(group) == _ROW_GROUP_PAIRS or num_bytes >= _ROW_GROUP_BYTES:
            yield group
            group, num_bytes = [], 0
    if group:
        yield group


def _batch(pairs: Sequence[EncodedPair], columns: Columns, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        _images([pair.a for pair in pairs], [pair.key for pair in pairs], "A"),
        _images([pair.b for pair in pairs if pair.b is not None], [pair.key for pair in pairs], "B"),
    ]
    texts = [[pair.key for pair in pairs], [pair.group for pair in pairs]]
    texts += [[text] * len(pairs) for _, text in columns.texts]
    arrays += [array_of_texts([text.encode() for text in column], pa.string()) for column in texts]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _images(contents: Sequence[bytes], keys: Sequence[str], side: str) -> pa.Array:
    paths = [f"{key.replace('/', '_')}_{side}{_suffix(content)}" for content, key in zip(contents, keys, strict=True)]
    arrays = [
        array_of_texts(contents, pa.binary()),
        array_of_texts([path.encode() for path in paths], pa.string()),
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(_IMAGE))


def _suffix(content: bytes) -> str:
    return ".png" if content.startswith(b"\x89PNG") else ".jpg"
