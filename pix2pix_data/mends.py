"""What would mend a finding, where that is safe: the records that checks make, and `p2p-data check --fix` applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "NO_EDGES",
    "CutEdges",
    "Edges",
    "GatherCopies",
    "LeaveOut",
    "Mend",
    "MirrorSide",
    "ShiftBack",
    "SnapLabels",
    "SwapSides",
]

Edges: TypeAlias = tuple[int, int, int, int]
"""Pixels at the top, right, bottom and left of a picture."""

NO_EDGES: Edges = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Leave pairs out: of each its name, as split/key, and why."""

    reasons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SwapSides:
    """Exchange A and B of single pairs, which are the other way round than the others."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MirrorSide:
    """Mirror a side of all pairs back; `flip` is one of `alignment.FLIPS`."""

    side: Literal["A", "B"]
    flip: str


@dataclass(frozen=True, slots=True)
class ShiftBack:
    """Cut both sides of all pairs so that B's pixel (row + down, column + right) comes to lie on A's (row, column)."""

    right: int
    down: int


@dataclass(frozen=True, slots=True)
class CutEdges:
    """Cut what is no picture off the edges of A and of B; both lose what either has to, to stay on each other."""

    a: Edges
    b: Edges


@dataclass(frozen=True, slots=True)
class GatherCopies:
    """Bring pairs that belong together, named as split/key, into one split."""

    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SnapLabels:
    """Give the pixels of smeared label maps the colours of their classes again.

    Attributes
    ----------
    side : {"A", "B"}
    names : tuple of str
        The pairs whose labels are smeared, as split/key.
    palette : str
        The published set whose colours they have; empty where the colours are to be found in the maps.
    """

    side: Literal["A", "B"]
    names: tuple[str, ...]
    palette: str


Mend: TypeAlias = LeaveOut | SwapSides | MirrorSide | ShiftBack | CutEdges | GatherCopies | SnapLabels
