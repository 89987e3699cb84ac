"""The U-Net generator of pix2pix, at any depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pix2pix_data.errors import UsageError
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.nets.spec import GENERATORS, GeneratorSpec

__all__ = ["UNet", "unet_depth"]

_MIN_DEPTH = 5  # widths reach 8 times the first at the fourth layer, and the bottleneck comes below
_LEAK = 0.2


def unet_depth(size_px: int) -> int:
    """Return how many times a picture is halved on the way to the bottleneck: until its side is odd.

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
            f"a U-Net needs pictures whose side is a multiple of 32, not {size_px}",
            where="data.crop_size",
            fix=f"choose {' or '.join(str(size) for size in (below, above) if size)}",
        )
    return depth


@GENERATORS.register("unet")
class UNet(nn.Module):
    """Encoder and decoder with a skip between layers of one size.

    At 256 px: C64-C128-C256-C512-C512-C512-C512-C512, then CD512-CD512-CD512-C512-C256-C128-C64 and back to the
    picture. All convolutions are 4x4 with stride 2 and padding 1; none has a bias but the last, since a norm follows or
    the authors keep it at 0.

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
        depth = unet_depth(spec.size_px)
        self.multiple_px = 2**depth
        widths = [spec.width * min(2**i, 8) for i in range(depth)]
        with_dropout = range(1, depth - 4) if spec.dropout_at == "pytorch" else range(3)

        self.encoder = nn.ModuleList()
        for i, width in enumerate(widths):
            layers: list[nn.Module] = []
            if i > 0:
                layers.append(nn.LeakyReLU(_LEAK))
            layers.append(nn.Conv2d(widths[i - 1] if i else spec.in_channels, width, 4, 2, 1, bias=False))
            if 0 < i < depth - 1:
                layers.append(BatchNorm(width))
            self.encoder.append(nn.Sequential(*layers))

        self.decoder = nn.ModuleList()
        in_width = widths[-1]
        for i, width in enumerate(widths[-2::-1]):
            layers = [nn.ReLU(), nn.ConvTranspose2d(in_width, width, 4, 2, 1, bias=False), BatchNorm(width)]
            if i in with_dropout and spec.dropout > 0:
                layers.append(nn.Dropout(spec.dropout))
            self.decoder.append(nn.Sequential(*layers))
            in_width = 2 * width  # the skip comes beside it
        self.to_picture = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(in_width, spec.out_channels, 4, 2, 1), nn.Tanh())

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
