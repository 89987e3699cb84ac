"""Which step did best on the validation split so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

__all__ = ["Best"]

_HIGHER_IS_BETTER = ("val_psnr", "val_ssim")


@dataclass(frozen=True, slots=True)
class Best:
    """The best of the measurements so far.

    Attributes
    ----------
    step : int
    metric : str
        Name of the measure, as in metrics.jsonl.
    value : float
    num_pairs : int
        Pairs that it is the mean of: it compares with no other set.
    """

    step: int
    metric: str
    value: float
    num_pairs: int

    def or_better(self, other: Self) -> Self:
        """Return the better of the two; of two equal ones the earlier, this one."""
        sign = 1 if self.metric in _HIGHER_IS_BETTER else -1
        return other if sign * other.value > sign * self.value else self
