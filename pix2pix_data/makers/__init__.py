"""One file for each way to make pairs, and the registry of them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pix2pix_data.registry import Registry

if TYPE_CHECKING:
    from pix2pix_data.maker import PairMaker

__all__ = ["PAIR_MAKERS", "SIDES"]

# What A and B are, again: with it a list of the makers is written in half the time, as none of them is imported.
SIDES = {
    "colorize": "A is gray, B the photo.",
    "combine": "A is a picture of yours, B another of the same name.",
    "daynight": "A is the day, B the night.",
    "edges": "A is dark strokes on white, B the photo.",
    "inpaint": "A has a region filled in, B is the photo.",
    "kmeans": "A is flat regions in a few colours, B the photo.",
    "labels": "A is flat classes in one palette, B the photo.",
}

PAIR_MAKERS: Registry[type[PairMaker]] = Registry("maker", "pix2pix_data.pair_makers", __name__, SIDES)
