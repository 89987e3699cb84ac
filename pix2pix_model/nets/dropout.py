"""Dropout whose draws do not depend on how a batch is shared out: each picture has the same, whoever computes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Dropout", "Rows", "drawing_rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a batch of `num`, for all of which draws are made wherever a part of them is computed."""

    start: int
    stop: int
    num: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


class Dropout(nn.Dropout):
    """torch's dropout; where it is given some rows of a batch, it draws for all and takes what is theirs.

    A mask for all is made at each call and not kept, so it costs time, but no memory for the backward pass.

    Attributes
    ----------
    rows : Rows or None
        Which ones it is given; None: all.
    """

    rows: Rows | None = None

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Map (N, C, H, W) to the same shape."""
        if self.rows is None or not self.training:
            return super().forward(input)
        kept = F.dropout(input.new_ones(self.rows.num, *input.shape[1:]), self.p)
        return input * kept[self.rows.slice].clone()  # a slice alone would keep the mask for all


@contextmanager
def drawing_rows(network: nn.Module, rows: Rows | None) -> Iterator[None]:
    """Tell the dropouts of a network which rows they are given, within the block."""
    layers = [] if rows is None else [layer for layer in network.modules() if isinstance(layer, Dropout)]
    for layer in layers:
        layer.rows = rows
    try:
        yield
    finally:
        for layer in layers:
            layer.rows = None
