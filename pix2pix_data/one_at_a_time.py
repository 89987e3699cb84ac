"""A folder that one process at a time may fill; the system frees it when that one ends, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2pix_data.errors import BuildError

__all__ = ["one_at_a_time"]


@contextmanager
def one_at_a_time(state: Path, out: Path) -> Iterator[None]:
    """Hold the lock of `out`, a file in the folder `state`, which is made.

    Raises
    ------
    BuildError
        If another process holds it.
    """
    from filelock import FileLock, Timeout

    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        fix = "wait for it, or stop it"
        raise BuildError("another process is at work in this folder", where=out, fix=fix) from None
    try:
        yield
    finally:
        lock.release()
