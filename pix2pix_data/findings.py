"""What the dataset doctor finds: the records that `check` makes and the report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pix2pix_data.mends import Mend

__all__ = ["CheckResult", "Facts", "Finding", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "note"]
"""An error spoils training, a warning may, a note is worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or may be.

    Attributes
    ----------
    kind : str
        Its name for programs, such as "shifted-sides".
    severity : {"error", "warning", "note"}
    what : str
        One sentence without a full stop.
    count : int
        Pairs concerned, of those that were looked at.
    examples : tuple of tuples of str
        The worst first, ten at most; each is the pairs that belong together (mostly one), as split/key.
    why : str
        What it does to training.
    fix : str
        The command that mends it, or an instruction.
    mends : tuple of Mend
        What `p2p-data check --fix` does about it; empty where nothing is safe.
    """

    kind: str
    severity: Severity
    what: str
    count: int
    examples: tuple[tuple[str, ...], ...] = ()
    why: str = ""
    fix: str = ""
    mends: tuple[Mend, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a dataset is, as far as it was looked at.

    Attributes
    ----------
    num_pairs : mapping of str to int
        Pairs in each split.
    num_looked_at : int
        Pairs that were decoded.
    sizes : mapping of (int, int) to int
        Pairs by width and height of a side, in pixels.
    about_a, about_b : str
        What each side seems to hold, in words, such as "strokes, black on white" or "photos".
    """

    num_pairs: Mapping[str, int]
    num_looked_at: int
    sizes: Mapping[tuple[int, int], int]
    about_a: str
    about_b: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A dataset's facts, and the findings with the gravest first."""

    facts: Facts
    findings: tuple[Finding, ...] = field(default=())

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)
