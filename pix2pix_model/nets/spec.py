"""What a network is told when it is built, and the two registries it is filed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field
from torch import nn

from pix2pix_data.registry import Registry

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "DiscriminatorSpec",
    "DropoutAt",
    "GeneratorSpec",
    "NormName",
    "SidesTaken",
    "Upsample",
    "sides_taken",
]

DropoutAt: TypeAlias = Literal["pytorch", "torch"]
NormName: TypeAlias = Literal["batch", "instance", "sync", "none", "instance_affine"]
Upsample: TypeAlias = Literal["transposed", "resize"]


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """What a generator is built from.

    Attributes
    ----------
    size_px : int
        Side of the square pictures that it trains on, or what divides both sides of others; networks whose depth
        follows the size read it.
    in_channels, out_channels : int
        Channels of A and of B.
    width : int
        Channels of the first layer; the others are multiples of it.
    blocks : int
        Residual blocks, where the architecture has them.
    norm : {"batch", "instance", "sync", "none", "instance_affine"}
        The last, an instance norm with scale and shift, is met in weights of others alone.
    upsample : {"transposed", "resize"}
        How the picture is doubled on the way out.
    dropout : float
        Probability that an activation is dropped, where the architecture has dropout.
    dropout_at : {"pytorch", "torch"}
        Which reference code's layers have it.
    bias : bool
        False leaves every convolution without a bias, as in Torch, which sets all of them to 0 before each step; True
        gives one to those that have it in PyTorch.
    """

    size_px: Annotated[int, Field(ge=1)] = 256
    in_channels: Annotated[int, Field(ge=1)] = 3
    out_channels: Annotated[int, Field(ge=1)] = 3
    width: Annotated[int, Field(ge=1)] = 64
    blocks: Annotated[int, Field(ge=0, le=256)] = 9
    norm: NormName = "batch"
    upsample: Upsample = "transposed"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    dropout_at: DropoutAt = "pytorch"
    bias: bool = True


@dataclass(frozen=True, slots=True)
class DiscriminatorSpec:
    """What a discriminator is built from.

    Attributes
    ----------
    size_px : int
        Shorter side of the pictures that it trains on: none smaller than it can judge is accepted.
    in_channels : int
        Channels of what it judges: A and B together, or B alone.
    width : int
        Channels of the first layer.
    patch : int
        Side of the patch that a logit judges, in pixels of the largest scale.
    scales : int
        How many sizes of the pictures are judged, each half of the one before.
    norm : {"batch", "instance", "sync", "none"}
    bias : bool
        As the generator's.
    """

    size_px: int = 256
    in_channels: int = 6
    width: int = 64
    patch: int = 70
    scales: int = 1
    norm: NormName = "batch"
    bias: bool = True


class SidesTaken(NamedTuple):
    """What height and width a generator takes, in pixels: multiples of the one, and no less than the other."""

    multiple_px: int
    smallest_px: int


def sides_taken(generator: nn.Module) -> SidesTaken:
    """Read a generator's attributes `multiple_px` and `smallest_px`, which every one has."""
    return SidesTaken(int(generator.multiple_px), int(generator.smallest_px))  # type: ignore[arg-type]


# A generator maps (N, in_channels, H, W) to (N, out_channels, H, W), all in [-1, 1]. In eval() it must behave as a
# finished model does. Its attributes `multiple_px` and `smallest_px` say what H and W must be multiples of, and at
# least.
GENERATORS = Registry[Callable[[GeneratorSpec], nn.Module]]("generator", "pix2pix_model.generators")

# A discriminator maps (N, in_channels, H, W) to a list of logits (N, 1, h, w), one for each scale: above 0 means real.
# Its method `features` gives, for each scale, what every layer makes of the input, the logits last.
DISCRIMINATORS = Registry[Callable[[DiscriminatorSpec], nn.Module]]("discriminator", "pix2pix_model.discriminators")
