"""How a process that computes on a CPU takes its memory from the system: for good, but for the largest pieces."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3), of the GNU C library
_NEVER = 2**31 - 1
_LARGE = 32 * 2**20  # bytes: the most that the library takes


def keep_memory() -> None:
    """Keep freed memory for the next step or picture; what has 32 MiB or more is given back each time.

    A step touches gigabytes, and fetching them anew took a tenth of its time, and a sixth of that of four pictures.
    Were the largest pieces kept too, nothing would be faster, but holes between them would double what a large picture
    takes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
