"""A dataset on disk, opened and read; shards.py writes the files of ours.

Beside our own format (DESIGN: Parquet with two Image columns) it opens the classic layouts, see classic.py.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.channels import decode_channels
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import encode_jpeg, encode_png
from pix2pix_data.pair import SPLITS, Pair
from pix2pix_data.parquet_files import damage_told, num_rows_of, read_columns
from pix2pix_data.shards import OURS
from pix2pix_data.urls import url_of

if TYPE_CHECKING:
    from pix2pix_data.channel_kinds import ChannelsName
    from pix2pix_data.channels import Pixels

__all__ = [
    "EncodedPair",
    "PairDataset",
    "ParquetDataset",
    "encode_pair",
    "modes_of",
    "open_dataset",
]


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
        table = read_columns(self._here(self._files[split][index]), [OURS.a, OURS.b, "key", "group"])
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
                        table = file.read_row_group(i, columns=[OURS.a, OURS.b, "key", "group"])
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


def encode_pair(pair: Pair, *, lossless: bool) -> EncodedPair:
    """Encode A as PNG, B as JPEG (PNG if `lossless`); a side keeps its own file where it has one."""
    b = pair.b_file or (encode_png(pair.b) if lossless else encode_jpeg(pair.b))
    return EncodedPair(pair.key, pair.group, pair.a_file or encode_png(pair.a), b)


def _encoded(table: pa.Table, index: int) -> EncodedPair:
    row = table.slice(index, 1).to_pylist()[0]
    return EncodedPair(row["key"], row["group"], row["imageA"]["bytes"], row["imageB"]["bytes"])


def modes_of(path: Path) -> tuple[str, str]:
    """Read the modes of A and B from the schema; RGB where it says none."""
    with damage_told(path):
        written = (pq.read_schema(path).metadata or {}).get(b"huggingface", b"{}")
        features = json.loads(written).get("info", {}).get("features", {})
        a, b = (features.get(name, {}).get("mode") or "RGB" for name in (OURS.a, OURS.b))
        return a, b
