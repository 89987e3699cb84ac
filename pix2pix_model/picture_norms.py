"""Norms that take the statistics of each picture, where a picture is too large to be given to a network at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix_model.nets.norms import BatchNorm

__all__ = ["norms_of_one_picture"]


class _PictureNorm(nn.Module):
    """Stands for a norm: while it measures, each tile is normalised by its own statistics; then by those of all."""

    def __init__(self, norm: BatchNorm | nn.InstanceNorm2d) -> None:
        super().__init__()
        self._weight, self._bias = norm.weight, norm.bias
        self._sums: Tensor | int = 0  # (3, C): pixels, their sum, that of their squares; on the CPU: MPS has no doubles
        self._statistics: tuple[Tensor, Tensor] | None = None
        self._device = torch.device("cpu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if self._statistics is not None:
            return F.batch_norm(x, *self._statistics, self._weight, self._bias)
        variance, mean = (one.cpu().double() for one in torch.var_mean(x.float(), (0, 2, 3), correction=0))
        num = torch.full_like(mean, x.numel() / x.shape[1])
        self._sums += torch.stack([num, num * mean, num * (variance + mean.square())])
        self._device = x.device
        return F.instance_norm(x, weight=self._weight, bias=self._bias)

    def keep(self) -> None:
        """Normalise by what was measured from now on."""
        assert isinstance(self._sums, Tensor)
        num, total, squares = self._sums
        mean = total / num
        variance = (squares / num - mean.square()).clamp(min=0)
        self._statistics = mean.float().to(self._device), variance.float().to(self._device)


@contextmanager
def norms_of_one_picture(generator: nn.Module, tiles: Iterable[Tensor]) -> Iterator[None]:
    """Let all tiles of a picture be normalised by the same statistics: those of the picture.

    They are measured on tiles that cover it, each normalised by its own on the way, as `recalibrate` does with
    pictures. Norms that have statistics without the picture are left alone; where there are no others, nothing is run.

    Parameters
    ----------
    generator : nn.Module
        In eval(); as before afterwards.
    tiles : iterable of Tensor of shape (N, in_channels, H, W)
        In [-1, 1], the larger the better.
    """
    found = [
        (parent, name, norm)
        for parent in generator.modules()
        for name, norm in parent.named_children()
        if _is_of_each_picture(norm)
    ]
    norms = [_PictureNorm(norm) for _, _, norm in found]  # type: ignore[arg-type]
    try:
        for (parent, name, _), norm in zip(found, norms, strict=True):
            setattr(parent, name, norm)
        if norms:
            for tile in tiles:
                generator(tile)
        for norm in norms:
            norm.keep()
        yield
    finally:
        for parent, name, own in found:
            setattr(parent, name, own)


def _is_of_each_picture(module: nn.Module) -> bool:
    if isinstance(module, BatchNorm):
        return not module.keeps_statistics
    return isinstance(module, nn.InstanceNorm2d) and not module.track_running_stats
