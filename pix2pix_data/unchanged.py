"""Whether photos are still those that were planned: what changes while it is read must not be kept unseen."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pix2pix_data.errors import BuildError
from pix2pix_data.pair import PairPlan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["require_unchanged", "sizes_of"]

_GONE = -1


def sizes_of(plans: Iterable[PairPlan]) -> npt.NDArray[np.int64]:
    """Hash the sizes of the files of each plan; shape (N,). One that is gone has none."""
    import numpy as np

    # Python's hash of whole numbers is the same in every process.
    return np.fromiter((hash(tuple(map(_size, plan.sources))) for plan in plans), np.int64)


def require_unchanged(before: npt.NDArray[np.int64], now: npt.NDArray[np.int64], source: Path) -> None:
    """Raise BuildError if the sizes of the same plans differ."""
    if (before != now).any():
        what = "a photo changed, or went away, while the dataset was made; nothing was kept of its shard"
        raise BuildError(what, where=source, fix="when nothing writes there any more, give the same command again")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 (a million of them)
    except OSError:
        return _GONE
