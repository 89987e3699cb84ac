"""What a process may use of a machine: in a container or a batch job, fewer processors and less memory than it has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["limit_threads", "memory_limit", "num_processors"]

_MEMBERSHIP, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")  # cgroups(7), of Linux


def num_processors() -> int:
    """Count the processors that this process may use, those that its share of time fills where that is less."""
    num = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([num, *_shares()])


def limit_threads() -> None:
    """Let libraries take no more threads than a share of time fills, before they are loaded.

    They count the machine's processors, and many threads on a few processors' time wait for each other most of it.
    """
    if any(_shares()):
        os.environ.setdefault("OMP_NUM_THREADS", str(num_processors()))


def memory_limit() -> int | None:
    """Return the bytes that this process and those beside it may take together; None where nothing says."""
    limits = []
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):  # of version 2, and of version 1
            try:
                limits.append(int((folder / name).read_text(encoding="utf-8")))
            except (OSError, ValueError):  # of the other version, or "max"
                continue
    return min(limits, default=None)


def _shares() -> Iterator[int]:
    """Give how many processors each limit of time fills."""
    for folder in _groups("cpu"):
        for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
            try:
                texts = [(folder / name).read_text(encoding="utf-8") for name in names]
                quota, period = map(int, " ".join(texts).split())
            except (OSError, ValueError):
                continue
            if quota > 0:  # -1 is no limit
                yield max(1, math.ceil(quota / period))


def _groups(controller: str) -> Iterator[Path]:
    """Give the folder of this process's control group and of each above it, whose limits hold as well."""
    try:
        lines = _MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _GROUPS / controller if controllers else _GROUPS
        folder = root / path.lstrip("/")
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(root))
