"""Parquet files, read so that one that was cut or overwritten is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.errors import FormatError

__all__ = ["damage_told", "num_rows_of", "read_columns"]


def num_rows_of(path: Path) -> int:
    with damage_told(path):
        return int(pq.read_metadata(path).num_rows)


def read_columns(path: Path, names: list[str]) -> pa.Table:
    with damage_told(path), pq.ParquetFile(path) as file:
        table = file.read(columns=names)
        table.validate(full=True)  # texts that are none are told here, not where they are looked at
        return table


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what a file that was cut or overwritten raises, from pyarrow or for what is in it, into an error of ours."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FormatError(f"damaged file: {error}", where=path, fix="build the dataset again") from error
