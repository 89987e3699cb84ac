"""What all networks share: doubling a picture, how weights begin, and their count."""

from __future__ import annotations

from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from pix2pix_model.nets.convolutions import Conv2d, ConvTranspose2d
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.nets.spec import Upsample

__all__ = ["initialise", "limit_gains", "make_doubling", "num_parameters"]


def make_doubling(
    upsample: Upsample, in_channels: int, out_channels: int, *, kernel_px: Literal[3, 4], bias: bool
) -> list[nn.Module]:
    """Return the layers that double height and width.

    "transposed" is the authors' convolution of stride 2. "resize" repeats each pixel and convolves by 3x3: every
    output pixel then has as many inputs, which leaves no checkerboard.

    References
    ----------
    Odena et al. 2016, Deconvolution and Checkerboard Artifacts, doi:10.23915/distill.00003.
    """
    if upsample == "resize":
        return [nn.Upsample(scale_factor=2), Conv2d(in_channels, out_channels, 3, 1, 1, bias=bias)]
    exactly_double = 4 - kernel_px
    return [ConvTranspose2d(in_channels, out_channels, kernel_px, 2, 1, exactly_double, bias=bias)]


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


def limit_gains(network: nn.Module) -> None:
    """Divide each convolution's weights by their largest singular value from now on (spectral norm).

    To be called after `initialise`: its first estimate is of the weights that it meets.

    References
    ----------
    Miyato et al. 2018, arXiv:1802.05957.
    """
    for module in list(network.modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(module)


def num_parameters(network: nn.Module) -> int:
    """Count trained numbers."""
    return sum(parameter.numel() for parameter in network.parameters())
