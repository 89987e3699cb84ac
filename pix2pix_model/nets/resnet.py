"""The ResNet generator of the authors' PyTorch code, with any number of residual blocks."""

from __future__ import annotations

from torch import Tensor, nn

from pix2pix_data.errors import UsageError
from pix2pix_model.nets.dropout import Dropout
from pix2pix_model.nets.layers import make_doubling
from pix2pix_model.nets.norms import has_no_bias, make_norm
from pix2pix_model.nets.spec import GENERATORS, GeneratorSpec

__all__ = ["ResNet"]


class _Block(nn.Module):
    def __init__(self, width: int, spec: GeneratorSpec) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width, 3, spec),
            *([Dropout(spec.dropout)] if spec.dropout > 0 else []),
            *_convolution(width, width, 3, spec)[:-1],
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.layers(x)
        return x + changed


@GENERATORS.register("resnet")
class ResNet(nn.Module):
    """Halves a picture twice, changes it by residual blocks, and doubles it twice: c7s1-64, d128, d256, R256 x blocks,
    u128, u64, c7s1-3.

    Borders are mirrored where nothing is halved or doubled. Dropout is in the middle of every block; the authors'
    pix2pix has it on unless told otherwise.

    Parameters
    ----------
    spec : GeneratorSpec
        `dropout_at` means nothing here.

    Raises
    ------
    UsageError
        If `size_px` cannot be halved twice.

    References
    ----------
    Johnson et al. 2016, arXiv:1603.08155; names of layers as in Zhu et al. 2017, arXiv:1703.10593, section 7.2.
    """

    multiple_px = 4
    smallest_px = 8  # two pixels at the blocks: one has no neighbour to mirror

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        if spec.size_px % self.multiple_px:
            nearest_px = round(spec.size_px / self.multiple_px) * self.multiple_px
            raise UsageError(
                f"a ResNet needs pictures whose sides are multiples of 4, not of {spec.size_px}",
                where="data.crop_size",
                fix=f"choose {nearest_px}, or [height, width] of such",
            )
        width, bias = spec.width, spec.bias and has_no_bias(spec.norm)
        layers = _convolution(spec.in_channels, width, 7, spec)
        for _ in range(2):
            halving = nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias)
            layers += [halving, *make_norm(spec.norm, 2 * width), nn.ReLU()]
            width *= 2
        layers += [_Block(width, spec) for _ in range(spec.blocks)]
        for _ in range(2):
            doubling = make_doubling(spec.upsample, width, width // 2, kernel_px=3, bias=bias)
            layers += [*doubling, *make_norm(spec.norm, width // 2), nn.ReLU()]
            width //= 2
        to_picture = (nn.ReflectionPad2d(3), nn.Conv2d(width, spec.out_channels, 7, bias=spec.bias), nn.Tanh())
        self.layers = nn.Sequential(*layers, *to_picture)

    def forward(self, a: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]; H and W multiples of 4, from 8 px."""
        picture: Tensor = self.layers(a)
        return picture


def _convolution(in_width: int, width: int, kernel_px: int, spec: GeneratorSpec) -> list[nn.Module]:
    """Return a convolution that keeps the size, with its norm and ReLU."""
    return [
        nn.ReflectionPad2d(kernel_px // 2),
        nn.Conv2d(in_width, width, kernel_px, bias=spec.bias and has_no_bias(spec.norm)),
        *make_norm(spec.norm, width),
        nn.ReLU(),
    ]
