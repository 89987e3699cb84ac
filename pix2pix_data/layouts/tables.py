"""Tables that hold the pictures themselves: Parquet, and the Arrow files of `Dataset.save_to_disk`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.dataset import EncodedPair
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.layouts.column_names import choose_columns, told_columns
from pix2pix_data.layouts.file_tree import FileTree, leads_outside
from pix2pix_data.layouts.found import Found, RawPair, split_in
from pix2pix_data.layouts.image_folder import is_metadata
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import SPLITS, Failed

__all__ = ["find_tables"]

_BATCH_ROWS = 32


def find_tables(tree: FileTree, columns: tuple[str, str] | None) -> Found | None:
    """Find .parquet or .arrow files with two columns of pictures, of one set of columns.

    Splits are those that folders or the beginnings of file names say, such as train-00000-of-00004.parquet.

    Raises
    ------
    FormatError
        If a file is damaged, or its columns are not known.
    """
    files = [file for file in tree.files if file.suffix in (".parquet", ".arrow") and not is_metadata(file)]
    if not files:
        return None
    by_split: dict[str, list[Path]] = {}
    counts = dict.fromkeys(SPLITS, 0)
    there: set[str] = set()
    names: tuple[str, str] | None = columns
    for file in files:
        with _table(tree, file) as table:
            names = choose_columns(
                _picture_columns(table.schema), names, where=tree.path / file, there=table.schema.names
            )
            if twice := [name for name in names if table.schema.names.count(name) > 1]:
                raise FormatError(f"column {twice[0]} is there twice", where=tree.path / file, fix="rename one of them")
            there |= set(table.schema.names)
            by_split.setdefault(split_in(file), []).append(file)
            counts[split_in(file)] += table.num_rows
    assert names is not None
    a, b = names

    def read(split: str) -> Iterator[RawPair | Failed]:
        for file in by_split[split]:
            yield from _read(tree, file, a, b)

    layout = f"{files[0].suffix[1:].capitalize()} tables, {told_columns(names, there)}"
    return Found(layout, {split: num for split, num in counts.items() if num}, read)


class _Table:
    """A Parquet or Arrow file: its columns, the number of rows, and batches of rows."""

    def __init__(self, stream: IO[bytes], *, is_parquet: bool) -> None:
        self._stream, self._is_parquet = stream, is_parquet
        if is_parquet:
            self._parquet = pq.ParquetFile(stream)
            self.schema, self.num_rows = self._parquet.schema_arrow, self._parquet.metadata.num_rows
        else:
            self.schema = pa.ipc.open_stream(stream).schema
            self.num_rows = sum(batch.num_rows for batch in self._arrow_batches())

    def rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        if self._is_parquet:
            batches = self._parquet.iter_batches(_BATCH_ROWS, columns=columns)
        else:
            batches = (batch.select(columns) for batch in self._arrow_batches())
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                yield from batch.slice(start, _BATCH_ROWS).to_pylist()

    def _arrow_batches(self) -> Iterator[Any]:
        self._stream.seek(0)
        for batch in pa.ipc.open_stream(self._stream):
            batch.validate(full=True)  # Arrow trusts the offsets in a file, and would read beyond its memory
            yield batch


@contextlib.contextmanager
def _table(tree: FileTree, file: Path) -> Iterator[_Table]:
    try:
        with tree.open(file) as stream:
            yield _Table(stream, is_parquet=file.suffix == ".parquet")
    except (pa.ArrowException, OSError, ValueError, SystemError, MemoryError) as error:  # sizes below 0 or beyond all
        raise FormatError(f"damaged table: {error}", where=tree.path / file, fix="fetch it again") from error


def _picture_columns(schema: pa.Schema) -> list[str]:
    """List the columns that may hold picture files: bytes, or `datasets` structs of bytes and path."""
    return [field.name for field in schema if _is_binary(field.type) or _has_bytes(field.type)]


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _has_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and any(field.name == "bytes" and _is_binary(field.type) for field in kind)


def _read(tree: FileTree, file: Path, a: str, b: str) -> Iterator[RawPair | Failed]:
    name = to_utf8(file.with_suffix("").as_posix())
    with _table(tree, file) as table:
        texts = [one for one in ("key", "group") if one in table.schema.names]
        for number, row in enumerate(table.rows([a, b, *texts])):
            source = f"{name}{file.suffix}, row {number}"
            key = str(row.get("key") or f"{name}/{number}")
            try:
                contents = [_content(row[column], column, file, tree) for column in (a, b)]
            except ImageError as error:
                yield Failed(key, source, str(error))
            else:
                yield RawPair(EncodedPair(key, str(row.get("group") or key), *contents), source)


def _content(value: Any, column: str, table: Path, tree: FileTree) -> bytes:
    """Return the bytes of a cell; of the file that it names where it holds none, as `Dataset.to_parquet` leaves it."""
    if isinstance(value, bytes):
        return value
    content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (None, None)
    if isinstance(content, bytes):
        return content
    if not isinstance(path, str) or not path:
        raise ImageError(f"column {column} holds no picture in this row")
    if leads_outside(path) or table.parent / path not in tree.listed:
        raise ImageError(f"column {column} holds no bytes, but the path of a file that is not in this folder: {path}")
    return tree.read(table.parent / path)
