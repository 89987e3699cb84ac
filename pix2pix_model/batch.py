"""What a step trains on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from pix2pix_model.nets import Rows

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step trains on.

    Attributes
    ----------
    a, b : Tensor of shape (N, C, H, W), float32
        Condition and target in [-1, 1], as the recipe says that networks see them.
    share : float
        Of the step's pairs: 1 unless they are shared out among processes or micro-batches.
    rows : Rows or None
        Which of the step's pairs these are; None: all.
    """

    a: Tensor
    b: Tensor
    share: float = 1.0
    rows: Rows | None = None

    def parts(self, size: int) -> list[Batch]:
        """Cut it into micro-batches of at most `size` pairs; 0 leaves it whole."""
        num = len(self.a)
        if size == 0 or num <= size:
            return [self]
        first, of = (self.rows.start, self.rows.num) if self.rows else (0, num)
        parts = []
        for start in range(0, num, size):
            a, b = self.a[start : start + size], self.b[start : start + size]
            rows = Rows(first + start, first + start + len(a), of)
            parts.append(Batch(a, b, self.share * len(a) / num, rows))
        return parts
