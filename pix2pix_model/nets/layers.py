"""What all networks share: the norm, and how weights begin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BatchNorm", "initialise", "num_parameters"]


class BatchNorm(nn.Module):
    """Batch normalisation that, in eval(), takes its statistics from each picture by itself.

    Both author codes test with batch statistics and a batch of one. Here that holds for a batch of any size, so a
    picture never depends on its neighbours. Running statistics are kept in training, for those who want them.

    Parameters
    ----------
    channels : int

    References
    ----------
    Ioffe and Szegedy 2015, arXiv:1502.03167; Isola et al. 2017, arXiv:1611.07004, section 3.4 (test-time statistics).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=True)
        return F.instance_norm(x, weight=self.weight, bias=self.bias)


def initialise(network: nn.Module) -> None:
    """Draw first weights as both author codes do: convolutions N(0, 0.02), norms N(1, 0.02), biases 0."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, BatchNorm):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def num_parameters(network: nn.Module) -> int:
    """Count trained numbers."""
    return sum(parameter.numel() for parameter in network.parameters())
