"""Whether photos are still those that were planned: what changes while it is read must not be kept unseen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from pix2pix_data.errors import BuildError
from pix2pix_data.pair import PairPlan

__all__ = ["require_unchanged", "sizes_of"]


def sizes_of(plans: Iterable[PairPlan]) -> str:
    """Hash the sizes of all files that pairs are made of; one that is gone has none."""
    digest = hashlib.sha256()
    for plan in plans:
        for path in plan.sources:
            try:
                digest.update(f"{os.stat(path).st_size}\n".encode())  # noqa: PTH116 (a million of them)
            except OSError:
                digest.update(b"gone\n")
    return digest.hexdigest()[:16]


def require_unchanged(before: str, now: str, source: Path) -> None:
    """Raise BuildError if two hashes of the same files differ."""
    if now != before:
        what = "a photo changed, or went away, while the dataset was made; nothing was kept of its shard"
        raise BuildError(what, where=source, fix="when nothing writes there any more, give the same command again")
