"""The networks of both reference codes, as plain functions of a flat dictionary of weights.

Written from descriptions of phillipi/pix2pix (Torch) and junyanz/pytorch-CycleGAN-and-pix2pix (PyTorch), with nothing
of `pix2pix_model` in it: what it is there to check must not be what it is made of. Norms are written out, convolutions
are those of `torch.nn.functional`.

Names of weights: layer "e1" has "e1.weight", maybe "e1.bias", and its norm "e1.scale" and "e1.shift".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Weights: TypeAlias = dict[str, Tensor]
Shapes: TypeAlias = dict[str, tuple[int, ...]]
Norm: TypeAlias = Literal["batch", "instance"]
Reference: TypeAlias = Literal["torch", "pytorch"]

_EPSILON = 1e-5  # of batch and instance norm, in Torch and in PyTorch
_SLOPE = 0.2  # of every leaky ReLU
_DROPOUT = 0.5


@dataclass(frozen=True)
class Dropout:
    """Where a decoder drops out: PyTorch's innermost decoder layer has none, Torch's first three have it."""

    layers: tuple[int, ...]

    @classmethod
    def of(cls, reference: Reference, levels: int) -> Dropout:
        return cls((1, 2, 3) if reference == "torch" else tuple(range(2, levels - 3)))


NO_DROPOUT = Dropout(())


# --- layers -------------------------------------------------------------------------------------------------------


def batch_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Normalise by the statistics of this batch: in training and, in both references, when testing too."""
    return _normalised(x, over=(0, 2, 3)) * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)


def instance_norm(x: Tensor) -> Tensor:
    """Normalise each picture's channels by themselves; no scale and shift in either reference."""
    return _normalised(x, over=(2, 3))


def _normalised(x: Tensor, *, over: tuple[int, ...]) -> Tensor:
    mean = x.mean(over, keepdim=True)
    variance = ((x - mean) ** 2).mean(over, keepdim=True)  # divided by N, not N - 1
    return (x - mean) / torch.sqrt(variance + _EPSILON)


def _norm(w: Weights, layer: str, x: Tensor) -> Tensor:
    """Batch norm where the layer has scale and shift, else instance norm."""
    return batch_norm(x, w[f"{layer}.scale"], w[f"{layer}.shift"]) if f"{layer}.scale" in w else instance_norm(x)


def _conv(w: Weights, layer: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(x, w[f"{layer}.weight"], w.get(f"{layer}.bias"), stride=stride, padding=padding)


def _down(w: Weights, layer: str, x: Tensor) -> Tensor:
    return _conv(w, layer, x, stride=2, padding=1)  # (N, C, H, W) -> (N, C', H / 2, W / 2)


def _up(w: Weights, layer: str, x: Tensor) -> Tensor:
    return F.conv_transpose2d(x, w[f"{layer}.weight"], w.get(f"{layer}.bias"), stride=2, padding=1)


# --- generators ---------------------------------------------------------------------------------------------------


def unet(
    w: Weights, a: Tensor, *, levels: int, reference: Reference, skips: bool = True, dropout: Dropout = NO_DROPOUT
) -> Tensor:
    """Compute the U-Net; with `skips=False` the encoder-decoder.

    Parameters
    ----------
    w : Weights
    a : Tensor of shape (N, in_channels, H, W)
    levels : int
        8 for 256 pixels, 7 for 128.
    reference : "torch" or "pytorch"
        Torch lays the decoder's channels before the encoder's at a skip, PyTorch after them.
    skips : bool
    dropout : Dropout

    Returns
    -------
    Tensor of shape (N, out_channels, H, W), in [-1, 1]
    """
    encoded = [_down(w, "e1", a)]
    for level in range(2, levels + 1):
        x = _down(w, f"e{level}", F.leaky_relu(encoded[-1], _SLOPE))
        encoded.append(x if level == levels else _norm(w, f"e{level}", x))  # the bottleneck has no norm
    x = encoded.pop()
    for layer in range(1, levels):
        x = _norm(w, f"d{layer}", _up(w, f"d{layer}", F.relu(x)))
        if layer in dropout.layers:
            x = F.dropout(x, _DROPOUT)
        kept = encoded.pop()
        if skips:
            x = torch.cat([x, kept] if reference == "torch" else [kept, x], dim=1)
    return torch.tanh(_up(w, f"d{levels}", F.relu(x)))


def resnet(w: Weights, a: Tensor, *, blocks: int, dropout: bool = False) -> Tensor:
    """Compute the ResNet generator of the PyTorch code: c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3."""
    x = F.relu(_norm(w, "c1", _conv(w, "c1", _reflected(a, 3))))
    for layer in ("c2", "c3"):
        x = F.relu(_norm(w, layer, _down(w, layer, x)))
    for block in range(1, blocks + 1):
        first, second = f"r{block}a", f"r{block}b"
        y = F.relu(_norm(w, first, _conv(w, first, _reflected(x, 1))))
        if dropout:
            y = F.dropout(y, _DROPOUT)
        x = x + _norm(w, second, _conv(w, second, _reflected(y, 1)))
    for layer in ("u1", "u2"):
        kernel, bias = w[f"{layer}.weight"], w.get(f"{layer}.bias")
        x = F.relu(_norm(w, layer, F.conv_transpose2d(x, kernel, bias, stride=2, padding=1, output_padding=1)))
    return torch.tanh(_conv(w, "c4", _reflected(x, 3)))


def _reflected(x: Tensor, border: int) -> Tensor:
    return F.pad(x, (border, border, border, border), mode="reflect")


# --- discriminators -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PatchLayer:
    """One layer of a PatchGAN: a convolution, maybe a norm, maybe a leaky ReLU."""

    name: str
    kernel: int
    stride: int
    multiple: int  # output channels by the network's width; 0 for the one logit
    has_norm: bool

    @property
    def padding(self) -> int:
        return 1 if self.kernel == 4 else 0

    @property
    def is_last(self) -> bool:
        return self.multiple == 0


def patch_layers(num: int) -> Iterator[PatchLayer]:
    """List the layers of the discriminator with `n_layers` = num; 0 is the pixel discriminator."""
    if num == 0:
        yield PatchLayer("c1", 1, 1, 1, has_norm=False)
        yield PatchLayer("c2", 1, 1, 2, has_norm=True)
        yield PatchLayer("c3", 1, 1, 0, has_norm=False)
        return
    yield PatchLayer("c1", 4, 2, 1, has_norm=False)
    for i in range(1, num):
        yield PatchLayer(f"c{i + 1}", 4, 2, min(2**i, 8), has_norm=True)
    yield PatchLayer(f"c{num + 1}", 4, 1, min(2**num, 8), has_norm=True)
    yield PatchLayer(f"c{num + 2}", 4, 1, 0, has_norm=False)


@dataclass(frozen=True)
class Kept:
    """What a layer keeps of its forward pass for a backward pass later."""

    layer: PatchLayer
    given: Tensor
    convolved: Tensor
    normed: Tensor


def patchgan(w: Weights, ab: Tensor, *, num: int, keep: list[Kept] | None = None) -> Tensor:
    """Compute the discriminator's logits; the references' Sigmoid, where there is one, belongs to the losses here.

    Parameters
    ----------
    w : Weights
    ab : Tensor of shape (N, in_channels, H, W)
        The condition's channels before the target's.
    num : int
        As in `patch_layers`.
    keep : list of Kept, optional
        Takes what each layer saw, in order.

    Returns
    -------
    Tensor of shape (N, 1, H', W')
    """
    x = ab
    for layer in patch_layers(num):
        convolved = _conv(w, layer.name, x, stride=layer.stride, padding=layer.padding)
        normed = _norm(w, layer.name, convolved) if layer.has_norm else convolved
        if keep is not None:
            keep.append(Kept(layer, x, convolved, normed))
        x = normed if layer.is_last else F.leaky_relu(normed, _SLOPE)
    return x


def gradient_at_input(w: Weights, kept: list[Kept], gradient: Tensor) -> Tensor:
    """Bring a gradient at the logits back to the input: with the weights given, at the activations that were kept.

    Where the weights have changed since the forward pass, this is what Torch7's `updateGradInput` does: modules hold
    the outputs (and a batch norm the statistics) of their last forward pass, and read their weights anew.

    Parameters
    ----------
    w : Weights
        With batch norm.
    kept : list of Kept
        From `patchgan`.
    gradient : Tensor of shape (N, 1, H', W')

    Returns
    -------
    Tensor of shape (N, in_channels, H, W)
    """
    for one in reversed(kept):
        layer = one.layer
        if not layer.is_last:
            gradient = torch.where(one.normed > 0, gradient, _SLOPE * gradient)
        if layer.has_norm:
            gradient = _through_batch_norm(one.convolved, w[f"{layer.name}.scale"], gradient)
        kernel, size = w[f"{layer.name}.weight"], list(one.given.shape)
        gradient = torch.nn.grad.conv2d_input(size, kernel, gradient, stride=layer.stride, padding=layer.padding)
    return gradient


def _through_batch_norm(x: Tensor, scale: Tensor, gradient: Tensor) -> Tensor:
    """Differentiate `batch_norm`: Ioffe and Szegedy 2015, arXiv:1502.03167, section 3."""
    over = (0, 2, 3)
    deviation = torch.sqrt(x.var(over, correction=0, keepdim=True) + _EPSILON)
    normalised = (x - x.mean(over, keepdim=True)) / deviation
    common = gradient.mean(over, keepdim=True)
    along = normalised * (gradient * normalised).mean(over, keepdim=True)
    return scale.view(1, -1, 1, 1) / deviation * (gradient - common - along)


# --- shapes and values of weights ---------------------------------------------------------------------------------


def unet_shapes(
    *, levels: int, width: int, in_channels: int = 3, out_channels: int = 3, skips: bool = True, bias: bool
) -> Shapes:
    """Give the shapes of a U-Net with batch norm; `bias` puts one on the last layer, the only one that PyTorch has."""
    widths = [min(2**level, 8) * width for level in range(levels)]
    shapes: Shapes = {}
    before = in_channels
    for level, after in enumerate(widths, start=1):
        shapes[f"e{level}.weight"] = (after, before, 4, 4)
        if 1 < level < levels:
            shapes |= _norm_shapes(f"e{level}", after)
        before = after
    for layer, after in enumerate([*reversed(widths[:-1]), out_channels], start=1):
        shapes[f"d{layer}.weight"] = (before, after, 4, 4)  # a transposed convolution has its inputs first
        if layer < levels:
            shapes |= _norm_shapes(f"d{layer}", after)
        before = 2 * after if skips else after
    if bias:
        shapes[f"d{levels}.bias"] = (out_channels,)
    return shapes


def resnet_shapes(*, blocks: int, width: int, in_channels: int = 3, out_channels: int = 3, norm: Norm) -> Shapes:
    """Give the shapes of a ResNet: batch norm brings scale and shift, instance norm biases in their place."""
    layers = [("c1", (width, in_channels, 7, 7), width)]
    layers += [("c2", (2 * width, width, 3, 3), 2 * width), ("c3", (4 * width, 2 * width, 3, 3), 4 * width)]
    for name in (f"r{block}{part}" for block in range(1, blocks + 1) for part in "ab"):
        layers.append((name, (4 * width, 4 * width, 3, 3), 4 * width))
    layers += [("u1", (4 * width, 2 * width, 3, 3), 2 * width), ("u2", (2 * width, width, 3, 3), width)]
    shapes: Shapes = {}
    for name, kernel, after in layers:
        shapes[f"{name}.weight"] = kernel
        shapes |= _norm_shapes(name, after) if norm == "batch" else {f"{name}.bias": (after,)}
    return shapes | {"c4.weight": (out_channels, width, 7, 7), "c4.bias": (out_channels,)}


def patchgan_shapes(*, num: int, width: int, in_channels: int = 6, norm: Norm = "batch", bias: bool) -> Shapes:
    """Give the shapes of a discriminator; `bias` puts one on the first and last layer, as PyTorch has.

    The last layer of PyTorch's pixel discriminator has none beside batch norm.
    """
    shapes: Shapes = {}
    before = in_channels
    for layer in patch_layers(num):
        after = layer.multiple * width or 1
        shapes[f"{layer.name}.weight"] = (after, before, layer.kernel, layer.kernel)
        if layer.has_norm and norm == "batch":
            shapes |= _norm_shapes(layer.name, after)
        elif bias and not (num == 0 and layer.is_last and norm == "batch"):
            shapes[f"{layer.name}.bias"] = (after,)
        before = after
    return shapes


def _norm_shapes(layer: str, channels: int) -> Shapes:
    return {f"{layer}.scale": (channels,), f"{layer}.shift": (channels,)}


def draw_weights(shapes: Shapes, *, seed: int) -> Weights:
    """Draw weights: kernels from N(0, 0.02), scales from N(1, 0.02) as in both codes, biases and shifts near 0.

    Both codes begin with biases and shifts of 0 itself; others tell more when networks are compared.
    """
    rng = torch.Generator().manual_seed(seed)
    return {
        name: torch.normal(1.0 if name.endswith("scale") else 0.0, 0.02, shape, generator=rng)
        for name, shape in shapes.items()
    }


def num_parameters(shapes: Shapes) -> int:
    """Count the numbers that are learned."""
    return sum(int(torch.tensor(shape).prod()) for shape in shapes.values())
