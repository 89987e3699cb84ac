"""The network of the small edge detector: an encoder, a decoder, and a map from each of its levels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["DECODER", "ENCODER", "MEAN", "STD", "STRIDE", "EdgeNetwork", "fold"]

MEAN = (123.7, 116.3, 103.5)
STD = (58.4, 57.1, 57.4)
"""ImageNet's, in 0 to 255; any others would do, as the network has seen no ImageNet."""

STRIDE = 16
"""The sides of an input are multiples of it, in pixels."""

ENCODER = (48, 96, 80, 64)
DECODER = (48, 32, 32, 32)
_NUM_DENSE_BLOCKS = (1, 2, 2)
_DILATIONS = (1, 2, 4, 1)
_HEAD_STD = 0.01


class EdgeNetwork(nn.Module):
    """See edges in photos, with 850 thousand parameters of plain convolutions.

    The encoder works at 1/2, 1/4, 1/8 and 1/16 of the photo. The decoder adds each finer level to the coarser ones.
    The map comes out of the 1/2 level by a pixel shuffle: nothing runs at full resolution, which is what costs in HED.

    Parameters
    ----------
    encoder, decoder : sequence of int
        Channels of the four levels, the finest first.
    norms : bool
        Without them each convolution has a bias instead: what is left once the norms are folded.

    References
    ----------
    Xie and Tu 2015, arXiv:1504.06375 (side outputs, each with its own loss); Lin et al. 2017, arXiv:1612.03144
    (top-down decoder); Shi et al. 2016, arXiv:1609.05158 (pixel shuffle).
    """

    def __init__(
        self, encoder: Sequence[int] = ENCODER, decoder: Sequence[int] = DECODER, *, norms: bool = True
    ) -> None:
        super().__init__()
        self.stem = _convolution(3, encoder[0], kernel=5, stride=2)
        self.levels = nn.ModuleList()
        for level, channels in enumerate(encoder):
            down = [_convolution(encoder[level - 1], channels, stride=2)] if level else []
            blocks = (
                [_dense_block(channels) for _ in range(_NUM_DENSE_BLOCKS[level])]
                if level < len(_NUM_DENSE_BLOCKS)
                else [_separable_block(channels, dilation) for dilation in _DILATIONS]
            )
            self.levels.append(nn.Sequential(*down, *blocks))
        self.lateral = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(encoder, decoder, strict=True))
        self.top_down = nn.ModuleList(
            nn.Identity() if level and coarse == fine else nn.Conv2d(coarse, fine, 1)
            for level, (fine, coarse) in enumerate(itertools.pairwise(decoder))
        )
        self.mix = nn.ModuleList(_convolution(channels, channels) for channels in decoder)
        self.side = nn.ModuleList(nn.Conv2d(channels, 1, 1) for channels in decoder)
        self.head = nn.Conv2d(decoder[0], 4, 3, padding=1)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        for last in [*self.side, self.head]:
            nn.init.normal_(last.weight, std=_HEAD_STD)
            nn.init.zeros_(last.bias)
        if not norms:
            fold(self)

    def forward(self, photos: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Map photos (N, 3, H, W), float32 in [0, 255], to logits of an edge (N, 1, H, W) and, in training, its sides.

        The sides are logits at 1/2, 1/4, 1/8 and 1/16 of the size.
        """
        features = []
        x = self.stem((photos - self.mean) / self.std)
        for level in self.levels:
            x = level(x)
            features.append(x)
        merged = self.mix[-1](F.relu(self.lateral[-1](features[-1])))
        sides = [self.side[-1](merged)] if self.training else []
        for i in reversed(range(len(features) - 1)):
            up = F.interpolate(self.top_down[i](merged), scale_factor=2.0, mode="bilinear", align_corners=False)
            merged = self.mix[i](F.relu(self.lateral[i](features[i]) + up))
            if self.training:
                sides.insert(0, self.side[i](merged))
        return F.pixel_shuffle(self.head(merged), 2), sides


def fold(module: nn.Module) -> None:
    """Fold each batch norm, as it stands, into the convolution before it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and len(child) > 1 and isinstance(child[1], nn.BatchNorm2d):
            conv = child[0]
            assert isinstance(conv, nn.Conv2d)
            setattr(module, name, nn.Sequential(fuse_conv_bn_eval(conv.eval(), child[1].eval()), *child[2:]))
        else:
            fold(child)


class _Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


def _convolution(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    *,
    relu: bool = True,
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def _dense_block(channels: int) -> _Residual:
    return _Residual(_convolution(channels, channels), _convolution(channels, channels, relu=False))


def _separable_block(channels: int, dilation: int) -> _Residual:
    return _Residual(
        _convolution(channels, channels, dilation=dilation, groups=channels),
        _convolution(channels, channels, kernel=1, relu=False),
    )
