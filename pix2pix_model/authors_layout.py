"""Generators of the authors' PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix): from a state_dict to ours.

Its names are positions in nested `nn.Sequential`s, from which everything that has weights can be read:

    U-Net     model.model.0            first convolution          model.model.3     last transposed convolution
              model.model.1.model      the block inside, in which
                  .1 .2                convolution and norm        .5 .6            transposed convolution and norm
                  .3.model             the next block inside; the innermost has .1 (no norm) and .3 .4 instead
    ResNet    model.1 .2               c7s1-64 and its norm       model.4 .5 and .7 .8    d128, d256
              model.10.conv_block      blocks: .1 .2 and .5 .6, or .6 .7 where .4 is dropout; then u128, u64, c7s1-3

A file of several GPUs has "module." before each name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pix2pix_data.errors import CheckpointError, FormatError
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.nets.spec import NormName

__all__ = ["FIX", "AuthorsGenerator", "from_authors"]

FIX = "give latest_net_G.pth, or another NN_net_G.pth, of a pix2pix or CycleGAN of theirs"
_FEWEST_LEVELS, _MOST_LEVELS = 5, 12
_MOST = 1024  # of a width or of channels, as in a recipe
_RUNNING = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True, slots=True)
class AuthorsGenerator:
    """What a file of theirs holds.

    Attributes
    ----------
    architecture : {"unet", "resnet"}
    spec : GeneratorSpec
        `size_px` of a U-Net is the side that its depth belongs to, that of a ResNet nothing but 256. Dropout, which
        has no weights, shows in a ResNet's names; in a U-Net it is taken to be there, as it is unless told otherwise.
    generator : nn.Module
        Ours, with their weights.
    has_statistics : bool
        Its norms are batch norms whose running statistics the file holds.
    notes : tuple of str
        What else should be known of it, as sentences without a full stop.
    """

    architecture: str
    spec: GeneratorSpec
    generator: nn.Module
    has_statistics: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution and the norm behind it, by their names; no norm is an empty name."""

    convolution: str
    norm: str = ""


def from_authors(tensors: Mapping[str, Tensor], path: Path) -> AuthorsGenerator:
    """Turn a state_dict of theirs into a generator of ours.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Their names; each must have a place in the network, and each place a tensor.
    path : Path
        Where they come from, for messages.

    Returns
    -------
    AuthorsGenerator

    Raises
    ------
    CheckpointError
        If these are the weights of something else.
    FormatError
        If a weight is not a finite number.
    """
    state = {re.sub(r"^(module\.|_orig_mod\.)+", "", name): tensor for name, tensor in tensors.items()}
    if "model.model.0.weight" in state:
        architecture, layers, spec = "unet", *_read_unet(state, path)
    elif "model.1.weight" in state and any(name.startswith("model.10.conv_block.") for name in state):
        architecture, layers, spec = "resnet", *_read_resnet(state, path)
    else:
        raise CheckpointError(_stranger(state), where=path, fix=FIX)
    if not (spec.width <= _MOST and spec.in_channels <= _MOST and spec.out_channels <= _MOST):
        raise CheckpointError(f"a generator of width {spec.width} is none of theirs", where=path, fix=FIX)
    with torch.device("meta"):  # shapes alone, until the file has shown that it has the weights
        generator = GENERATORS.get(architecture)(spec)
    ours, unused = _translated(generator, layers, state, path)
    left_out = [name for name in unused if not name.endswith(_RUNNING)]
    if left_out:
        raise CheckpointError(f"{left_out[0]} has no place in a {architecture} of theirs", where=path, fix=FIX)
    generator.load_state_dict(ours, assign=True)
    has_statistics = spec.norm == "batch" and any(name.endswith(".running_mean") for name in state)
    notes = []
    if spec.norm != "batch" and any(name.endswith(".running_mean") for name in state):
        notes.append("The running statistics of its instance norms, used with their --eval alone, are left out")
    return AuthorsGenerator(architecture, spec, generator.requires_grad_(False), has_statistics, tuple(notes))


# --- the two architectures ----------------------------------------------------------------------------------------


def _read_unet(state: Mapping[str, Tensor], path: Path) -> tuple[list[_Layer], GeneratorSpec]:
    blocks = list(_unet_blocks(state))
    if not _FEWEST_LEVELS <= len(blocks) <= _MOST_LEVELS:
        raise CheckpointError(f"a U-Net of {len(blocks)} levels is none of theirs", where=path, fix=FIX)
    outermost, *middle, innermost = blocks
    encoder = [_Layer(f"{outermost}.0"), *(_Layer(f"{block}.1", f"{block}.2") for block in middle)]
    decoder = [_Layer(f"{block}.5", f"{block}.6") for block in reversed(middle)]
    bottleneck = [_Layer(f"{innermost}.1"), _Layer(f"{innermost}.3", f"{innermost}.4")]
    layers = [*encoder, *bottleneck, *decoder, _Layer(f"{outermost}.3")]
    width, in_channels = _shape(state, layers[0], path)[:2]
    spec = GeneratorSpec(
        size_px=2 ** len(blocks),
        in_channels=in_channels,
        out_channels=_shape(state, layers[-1], path)[1],
        width=width,
        norm=_norm(state, layers[1]),
    )
    return layers, spec


def _unet_blocks(state: Mapping[str, Tensor]) -> Iterator[str]:
    """Give the names of the nested blocks, the outermost first."""
    block, inside = "model.model", ".1.model"
    while any(name.startswith(f"{block}.") for name in state):
        yield block
        block, inside = block + inside, ".3.model"


def _read_resnet(state: Mapping[str, Tensor], path: Path) -> tuple[list[_Layer], GeneratorSpec]:
    found = {int(match[1]) for name in state if (match := re.match(r"model\.(\d+)\.conv_block\.", name))}
    after = 10 + len(found)
    has_dropout = "model.10.conv_block.6.weight" in state and "model.10.conv_block.5.weight" not in state
    second = 6 if has_dropout else 5
    layers = [_Layer(f"model.{i}", f"model.{i + 1}") for i in (1, 4, 7)]
    for block in (f"model.{i}.conv_block" for i in range(10, after)):
        layers += [_Layer(f"{block}.1", f"{block}.2"), _Layer(f"{block}.{second}", f"{block}.{second + 1}")]
    layers += [_Layer(f"model.{i}", f"model.{i + 1}") for i in (after, after + 3)]
    layers.append(_Layer(f"model.{after + 7}"))
    width, in_channels = _shape(state, layers[0], path)[:2]
    spec = GeneratorSpec(
        in_channels=in_channels,
        out_channels=_shape(state, layers[-1], path)[0],
        width=width,
        blocks=len(found),
        norm=_norm(state, layers[0]),
        dropout=0.5 if has_dropout else 0.0,
    )
    return layers, spec


def _norm(state: Mapping[str, Tensor], layer: _Layer) -> NormName:
    """Tell the norm: theirs leaves the convolution its bias only where the norm is an instance norm."""
    has_bias, has_scale = f"{layer.convolution}.bias" in state, f"{layer.norm}.weight" in state
    if has_scale:
        return "instance_affine" if has_bias else "batch"
    return "instance" if has_bias else "none"


def _shape(state: Mapping[str, Tensor], layer: _Layer, path: Path) -> tuple[int, ...]:
    tensor = state.get(f"{layer.convolution}.weight")
    if tensor is None or tensor.ndim != 4:
        what = f"{layer.convolution}.weight is missing" if tensor is None else f"{layer.convolution} is no convolution"
        raise CheckpointError(f"this is no whole generator: {what}", where=path, fix=FIX)
    return tuple(tensor.shape)


# --- from their names to ours -------------------------------------------------------------------------------------


def _translated(
    generator: nn.Module, layers: list[_Layer], state: Mapping[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], set[str]]:
    """Return the state of our network, and which of their names it has no use for."""
    modules = [(name, module) for name, module in generator.named_modules() if any(_weights(module))]
    norms_have_weights = len(modules) > len(layers)
    theirs = [name for layer in layers for name in ([layer.convolution, layer.norm][: 1 + norms_have_weights]) if name]
    ours: dict[str, Tensor] = {}
    unused = set(state)
    for (name, module), of_theirs in zip(modules, theirs, strict=True):
        for leaf, place in _weights(module):
            their_name = f"{of_theirs}.{leaf}"
            tensor = state[their_name] if their_name in state else _absent(leaf, module, place, their_name, path)
            _check(tensor, place, their_name, path)
            ours[f"{name}.{leaf}"] = tensor.detach().float().clone(memory_format=torch.contiguous_format)
            unused.discard(their_name)
    return ours, unused


def _weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Give what a module itself holds, not the modules in it."""
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)


def _absent(leaf: str, module: nn.Module, place: Tensor, name: str, path: Path) -> Tensor:
    """Return what a missing tensor means: statistics that were not kept are those that a norm begins with."""
    is_convolution = isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    if leaf == "running_mean" or (leaf == "bias" and is_convolution):  # without a norm, theirs have no biases
        return torch.zeros(place.shape)
    if leaf == "running_var":
        return torch.ones(place.shape)
    raise CheckpointError(f"this is no whole generator: {name} is missing", where=path, fix=FIX)


def _check(tensor: Tensor, place: Tensor, name: str, path: Path) -> None:
    if tensor.shape != place.shape:
        what = f"{name} has shape {tuple(tensor.shape)}, where a generator of theirs has {tuple(place.shape)}"
        raise CheckpointError(what, where=path, fix=FIX)
    if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
        raise FormatError(f"the weights are damaged: {name} is not finite", where=path, fix="download it again")


def _stranger(state: Mapping[str, Tensor]) -> str:
    first = next((tensor for name, tensor in state.items() if name in ("model.0.weight", "net.0.weight")), None)
    if first is not None and first.ndim == 4:
        return "these are the weights of a discriminator, and pictures are made by a generator"
    shown = ", ".join(list(state)[:3]) or "nothing"
    return f"these are not the weights of a generator of theirs (they begin with {shown})"
