"""Layouts with columns, as `datasets`, diffusers and webdataset read them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from pix2pix_data.dataset import EncodedPair
from pix2pix_data.export.layout import ExportLayout, NamedPair, suffix_of
from pix2pix_data.shards import Columns, pairs_per_shard, shard_path, write_shard

__all__ = ["ImageFolder", "ParquetColumns", "WebDataset"]


class ParquetColumns(ExportLayout):
    """data/*.parquet like ours, with other names of columns."""

    default_columns = "imageA,imageB"

    def write(self, split: str, pairs: Iterable[NamedPair]) -> None:
        encoded = (EncodedPair(pair.key, pair.group, pair.a, pair.b) for pair in pairs)
        for i, num_shards, size in _shards(self.num_pairs[split]):
            write_shard(shard_path(self.folder, split, i, num_shards), islice(encoded, size), self.columns)


class ImageFolder(ExportLayout):
    """A folder for each split with metadata.jsonl, and a folder of pictures for each column."""

    default_columns = "input_image,target_image"

    def write(self, split: str, pairs: Iterable[NamedPair]) -> None:
        folder = self.folder / split
        sides = (self.columns.a, self.columns.b)
        for column in sides:
            (folder / column).mkdir(parents=True)
        with (folder / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
            for pair in pairs:
                record = {}
                for column, content in zip(sides, (pair.a, pair.b), strict=True):
                    record[f"{column}_file_name"] = f"{column}/{pair.name}{suffix_of(content)}"
                    (folder / column / f"{pair.name}{suffix_of(content)}").write_bytes(content)
                record |= {"key": pair.key, "group": pair.group, **dict(self.columns.texts)}
                metadata.write(json.dumps(record) + "\n")


class WebDataset(ExportLayout):
    """Shards train-00000-of-00004.tar of NAME.a.png, NAME.b.jpg and NAME.json; the same pairs give the same bytes."""

    default_columns = "a,b"

    def __init__(self, folder: Path, columns: Columns, num_pairs: Mapping[str, int]) -> None:
        super().__init__(folder, columns, num_pairs)
        self._suffixes: dict[str, set[str]] = {columns.a: set(), columns.b: set()}

    def prepare(self, pairs: Iterable[NamedPair]) -> None:
        for pair in pairs:
            for column, content in self._sides(pair):
                self._suffixes[column].add(suffix_of(content))

    def write(self, split: str, pairs: Iterable[NamedPair]) -> None:
        waiting = iter(pairs)
        for i, num_shards, size in _shards(self.num_pairs[split]):
            with tarfile.open(self.folder / f"{split}-{i:05d}-of-{num_shards:05d}.tar", "w") as tar:
                for pair in islice(waiting, size):
                    for column, content in self._sides(pair):
                        _add(tar, f"{pair.name}.{column}{self._suffix(column)}", content)
                    record = {"key": pair.key, "group": pair.group, **dict(self.columns.texts)}
                    _add(tar, f"{pair.name}.json", json.dumps(record).encode())

    def notes(self) -> list[str]:
        mixed = [column for column, suffixes in self._suffixes.items() if len(suffixes) > 1]
        return [f"{column} holds PNG and JPEG files, all called .jpg: `datasets` wants one name" for column in mixed]

    def _sides(self, pair: NamedPair) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
        return (self.columns.a, pair.a), (self.columns.b, pair.b)

    def _suffix(self, column: str) -> str:
        # `datasets` wants the same names in every sample; all readers tell PNG and JPEG by their first bytes.
        return min(self._suffixes[column])


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # owner 0 and time 0, so that bytes are the same on any machine and day
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _shards(num_pairs: int) -> Iterator[tuple[int, int, int]]:
    """Give the number of each shard, how many there are, and how many pairs go into each."""
    size = pairs_per_shard(num_pairs)
    num_shards = -(-num_pairs // size)
    for i in range(num_shards):
        yield i, num_shards, size
