"""How much of its input a network's output pixel sees, computed from its layers."""

from __future__ import annotations

import math

from torch import nn

__all__ = ["receptive_field"]


def receptive_field(network: nn.Module) -> int:
    """Return the side, in pixels, of the square that one output pixel depends on.

    Norms count as pixel by pixel, though their statistics are of the whole picture. Where the square's side depends on
    the pixel, as behind layers that double the picture, the largest counts.

    Parameters
    ----------
    network : nn.Module
        Its `modules()` must be in the order in which they run. Layers that are skipped or added around, as in a U-Net
        and a ResNet, see no more than those between.

    Examples
    --------
    >>> receptive_field(nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 1, 4, 1, 1)))
    10
    """
    layers = list(network.modules())
    doublings = sum(isinstance(layer, (nn.ConvTranspose2d, nn.Upsample)) for layer in layers)
    widest = 0
    for pixel in range(2**doublings):
        first = last = pixel
        for layer in reversed(layers):
            first, last = _seen_by(layer, first, last)
        widest = max(widest, last - first + 1)
    return widest


def _seen_by(layer: nn.Module, first: int, last: int) -> tuple[int, int]:
    """Return the first and last input column of a layer that its output columns `first` to `last` depend on."""
    match layer:
        case nn.ConvTranspose2d(kernel_size=(kernel, _), stride=(stride, _), padding=(padding, _)):
            return math.ceil((first + padding - kernel + 1) / stride), (last + padding) // stride
        case nn.Conv2d(kernel_size=(kernel, _), stride=(stride, _), padding=(padding, _)):
            return first * stride - padding, last * stride - padding + kernel - 1
        case nn.Upsample():
            return first // 2, last // 2
        case nn.ReflectionPad2d(padding=(padding, *_)):
            return first - padding, last - padding
        case _:
            return first, last
