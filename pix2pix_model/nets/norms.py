"""The norms: of a batch, of the batches of all processes together, of each picture, or none."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix_model.nets.spec import NormName

__all__ = ["BatchNorm", "SyncBatchNorm", "has_no_bias", "make_norm"]

_MOMENTUM = 0.1  # of the running statistics, as everywhere in PyTorch
_EPSILON = 1e-5


class BatchNorm(nn.Module):
    """Batch normalisation that, in eval(), takes its statistics from each picture by itself.

    Both author codes test with batch statistics and a batch of one. Here that holds for a batch of any size, so a
    picture never depends on its neighbours. Running statistics are kept in training, for those who want them.

    Parameters
    ----------
    channels : int

    Attributes
    ----------
    keeps_statistics : bool
        Take the running statistics in eval() instead.

    References
    ----------
    Ioffe and Szegedy 2015, arXiv:1502.03167; Isola et al. 2017, arXiv:1611.07004, section 3.4 (test-time statistics).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.keeps_statistics = False
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if self.training or self.keeps_statistics:
            statistics = (self.running_mean, self.running_var)
            return F.batch_norm(x, *statistics, self.weight, self.bias, training=self.training)
        return F.instance_norm(x, weight=self.weight, bias=self.bias)


class SyncBatchNorm(BatchNorm):
    """Batch normalisation with the statistics of the batches of all processes together; of its own where there is one.

    Each process must hold as many pictures of the same size. Unlike torch's own, it also works on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if not (self.training and dist.is_available() and dist.is_initialized()):
            return super().forward(x)
        h = x.float()
        mean = _mean_of_all(h.mean((0, 2, 3)))  # (C,)
        centred = h - mean[:, None, None]
        variance = _mean_of_all(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            count = x.numel() // x.shape[1] * dist.get_world_size()
            self.running_mean.lerp_(mean, _MOMENTUM)
            self.running_var.lerp_(variance * count / (count - 1), _MOMENTUM)
        scale = self.weight * (variance + _EPSILON).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def _mean_of_all(own: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes; gradients flow to each of them."""
    from torch.distributed.nn.functional import all_reduce  # takes long to import

    total: Tensor = all_reduce(own)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


def make_norm(name: NormName, channels: int) -> list[nn.Module]:
    """Return the norm as one layer, or no layer; that of each picture by itself has no weights, as the authors'."""
    match name:
        case "batch":
            return [BatchNorm(channels)]
        case "sync":
            return [SyncBatchNorm(channels)]
        case "instance":
            return [nn.InstanceNorm2d(channels)]
        case "instance_affine":
            return [nn.InstanceNorm2d(channels, affine=True)]
        case "none":
            return []


def has_no_bias(norm: NormName) -> bool:
    """Say whether a norm leaves the bias to the convolution before it."""
    return norm in ("instance", "instance_affine", "none")
