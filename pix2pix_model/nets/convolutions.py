"""Convolutions that are quick at both ends of a U-Net: matrix products in its depth, and where it makes the picture.

oneDNN rearranges the weights at every call, which is most of its time when they are millions for a handful of places;
and it works on blocks of many channels, of which a picture fills three. The sums are the same ones; only their order
differs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pix2pix_model.nets.products import product

__all__ = ["Conv2d", "ConvTranspose2d"]

_MOST_PLACES = 256
"""Places of the smaller map, over the batch, up to which a product is quicker.

Forward and backward at width 64 on one thread, convolution and product: of the transposed convolutions from 1024 maps
21 and 8 ms on 4 places, 24 and 10 on 16, 36 and 22 on 64, 84 and 70 on 256; of the convolutions 9 and 3, 12 and 5, 17
and 12, 43 and 41. On 1,024 places the convolution is quicker.
"""


class Conv2d(nn.Conv2d):
    """torch's convolution; on a CPU a matrix product where it gives few places."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Map (N, in_channels, H, W) to (N, out_channels, h, w)."""
        height, width = (
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(
                input.shape[2:], _numbers(self.padding), self.kernel_size, self.stride, strict=True
            )
        )
        if not (_can_be_product(self, input) and _has_few_places(len(input), height, width)):
            return super().forward(input)
        columns = F.unfold(input, self.kernel_size, padding=_numbers(self.padding), stride=self.stride)
        rows = columns.transpose(1, 2).flatten(0, 1)  # (N * h * w, in_channels * kernel places)
        made = product(rows, self.weight.flatten(1).t())  # (N * h * w, out_channels)
        made = made if self.bias is None else made + self.bias
        return made.view(len(input), height, width, -1).permute(0, 3, 1, 2).contiguous()


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's transposed convolution; on a CPU, where it is quick, a matrix product, its parts laid over each other."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002
        """Map (N, in_channels, H, W) to (N, out_channels, h, w)."""
        weights = self.weight.flatten(1)  # (in_channels, out_channels * kernel places)
        height, width = input.shape[2:]
        makes_few = weights.shape[1] < self.in_channels  # 12 ms become 5 where a U-Net of width 64 makes the picture
        can_be_product = output_size is None and _can_be_product(self, input)
        if not (can_be_product and (makes_few or _has_few_places(len(input), height, width))):
            return super().forward(input, output_size)
        if makes_few:
            columns = torch.stack([product(weights.t(), maps) for maps in input.flatten(2)])
        else:  # the weights, which are many, stay as they lie
            parts = product(input.flatten(2).transpose(1, 2).flatten(0, 1), weights)  # (N * H * W, ...)
            columns = parts.view(len(input), height * width, -1).transpose(1, 2)
        padding = _numbers(self.padding)
        rows_out, columns_out = (
            (size - 1) * stride - 2 * padded + kernel + further
            for size, stride, padded, kernel, further in zip(
                (height, width), self.stride, padding, self.kernel_size, self.output_padding, strict=True
            )
        )
        laid = F.fold(columns, (rows_out, columns_out), self.kernel_size, padding=padding, stride=self.stride)
        return laid if self.bias is None else laid + self.bias[:, None, None]


def _has_few_places(num: int, height: int, width: int) -> bool:
    return num * height * width <= _MOST_PLACES


def _can_be_product(layer: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    """Say whether a product is the same, and wanted; an exported or compiled network is left as it is.

    To be asked first: sizes of an exported network are symbols, and to compare one would tie the file to the answer.
    """
    return (
        x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and layer.groups == 1
        and set(layer.dilation) == {1}
        and layer.padding_mode == "zeros"
    )


def _numbers(padding: str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(padding, str), "these layers know no padding by name"
    return padding
