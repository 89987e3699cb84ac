"""Tiles of a large photo, for networks that see no further than so many pixels."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["tiles"]


def tiles(length: int, tile: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut a side of `length` pixels into tiles: where each lies, what is read for it, and what of that is kept.

    What is read reaches `margin` pixels beyond the tile, and begins at a multiple of what divides both.
    """
    for start in range(0, length, tile):
        stop = min(length, start + tile)
        first = max(0, start - margin)
        yield slice(start, stop), slice(first, min(length, stop + margin)), slice(start - first, stop - first)
