"""How a process that trains on a CPU takes its memory from the system: in large pages, and for good."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # mallopt(3), of the GNU C library
_NEVER = 2**31 - 1


def keep_memory() -> None:
    """Keep freed memory for the next step, in huge pages where Linux has some; to be called before torch is imported.

    A step touches gigabytes, and fetching them anew took a tenth of its time. The process stays at its peak.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # musl has none
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
