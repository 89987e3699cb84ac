"""The losses: what the discriminator's logits should be, and how far G(A) is from B. All in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["GAN_LOSSES", "GanLoss", "feature_matching_loss", "l1_loss", "r1_penalty"]


# --- GAN losses ---------------------------------------------------------------------------------------------------


class _LossOfReal(Protocol):
    def __call__(self, logits: Tensor, smoothing: float = 0.0) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class GanLoss:
    """A GAN loss, as three functions from logits of any shape to a mean.

    Attributes
    ----------
    real : callable
        What the discriminator pays for its logits of real pairs. `smoothing`, in [0, 0.5), is what their target lacks
        to 1 (one-sided label smoothing; Salimans et al. 2016, arXiv:1606.03498, section 3.4).
    fake : callable
        What it pays for its logits of generated pairs.
    generator : callable
        What the generator pays for the discriminator's logits of its pairs.
    """

    real: _LossOfReal
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Return -target log sigmoid(x) - (1 - target) log(1 - sigmoid(x)), which does not overflow."""
    return (F.softplus(-logits.float()) + (1 - target) * logits.float()).mean()


def _square_distance(logits: Tensor, target: float) -> Tensor:
    return (logits.float() - target).square().mean()


GAN_LOSSES = {
    # Goodfellow et al. 2014, arXiv:1406.2661, with the generator's non-saturating form as in pix2pix.
    "vanilla": GanLoss(
        real=lambda logits, smoothing=0.0: _cross_entropy(logits, 1 - smoothing),
        fake=lambda logits: _cross_entropy(logits, 0),
        generator=lambda logits: _cross_entropy(logits, 1),
    ),
    # Mao et al. 2017, arXiv:1611.04076, with the targets 1 and 0 of the authors' PyTorch code.
    "lsgan": GanLoss(
        real=lambda logits, smoothing=0.0: _square_distance(logits, 1 - smoothing),
        fake=lambda logits: _square_distance(logits, 0),
        generator=lambda logits: _square_distance(logits, 1),
    ),
    # Lim and Ye 2017, arXiv:1705.02894, as in Miyato et al. 2018, arXiv:1802.05957.
    "hinge": GanLoss(
        real=lambda logits, smoothing=0.0: F.relu(1 - smoothing - logits.float()).mean(),
        fake=lambda logits: F.relu(1 + logits.float()).mean(),
        generator=lambda logits: -logits.float().mean(),
    ),
}


# --- distances ----------------------------------------------------------------------------------------------------


def l1_loss(fake_b: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference of two pictures in [-1, 1]."""
    return (fake_b.float() - b.float()).abs().mean()


def feature_matching_loss(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Return how far the discriminator's activations for a generated pair are from those for the real one.

    Parameters
    ----------
    fake, real : sequence, for each scale, of sequences of Tensor
        As `features` of a discriminator gives them; the logits, which come last, are left out.

    Returns
    -------
    Tensor
        The mean over scales of the sum over layers of the mean absolute difference.

    References
    ----------
    Wang et al. 2018, arXiv:1711.11585, equation 4; the mean over scales is that of its authors' code.
    """
    layers = [pair for one in zip(fake, real, strict=True) for pair in zip(one[0][:-1], one[1][:-1], strict=True)]
    distances = [l1_loss(of_fake, of_real.detach()) for of_fake, of_real in layers]
    return torch.stack(distances).sum() / len(fake)


# --- penalties ----------------------------------------------------------------------------------------------------


def r1_penalty(judge: Callable[[Tensor], Sequence[Tensor]], b: Tensor) -> Tensor:
    """Return half the squared gradient of the discriminator's logits at real pictures B, A being given.

    A logit judges a patch: the gradient of the sum of all logits is divided by their number, so that the penalty does
    not grow with the picture.

    Parameters
    ----------
    judge : callable
        From B, (N, out_channels, H, W), to the logits of each scale.
    b : Tensor of shape (N, out_channels, H, W)

    Returns
    -------
    Tensor
        A scalar whose own gradient reaches the discriminator's weights.

    References
    ----------
    Mescheder et al. 2018, arXiv:1801.04406, equation 9, without its weight.
    """
    b = b.detach().requires_grad_()
    logits = judge(b)
    num_logits = sum(one[0].numel() for one in logits)  # for one picture
    total = torch.stack([one.float().sum() for one in logits]).sum()
    (gradient,) = torch.autograd.grad(total, b, create_graph=True)
    return gradient.square().sum() / (2 * num_logits * len(b))
