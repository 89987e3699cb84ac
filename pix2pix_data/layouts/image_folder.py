"""Folders of pictures with a table that names them: imagefolder of `datasets`, and the like."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.layouts.column_names import choose_columns, told_columns
from pix2pix_data.layouts.file_tree import FileTree, is_picture, leads_outside
from pix2pix_data.layouts.found import FilePair, Found, read_file_pairs, sort_splits, split_of_folders
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import Failed

__all__ = ["find_image_folder", "is_metadata"]

_STEMS = ("metadata", "prompt")  # prompt.json is the table of ControlNet's tutorial
_ENDING = "_file_name"  # `x_file_name` names the file of column `x`, and `file_name` that of `image`


def is_metadata(file: Path) -> bool:
    """Tell by its name whether a file is a table of the pictures in its folder."""
    return file.stem in _STEMS and file.suffix in (".jsonl", ".json", ".csv", ".parquet")


def find_image_folder(tree: FileTree, columns: tuple[str, str] | None) -> Found | None:
    """Find metadata.jsonl, .csv or .parquet with the file names of two pictures in each row.

    Rows whose files are not there, or lie outside the folder of their table, and pictures that no row names, are told
    as failed.

    Raises
    ------
    FormatError
        If a table cannot be read, or its columns are not known.
    """
    tables = [file for file in tree.files if is_metadata(file)]
    if not tables:
        return None
    pairs: dict[str, list[FilePair]] = {}
    failed: list[Failed] = []
    names, there = ("", ""), set[str]()
    for table in tables:
        rows = list(_rows(tree, table))
        there |= {_column(name) for row in rows for name in row if name}
        names = choose_columns(there, columns, where=tree.path / table)
        name = to_utf8(table.as_posix())
        for number, row in enumerate(rows, 1):
            outcome = _pair_of(row, names, table, tree)
            if isinstance(outcome, FilePair):
                pairs.setdefault(split_of_folders(outcome.files[1]), []).append(outcome)
            else:
                failed.append(Failed(f"{name}:{number}", name, to_utf8(outcome)))
    named = {file for members in pairs.values() for pair in members for file in pair.files}
    unnamed = (to_utf8(file.as_posix()) for file in tree.files if is_picture(file) and file not in named)
    failed += [Failed(file, file, "no row of a table names this picture") for file in unnamed]
    pairs = sort_splits(pairs)
    return Found(
        f"pictures named by {tables[0].name}, {told_columns(names, there)}",
        {split: len(members) for split, members in pairs.items()},
        lambda split: read_file_pairs(tree, pairs[split]),
        tuple(failed),
    )


def _rows(tree: FileTree, table: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a table, the columns called as in it."""
    try:
        content = tree.read(table)
        if table.suffix == ".parquet":
            yield from pq.read_table(io.BytesIO(content)).to_pylist()
        elif table.suffix == ".csv":
            yield from csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        else:
            rows = [json.loads(line) for line in content.decode("utf-8-sig").splitlines() if line.strip()]
            if not all(isinstance(row, dict) for row in rows):
                raise ValueError("each line must be a record in braces")
            yield from rows
    except (ImageError, ValueError, RecursionError, csv.Error, pa.ArrowException) as error:
        raise FormatError(
            f"the table cannot be read: {error}",
            where=tree.path / table,
            fix="mend the table, or import the pictures by their names without it",
        ) from error


def _column(name: str) -> str:
    return "image" if name == _ENDING[1:] else name.removesuffix(_ENDING)


def _pair_of(row: dict[str, Any], names: tuple[str, str], table: Path, tree: FileTree) -> FilePair | str:
    """Return the pair of a row, or why there is none."""
    paths = {_column(name): value for name, value in row.items() if name}
    files = []
    for name in names:
        path = paths.get(name)
        if not isinstance(path, str) or not path:
            return f"no file name in column {name}"
        if leads_outside(path) or "://" in path:
            return f"refused: {path} leads out of the folder of its table"
        file = table.parent / path
        if file not in tree.listed:
            return f"no such picture: {path}"
        files.append(file)
    key = row.get("key") or to_utf8(files[1].with_suffix("").as_posix())
    return FilePair(str(key), str(row.get("group") or key), tuple(files))
