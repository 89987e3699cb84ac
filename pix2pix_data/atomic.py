"""Files that are there whole or not at all: written beside, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["path_beside", "write_file", "write_json"]


@contextmanager
def path_beside(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")  # two processes never share one
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`, atomically."""
    with path_beside(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON for people to read, atomically."""
    write_file(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
