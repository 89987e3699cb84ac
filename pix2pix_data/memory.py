"""How a process takes its memory from the system: kept for good where it computes, given back soon where it builds."""

from __future__ import annotations

import os
import sys

__all__ = ["give_back_memory", "keep_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3), of the GNU C library
_MIB = 2**20


def keep_memory() -> None:
    """Keep freed memory for the next step or picture; what has 32 MiB or more is given back each time.

    A step touches gigabytes, and fetching them anew took a tenth of its time, and a sixth of that of four pictures.
    Were the largest pieces kept too, nothing would be faster, but holes between them would double what a large picture
    takes.
    """
    _set_thresholds(large=32 * _MIB, kept=2**31 - 1)  # the most that the library takes


def give_back_memory() -> None:
    """Give freed pieces of 1 MiB or more back each time, before pyarrow is loaded.

    By themselves both the C library and Arrow keep what they once had of row groups, sheets and large photos: a quarter
    more in the process that plans a build and checks it.
    """
    _set_thresholds(large=_MIB, kept=8 * _MIB)
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def _set_thresholds(*, large: int, kept: int) -> None:
    """Fetch pieces of `large` bytes or more by themselves; keep up to `kept` free bytes at the end of the rest."""
    if sys.platform != "linux":
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_THRESHOLD, large)
        mallopt(_M_TRIM_THRESHOLD, kept)
