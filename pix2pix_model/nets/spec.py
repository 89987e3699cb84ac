"""What a network is told when it is built, and the two registries it is filed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import nn

from pix2pix_data.registry import Registry

__all__ = ["DISCRIMINATORS", "GENERATORS", "DiscriminatorSpec", "DropoutAt", "GeneratorSpec"]

DropoutAt: TypeAlias = Literal["pytorch", "torch"]


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """What a generator is built from.

    Attributes
    ----------
    size_px : int
        Side of the square pictures that it trains on; networks whose depth follows the size read it.
    in_channels, out_channels : int
        Channels of A and of B.
    width : int
        Channels of the first layer; the others are multiples of it.
    dropout : float
        Probability that an activation is dropped, where the architecture has dropout.
    dropout_at : {"pytorch", "torch"}
        Which reference code's layers have it.
    """

    size_px: int = 256
    in_channels: int = 3
    out_channels: int = 3
    width: int = 64
    dropout: float = 0.5
    dropout_at: DropoutAt = "pytorch"


@dataclass(frozen=True, slots=True)
class DiscriminatorSpec:
    """What a discriminator is built from.

    Attributes
    ----------
    in_channels : int
        Channels of A and B together: it always judges the pair.
    width : int
        Channels of the first layer.
    layers : int
        How many times it halves its input; 0 judges single pixels.
    """

    in_channels: int = 6
    width: int = 64
    layers: int = 3


# A generator maps (N, in_channels, H, W) to (N, out_channels, H, W), all in [-1, 1]. In eval() it must behave as a
# finished model does, and its attribute `multiple_px` says what H and W must be multiples of.
GENERATORS = Registry[Callable[[GeneratorSpec], nn.Module]]("generator", "pix2pix_model.generators")

# A discriminator maps (N, in_channels, H, W) to logits (N, 1, h, w): above 0 means real.
DISCRIMINATORS = Registry[Callable[[DiscriminatorSpec], nn.Module]]("discriminator", "pix2pix_model.discriminators")
