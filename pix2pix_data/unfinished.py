"""Folders that fill up before one's eyes: `.unfinished/` in one says which command it is that was not done.

The same command goes on in such a folder; any other one is refused as by a folder of finished things.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pix2pix_data.atomic import write_file
from pix2pix_data.errors import UsageError
from pix2pix_data.one_at_a_time import one_at_a_time

__all__ = ["command_of", "filled", "require_fillable"]

_STATE = ".unfinished"


def command_of(name: str, given: Mapping[str, object]) -> str:
    """Return a command and all that was given to it, but for --overwrite, as one text."""
    return json.dumps([name, {key: value for key, value in given.items() if key != "overwrite"}], default=str)


def require_fillable(out: Path, command: str, *, overwrite: bool) -> None:
    """Raise UsageError if `out` holds anything but what the same command left when it was stopped."""
    if overwrite or not out.is_dir() or all(path.name == _STATE for path in out.iterdir()):
        return
    try:
        if (out / _STATE / "command").read_text(encoding="utf-8") == command:
            return
    except OSError:
        pass
    raise UsageError("the output folder is not empty", where=out, fix="choose another --out, or --overwrite")


@contextmanager
def filled(out: Path, command: str) -> Iterator[None]:
    """Mark `out` as unfinished until the block ends well.

    Raises
    ------
    BuildError
        If another process fills it.
    """
    state = out / _STATE
    with one_at_a_time(state, out):
        try:
            write_file(state / "command", command)
            for left in [*out.rglob(".*.part")]:  # by a process that was killed
                left.unlink()
            yield
        except BaseException:
            if all(path == state for path in out.iterdir()):  # nothing came of it
                shutil.rmtree(state, ignore_errors=True)
            raise
        shutil.rmtree(state, ignore_errors=True)
