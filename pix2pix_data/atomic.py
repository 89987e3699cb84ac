"""Files that are there whole or not at all: written beside, then renamed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["path_beside", "write_file", "write_json", "write_once"]


@contextmanager
def path_beside(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _name_beside(path)
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`, atomically."""
    with path_beside(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def write_once(path: Path, content: str) -> None:
    """Write `content` to `path` likewise, unless another process was faster: what is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _name_beside(path)
    try:
        beside.write_text(content, encoding="utf-8")
        os.link(beside, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        pass
    except OSError:
        if path.exists() or not beside.exists():
            raise
        beside.replace(path)  # on a file system without links
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON for people to read, atomically."""
    write_file(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _name_beside(path: Path) -> Path:
    # Two processes never share one, though they write to one folder from two machines.
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.part")
