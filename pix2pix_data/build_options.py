"""What a build needs to know beside its maker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pix2pix_data.errors import UsageError
from pix2pix_data.grouping import NEAR_DUPLICATES

__all__ = ["BuildOptions", "Share"]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a build needs to know beside its maker.

    Attributes
    ----------
    val, test : float
        Share (below 1) or number of pairs held out.
    seed : int
        Seed of the splits.
    group : str
        What must stay on one side of a split, as `parse_group_by` reads it.
    lock : Path or None
        File of the splits that photos went to before; written when the build is done.
    new_splits : bool
        Divide photos anew though they lie in folders train/, val/ and test/.
    limit : int or None
        Use the first so many photos alone.
    lossless : bool
        Store B as PNG.
    """

    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    group: str = NEAR_DUPLICATES
    lock: Path | None = None
    new_splits: bool = False
    limit: int | None = None
    lossless: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """The shards that one of `num` jobs makes: number `index`, and every `num`-th after it, counted from 0.

    Raises
    ------
    UsageError
        If there is no such job.
    """

    index: int
    num: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.num:
            raise UsageError(f"--shard-index {self.index} is none of 0 to {self.num - 1}", fix="count the jobs from 0")
