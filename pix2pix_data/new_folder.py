"""Folders that are there whole or not at all: filled beside, then renamed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix_data.errors import BuildError, UsageError
from pix2pix_data.one_at_a_time import one_at_a_time
from pix2pix_data.urls import url_of

__all__ = ["new_folder", "require_free"]


def require_free(out: Path) -> None:
    """Raise BuildError if `out` holds anything, UsageError if it is a URL; asked before long work."""
    if url := url_of(out):
        fix = "make it in a folder, and bring it there: p2p-data push FOLDER URL"
        raise UsageError("only pairs made of photos can be written to a URL", where=url, fix=fix)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildError("the output folder is not empty", where=out, fix="choose another --out")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder of the same name to fill; it becomes `out` when the block ends well, and is removed otherwise.

    It lies in a hidden folder beside `out`, which the next call takes over from a process that was killed.

    Raises
    ------
    BuildError
        If `out` holds anything, or another process is filling it.
    """
    require_free(out)
    out = out.resolve()
    scratch = out.with_name(f".{out.name}.part")
    with one_at_a_time(scratch, out):
        try:
            require_free(out)  # another process may have ended since
            shutil.rmtree(scratch / out.name, ignore_errors=True)
            (scratch / out.name).mkdir()
            yield scratch / out.name
            (scratch / out.name).replace(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
