"""The PatchGAN discriminator of pix2pix, for any size of patch."""

from __future__ import annotations

from torch import Tensor, nn

from pix2pix_model.nets.layers import BatchNorm
from pix2pix_model.nets.spec import DISCRIMINATORS, DiscriminatorSpec

__all__ = ["PatchGAN"]

_LEAK = 0.2


@DISCRIMINATORS.register("patchgan")
class PatchGAN(nn.Module):
    """Says for each patch of a pair whether B is real.

    With 3 layers: C64-C128-C256-C512 and a last convolution to one channel, all 4x4; the first `layers` have stride 2.
    With 0 layers: three 1x1 convolutions, which judge single pixels. No norm in the first and the last.

    Parameters
    ----------
    spec : DiscriminatorSpec

    References
    ----------
    Isola et al. 2017, arXiv:1611.07004, sections 3.2.2 and 6.1.2; biases as in the authors' PyTorch code.
    """

    def __init__(self, spec: DiscriminatorSpec) -> None:
        super().__init__()
        if spec.layers == 0:
            self.layers = nn.Sequential(
                nn.Conv2d(spec.in_channels, spec.width, 1),
                nn.LeakyReLU(_LEAK),
                nn.Conv2d(spec.width, 2 * spec.width, 1, bias=False),
                BatchNorm(2 * spec.width),
                nn.LeakyReLU(_LEAK),
                nn.Conv2d(2 * spec.width, 1, 1, bias=False),
            )
            return
        layers: list[nn.Module] = [nn.Conv2d(spec.in_channels, spec.width, 4, 2, 1), nn.LeakyReLU(_LEAK)]
        in_width = spec.width
        for i in range(1, spec.layers + 1):
            width = spec.width * min(2**i, 8)
            stride = 2 if i < spec.layers else 1
            layers += [nn.Conv2d(in_width, width, 4, stride, 1, bias=False), BatchNorm(width), nn.LeakyReLU(_LEAK)]
            in_width = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(in_width, 1, 4, 1, 1))

    @property
    def receptive_field(self) -> int:
        """Side of the patch behind one logit, in pixels: 1, 16, 34, 70, 142, 286 for 0 to 5 layers."""
        side = 1
        for convolution in reversed([layer for layer in self.layers if isinstance(layer, nn.Conv2d)]):
            side = (side - 1) * convolution.stride[0] + convolution.kernel_size[0]
        return side

    def forward(self, pair: Tensor) -> Tensor:
        """Map A and B, concatenated to (N, in_channels, H, W) in [-1, 1], to logits (N, 1, h, w)."""
        logits: Tensor = self.layers(pair)
        return logits
