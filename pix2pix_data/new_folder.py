"""Folders that are there whole or not at all: filled beside, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix_data.errors import BuildError

__all__ = ["new_folder", "require_free"]


def require_free(out: Path) -> None:
    """Raise BuildError if `out` holds anything; asked before long work."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildError("the output folder is not empty", where=out, fix="choose another --out")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` to fill; it becomes `out` when the block ends well, and is removed otherwise.

    Raises
    ------
    BuildError
        If `out` holds anything.
    """
    require_free(out)
    out = out.resolve()
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        yield beside
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
