"""The PatchGAN discriminator of pix2pix, for any size of patch and any number of scales."""

from __future__ import annotations

from torch import Tensor, nn

from pix2pix_data.errors import UsageError
from pix2pix_model.nets.norms import has_no_bias, make_norm
from pix2pix_model.nets.spec import DISCRIMINATORS, DiscriminatorSpec

__all__ = ["PatchGAN"]

_LEAK = 0.2
_NUM_HALVINGS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}  # of a patch's side, in pixels


@DISCRIMINATORS.register("patchgan")
class PatchGAN(nn.Module):
    """Says for each patch of a pair whether B is real.

    For 70 px: C64-C128-C256-C512 and a last convolution to one channel, all 4x4; the first three halve the picture.
    For 1 px: three 1x1 convolutions. No norm in the first and the last. With several scales, each has weights of its
    own, and sees the pair half as large as the one before.

    Parameters
    ----------
    spec : DiscriminatorSpec

    Raises
    ------
    UsageError
        If there is no such patch, or the smallest scale is too small for one.

    References
    ----------
    Isola et al. 2017, arXiv:1611.07004, sections 3.2.2 and 6.1.2; biases as in the authors' PyTorch code.
    Wang et al. 2018, arXiv:1711.11585, section 3.2 (scales).
    """

    def __init__(self, spec: DiscriminatorSpec) -> None:
        super().__init__()
        _check_size(spec)
        self.scales = nn.ModuleList(
            _pixel_layers(spec) if spec.patch == 1 else _layers(spec) for _ in range(spec.scales)
        )
        self.halve = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, pair: Tensor) -> list[Tensor]:
        """Map A and B, concatenated to (N, in_channels, H, W) in [-1, 1], to logits (N, 1, h, w) for each scale."""
        return [activations[-1] for activations in self.features(pair)]

    def features(self, pair: Tensor) -> list[list[Tensor]]:
        """Return for each scale what every layer makes of (N, in_channels, H, W), the logits (N, 1, h, w) last."""
        of_scales = []
        for i, layers in enumerate(self.scales):
            h = pair = self.halve(pair) if i > 0 else pair
            activations = []
            for layer in layers:  # type: ignore[attr-defined]
                h = layer(h)
                activations.append(h)
            of_scales.append(activations)
        return of_scales


def _layers(spec: DiscriminatorSpec) -> nn.Sequential:
    num_halvings, bias = _NUM_HALVINGS[spec.patch], spec.bias and has_no_bias(spec.norm)
    layers = [nn.Sequential(nn.Conv2d(spec.in_channels, spec.width, 4, 2, 1, bias=spec.bias), nn.LeakyReLU(_LEAK))]
    in_width = spec.width
    for i in range(1, num_halvings + 1):
        width = spec.width * min(2**i, 8)
        stride = 2 if i < num_halvings else 1
        convolution = nn.Conv2d(in_width, width, 4, stride, 1, bias=bias)
        layers.append(nn.Sequential(convolution, *make_norm(spec.norm, width), nn.LeakyReLU(_LEAK)))
        in_width = width
    return nn.Sequential(*layers, nn.Conv2d(in_width, 1, 4, 1, 1, bias=spec.bias))


def _pixel_layers(spec: DiscriminatorSpec) -> nn.Sequential:
    width, bias = 2 * spec.width, spec.bias and has_no_bias(spec.norm)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(spec.in_channels, spec.width, 1, bias=spec.bias), nn.LeakyReLU(_LEAK)),
        nn.Sequential(nn.Conv2d(spec.width, width, 1, bias=bias), *make_norm(spec.norm, width), nn.LeakyReLU(_LEAK)),
        nn.Conv2d(width, 1, 1, bias=bias),
    )


def _check_size(spec: DiscriminatorSpec) -> None:
    if spec.patch not in _NUM_HALVINGS:
        known = ", ".join(map(str, _NUM_HALVINGS))
        raise UsageError(
            f"there is no patch of {spec.patch} px", where="discriminator.patch", fix=f"choose from {known}"
        )
    smallest_px = 2 ** (spec.scales - 1) * 3 * 2 ** _NUM_HALVINGS[spec.patch]  # the last two layers take a pixel each
    if spec.patch > 1 and spec.size_px < smallest_px:
        of_scales = f" at {spec.scales} scales" if spec.scales > 1 else ""
        raise UsageError(
            f"patches of {spec.patch} px{of_scales} need pictures of at least {smallest_px} px, not {spec.size_px}",
            where="discriminator.patch",
            fix="choose smaller patches, fewer scales, or a larger data.crop_size",
        )
