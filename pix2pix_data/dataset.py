"""A dataset on disk: the only code that knows its files. Writing of shards, opening, reading.

Beside our own format (DESIGN: Parquet with two Image columns) it opens the classic layouts, see classic.py.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.arrow_arrays import array_of_texts
from pix2pix_data.atomic import path_beside
from pix2pix_data.channels import decode_channels
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import encode_jpeg, encode_png
from pix2pix_data.pair import SPLITS, Pair
from pix2pix_data.parquet_files import damage_told, num_rows_of, read_columns
from pix2pix_data.urls import url_of

if TYPE_CHECKING:
    from pix2pix_data.channel_kinds import ChannelsName
    from pix2pix_data.channels import Pixels

__all__ = [
    "Columns",
    "EncodedPair",
    "PairDataset",
    "ParquetDataset",
    "encode_pair",
    "modes_of",
    "open_dataset",
    "pairs_per_shard",
    "shard_path",
    "write_shard",
    "write_split",
]

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


_OURS = Columns()


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A pair as it lies on disk.

    Attributes
    ----------
    key, group : str
        As in the plan it came from.
    a : bytes
        The picture file of A; of both sides where `b` is None.
    b : bytes or None
        The picture file of B; None where `a` is a side-by-side picture, A on the left.
    """

    key: str
    group: str
    a: bytes
    b: bytes | None

    def decode(self) -> Pair:
        """Decode both sides to sRGB of 8 bits; ImageError names the key."""
        a, b = self.decode_sides(("A", "rgb"), ("B", "rgb"))
        return Pair(self.key, a, b, self.group)

    def decode_sides(self, *wanted: tuple[Literal["A", "B"], ChannelsName]) -> list[Pixels]:
        """Decode sides, each to the channels asked for, as `decode_channels` does; ImageError names the key."""
        decoded: dict[tuple[bool, ChannelsName], Pixels] = {}  # of each file once
        sides = []
        try:
            for side, channels in wanted:
                is_second = side == "B" and self.b is not None
                if (is_second, channels) not in decoded:
                    content = self.b if is_second and self.b is not None else self.a
                    decoded[is_second, channels] = decode_channels(content, channels)
                pixels = decoded[is_second, channels]
                sides.append(pixels if self.b is not None else _half(pixels, side))
        except ImageError as error:
            raise ImageError(error.what, where=self.key) from error
        return sides


def _half(pixels: Pixels, side: Literal["A", "B"]) -> Pixels:
    width = pixels.shape[1]
    if width % 2:
        raise ImageError(f"a side-by-side picture of {width} pixels has no middle")
    return pixels[:, : width // 2] if side == "A" else pixels[:, width // 2 :]


class PairDataset(ABC):
    """A paired dataset that can be read; `open_dataset` finds the right kind.

    Attributes
    ----------
    path : Path
        Where it lies.
    num_pairs : dict of str to int
        Pairs in each split that there is, in the order train, validation, test.
    fingerprint : str
        Changes whenever the pairs change.
    stamp : str
        Changes whenever a file of the pairs is written anew, too, even if its size stays.
    doubt : str or None
        Why this may be no paired dataset at all, for the user to judge.
    modes : (str, str)
        As in `Columns`.
    """

    path: Path
    num_pairs: dict[str, int]
    fingerprint: str
    stamp: str
    doubt: str | None = None
    modes: tuple[str, str] = ("RGB", "RGB")

    @abstractmethod
    def _read(self, split: str, wanted: Collection[int] | None) -> Iterator[EncodedPair]: ...

    @abstractmethod
    def _keys(self, split: str) -> list[str]: ...

    def keys(self, split: str) -> list[str]:
        """Return the keys of a split in its fixed order, without reading pictures; FormatError as below."""
        self._check(split)
        return self._keys(split)

    def encoded_pairs(self, split: str, wanted: Collection[int] | None = None) -> Iterator[EncodedPair]:
        """Read a split in its fixed order without decoding: all of it, or the `wanted` positions alone.

        Raises
        ------
        FormatError
            If there is no such split.
        """
        self._check(split)
        return self._read(split, wanted)

    def pairs(self, split: str) -> Iterator[Pair]:
        """Read and decode a split in its fixed order."""
        return (encoded.decode() for encoded in self.encoded_pairs(split))

    def _check(self, split: str) -> None:
        if split not in self.num_pairs:
            there = ", ".join(self.num_pairs)
            raise FormatError(f"the dataset has no {split} split", where=self.path, fix=f"choose from {there}")


class ParquetDataset(PairDataset):
    """Our own format, as `p2p-data` writes it and `datasets` loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files = {
            split: sorted((path / "data").glob(f"{split}-*-of-*.parquet"))
            for split in SPLITS
            if any((path / "data").glob(f"{split}-*-of-*.parquet"))
        }
        self._sizes = {split: list(map(num_rows_of, files)) for split, files in self._files.items()}
        self.num_pairs = {split: sum(sizes) for split, sizes in self._sizes.items() if sum(sizes)}
        if not self.num_pairs:
            raise FormatError(
                "the dataset holds no pairs", where=path, fix="build it again, from photos that can be read"
            )
        files = [file for files in self._files.values() for file in files]
        self.fingerprint, self.stamp = fingerprint_of(files, path), stamp_of(files)
        self.modes = modes_of(next(iter(self._files.values()))[0])

    def _keys(self, split: str) -> list[str]:
        tables = (read_columns(self._here(path), ["key"]) for path in self._files[split])
        return [key for table in tables for key in table["key"].to_pylist()]

    def shard_sizes(self, split: str) -> list[int]:
        """Return the number of pairs in each file of a split."""
        self._check(split)
        return self._sizes[split]

    def read_shard(self, split: str, index: int) -> Callable[[int], EncodedPair]:
        """Read a file of a split into memory, still encoded; what is returned gives its pairs by their positions."""
        self._check(split)
        table = read_columns(self._here(self._files[split][index]), [_OURS.a, _OURS.b, "key", "group"])
        return lambda row: _encoded(table, row)

    def _here(self, path: Path) -> Path:
        """Return where a file lies; a dataset whose files are elsewhere brings it."""
        return path

    def keys_and_groups(self, split: str) -> list[tuple[str, str]]:
        """Return the key and the group of each pair of a split in its fixed order, without reading pictures."""
        tables = [read_columns(path, ["key", "group"]) for path in self._files[split]]
        columns = (pa.concat_tables(tables)[name].to_pylist() for name in ("key", "group"))
        return list(zip(*columns, strict=True))

    def _read(self, split: str, wanted: Collection[int] | None) -> Iterator[EncodedPair]:
        end = 0
        for path, size in zip(self._files[split], self._sizes[split], strict=True):
            start, end = end, end + size
            if wanted is not None and not any(i in wanted for i in range(start, end)):
                continue
            here = self._here(path)
            with damage_told(here), pq.ParquetFile(here) as file:
                for i in range(file.num_row_groups):
                    rows = range(start, start + file.metadata.row_group(i).num_rows)
                    start = rows.stop
                    chosen = [j - rows.start for j in rows if wanted is None or j in wanted]
                    if chosen:
                        table = file.read_row_group(i, columns=[_OURS.a, _OURS.b, "key", "group"])
                        yield from (_encoded(table, row) for row in chosen)


def open_dataset(path: str | Path) -> PairDataset:
    """Open a paired dataset of any layout that we read.

    These are: ours; folders train/, val/, test/ of side-by-side pictures with A on the left; and folders trainA/,
    trainB/ (valA/, testA/ and so on) matched by name. One that lies in an object store is brought to the cache first.

    Raises
    ------
    FormatError
        If there is no such folder, a build in it is unfinished, or its layout is none of these.
    StoreError
        If it lies in a store that cannot be read.
    """
    from pix2pix_data.classic import open_classic

    if url := url_of(path):
        from pix2pix_data.mirror import mirrored

        path = mirrored(url)
    path = Path(path)
    if not path.is_dir():
        raise FormatError("there is no such dataset", where=path, fix="make one with p2p-data, or correct the path")
    if (path / "build.json").is_file():
        return ParquetDataset(path)
    if (path / ".build").is_dir():
        raise FormatError("the build of this dataset is not finished", where=path, fix="run the same p2p-data again")
    return open_classic(path)


def fingerprint_of(files: Iterable[Path], root: Path) -> str:
    """Hash the names and sizes of files."""
    digest = hashlib.sha256()
    for file in files:
        name = os_independent(file, root)
        digest.update(f"{name}\0{file.stat().st_size}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:16]


def stamp_of(files: Iterable[Path]) -> str:
    """Hash the places, sizes and times of files."""
    digest = hashlib.sha256()
    for file in files:
        facts = file.stat()
        digest.update(f"{file.absolute()}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def os_independent(file: Path, root: Path) -> str:
    """Name a file by its path below `root`, or by its name alone where it lies elsewhere."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def shard_path(folder: Path, split: str, index: int, num_shards: int) -> Path:
    """Name a shard as the Hugging Face hub does."""
    return folder / "data" / f"{split}-{index:05d}-of-{num_shards:05d}.parquet"


def pairs_per_shard(num_pairs: int) -> int:
    """Say how many of the pairs of a split go into one file."""
    fewest, most = _SHARD_PAIRS
    return min(max(-(-num_pairs // _MAX_SHARDS_BELOW), fewest), most)


def write_split(
    folder: Path, split: str, pairs: Iterator[EncodedPair], num_pairs: int, columns: Columns = _OURS
) -> None:
    """Write a split of `num_pairs` to as many files as it takes."""
    per_shard = pairs_per_shard(num_pairs)
    num_shards = -(-num_pairs // per_shard)
    for i in range(num_shards):
        write_shard(shard_path(folder, split, i, num_shards), islice(pairs, per_shard), columns)


def encode_pair(pair: Pair, *, lossless: bool) -> EncodedPair:
    """Encode A as PNG, B as JPEG (PNG if `lossless`); a side keeps its own file where it has one."""
    b = pair.b_file or (encode_png(pair.b) if lossless else encode_jpeg(pair.b))
    return EncodedPair(pair.key, pair.group, pair.a_file or encode_png(pair.a), b)


def write_shard(path: Path, pairs: Iterable[EncodedPair], columns: Columns = _OURS) -> int:
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


def _encoded(table: pa.Table, index: int) -> EncodedPair:
    row = table.slice(index, 1).to_pylist()[0]
    return EncodedPair(row["key"], row["group"], row["imageA"]["bytes"], row["imageB"]["bytes"])


def _suffix(content: bytes) -> str:
    return ".png" if content.startswith(b"\x89PNG") else ".jpg"


def modes_of(path: Path) -> tuple[str, str]:
    """Read the modes of A and B from the schema; RGB where it says none."""
    with damage_told(path):
        written = (pq.read_schema(path).metadata or {}).get(b"huggingface", b"{}")
        features = json.loads(written).get("info", {}).get("features", {})
        a, b = (features.get(name, {}).get("mode") or "RGB" for name in (_OURS.a, _OURS.b))
        return a, b
