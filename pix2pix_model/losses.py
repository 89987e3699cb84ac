"""The losses: what the discriminator's logits should be, and how far G(A) is from B. All in float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

__all__ = ["GAN_LOSSES", "GanLoss", "l1_loss"]


@dataclass(frozen=True, slots=True)
class GanLoss:
    """A GAN loss, as three functions from logits of any shape to a mean.

    Attributes
    ----------
    real, fake : callable
        What the discriminator pays for its logits of real and of generated pairs.
    generator : callable
        What the generator pays for the discriminator's logits of its pairs.
    """

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def _should_be_real(logits: Tensor) -> Tensor:
    return F.softplus(-logits.float()).mean()  # -log sigmoid(x), without overflow


def _should_be_fake(logits: Tensor) -> Tensor:
    return F.softplus(logits.float()).mean()  # -log(1 - sigmoid(x))


GAN_LOSSES = {
    # Goodfellow et al. 2014, arXiv:1406.2661, with the generator's non-saturating form as in pix2pix.
    "vanilla": GanLoss(real=_should_be_real, fake=_should_be_fake, generator=_should_be_real),
}


def l1_loss(fake_b: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference of two pictures in [-1, 1]."""
    return (fake_b.float() - b.float()).abs().mean()
