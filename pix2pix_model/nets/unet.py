"""The U-Net generator of pix2pix, at any depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pix2pix_data.errors import UsageError
from pix2pix_model.nets.convolutions import Conv2d
from pix2pix_model.nets.dropout import Dropout
from pix2pix_model.nets.layers import make_doubling
from pix2pix_model.nets.norms import has_no_bias, make_norm
from pix2pix_model.nets.spec import GENERATORS, GeneratorSpec

__all__ = ["UNet", "make_decoder", "make_encoder", "unet_depth"]

_MIN_DEPTH = 5  # widths reach 8 times the first at the fourth layer, and the bottleneck comes below
_LEAK = 0.2


def unet_depth(size_px: int) -> int:
    """Return how many times a picture is halved on the way to the bottleneck: until a side is odd.

    `size_px` is its side, or the largest number that divides both, such as 256 for 256x512.

    Examples
    --------
    >>> unet_depth(256), unet_depth(128), unet_depth(384)
    (8, 7, 7)

    Raises
    ------
    UsageError
        If that is fewer than five times.
    """
    depth = (size_px & -size_px).bit_length() - 1  # exponent of the largest power of 2 that divides the size
    if depth < _MIN_DEPTH:
        below, above = size_px // 32 * 32, -(-size_px // 32) * 32
        raise UsageError(
            f"a U-Net needs pictures whose sides are multiples of 32, not of {size_px}",
            where="data.crop_size",
            fix=f"choose {' or '.join(str(size) for size in (below, above) if size)}, or [height, width] of such",
        )
    return depth


def make_encoder(spec: GeneratorSpec) -> nn.ModuleList:
    """Return the layers that halve a picture down to the bottleneck; no norm in the first and the last."""
    depth, bias = unet_depth(spec.size_px), spec.bias and has_no_bias(spec.norm)
    encoder = nn.ModuleList()
    in_width = spec.in_channels
    for i, width in enumerate(_widths(spec)):
        activation = [nn.LeakyReLU(_LEAK)] if i > 0 else []
        norm = make_norm(spec.norm, width) if 0 < i < depth - 1 else []
        encoder.append(nn.Sequential(*activation, Conv2d(in_width, width, 4, 2, 1, bias=bias), *norm))
        in_width = width
    return encoder


def make_decoder(spec: GeneratorSpec, *, skips: bool) -> tuple[nn.ModuleList, nn.Sequential]:
    """Return the layers that double the bottleneck up to half the picture, and the last, which makes the picture.

    `skips` says that each layer is given as many channels again by a skip; the first one has none.
    """
    bias = spec.bias and has_no_bias(spec.norm)
    *widths, in_width = _widths(spec)
    with_dropout = range(1, len(widths) - 3) if spec.dropout_at == "pytorch" else range(3)
    decoder = nn.ModuleList()
    for i, width in enumerate(reversed(widths)):
        doubling = make_doubling(spec.upsample, in_width, width, kernel_px=4, bias=bias)
        dropout = [Dropout(spec.dropout)] if i in with_dropout and spec.dropout > 0 else []
        decoder.append(nn.Sequential(nn.ReLU(), *doubling, *make_norm(spec.norm, width), *dropout))
        in_width = 2 * width if skips else width
    doubling = make_doubling(spec.upsample, in_width, spec.out_channels, kernel_px=4, bias=spec.bias)
    return decoder, nn.Sequential(nn.ReLU(), *doubling, nn.Tanh())


def _widths(spec: GeneratorSpec) -> list[int]:
    return [spec.width * min(2**i, 8) for i in range(unet_depth(spec.size_px))]


@GENERATORS.register("unet")
class UNet(nn.Module):
    """Encoder and decoder with a skip between layers of one size.

    At 256 px: C64-C128-C256-C512-C512-C512-C512-C512, then CD512-CD512-CD512-C512-C256-C128-C64 and back to the
    picture. All convolutions are 4x4 with stride 2 and padding 1. With batch norm none has a bias but the last, since a
    norm follows or the authors keep it at 0.

    Parameters
    ----------
    spec : GeneratorSpec
        `dropout_at` "pytorch" drops in the decoder layers d2 to d(depth - 4), as the authors' PyTorch code does;
        "torch" in d1 to d3, as the paper and its Torch code do.

    References
    ----------
    Isola et al. 2017, arXiv:1611.07004, section 6.1; the erratum there removes the norm at the bottleneck.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.multiple_px = self.smallest_px = 2 ** unet_depth(spec.size_px)
        self.encoder = make_encoder(spec)
        self.decoder, self.to_picture = make_decoder(spec, skips=True)

    def forward(self, a: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]."""
        skips = []
        h = a
        for layer in self.encoder:
            h = layer(h)
            skips.append(h)
        h = skips.pop()  # (N, 8 * width, H / multiple_px, W / multiple_px)
        for layer in self.decoder:
            h = torch.cat((skips.pop(), layer(h)), 1)
        picture: Tensor = self.to_picture(h)
        return picture
