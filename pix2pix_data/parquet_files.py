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
    with damage_told(path):
        return pq.read_table(path, columns=names)


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what pyarrow says of a file that was cut or overwritten into an error that says which."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"damaged file: {error}", where=path, fix="build the dataset again") from error
