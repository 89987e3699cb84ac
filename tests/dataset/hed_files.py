"""Weights of HED in each public layout, and its forward pass, all written anew."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

WIDTHS = (4, 5, 6, 7, 8)
CONVS = (2, 2, 3, 3, 3)
LAYOUTS = ("controlnet", "sniklaus", "sniklaus-old", "caffe", "caffe-legacy")
BGR_MEANS = torch.tensor([104.00698793, 116.66876762, 122.67891434])

Tensors = dict[str, torch.Tensor]


def random_layers(seed: int = 0) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias by the names of Caffe."""
    random = torch.Generator().manual_seed(seed)
    layers = {}
    inputs = 3
    for block, (width, convs) in enumerate(zip(WIDTHS, CONVS, strict=True), start=1):
        for conv in range(1, convs + 1):
            scale = (2 / (9 * inputs)) ** 0.5 * (0.02 if (block, conv) == (1, 1) else 1)
            weight = torch.randn(width, inputs, 3, 3, generator=random) * scale
            layers[f"conv{block}_{conv}"] = (weight, torch.randn(width, generator=random) / 10)
            inputs = width
        layers[f"score-dsn{block}"] = (
            torch.randn(1, width, 1, 1, generator=random),
            torch.randn(1, generator=random) / 10,
        )
    layers["new-score-weighting"] = (
        torch.randn(1, 5, 1, 1, generator=random) / 3,
        torch.randn(1, generator=random) / 10,
    )
    return layers


def controlnet_tensors() -> Tensors:
    tensors = {"norm": torch.tensor([120.0, 110.0, 100.0]).view(1, 3, 1, 1)}
    for name, (weight, bias) in random_layers().items():
        if name == "new-score-weighting":
            continue
        block = name.removeprefix("conv").removeprefix("score-dsn")[0]
        path = f"block{block}." + ("projection" if "dsn" in name else f"convs.{int(name[-1]) - 1}")
        tensors |= {f"{path}.weight": weight, f"{path}.bias": bias}
    return tensors


def sniklaus_tensors(prefix: str = "net") -> Tensors:
    numerals = ["One", "Two", "Thr", "Fou", "Fiv"]
    tensors = {}
    for name, (weight, bias) in random_layers().items():
        if name.startswith("conv"):
            block, conv = int(name[4]), int(name[6])
            path = f"Vgg{numerals[block - 1]}.{2 * (conv - 1) if block == 1 else 2 * conv - 1}"
        else:
            path = "Combine.0" if name.startswith("new") else "Score" + numerals[int(name[-1]) - 1]
        tensors |= {f"{prefix}{path}.weight": weight, f"{prefix}{path}.bias": bias}
    return tensors


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def caffe_bytes(*, legacy: bool = False) -> bytes:
    """A net as Caffe writes it: new layers with shapes and packed floats; or old ones, with four sizes, unpacked."""

    def blob(array: torch.Tensor) -> bytes:
        floats = [struct.pack("<f", value) for value in array.flatten().tolist()]
        if not legacy:
            dims = b"".join(varint(size) for size in array.shape)
            return message(7, message(1, dims)) + message(5, b"".join(floats))
        sizes = [1] * (4 - array.ndim) + list(array.shape)
        head = b"".join(varint(number << 3) + varint(size) for number, size in enumerate(sizes, start=1))
        return head + b"".join(b"\x2d" + value for value in floats)

    out = message(1, b"HED")
    layers = {"data": (), **random_layers(), "upsample_2": (torch.rand(1, 1, 4, 4),)}
    for name, arrays in layers.items():
        blobs = [blob(array) for array in arrays]
        if legacy:
            out += message(2, message(2, b"x") + message(4, name.encode()) + b"".join(message(6, b) for b in blobs))
        else:
            out += message(
                100, message(1, name.encode()) + message(2, b"Some") + b"".join(message(7, b) for b in blobs)
            )
    return out


def write_weights(folder: Path, layout: str) -> Path:
    path = folder / f"{layout}.weights"
    if layout.startswith("caffe"):
        path.write_bytes(caffe_bytes(legacy=layout == "caffe-legacy"))
    elif layout == "controlnet":
        torch.save(controlnet_tensors(), path)
    else:
        old = layout == "sniklaus-old"
        torch.save(sniklaus_tensors("module" if old else "net"), path, _use_new_zipfile_serialization=not old)
    return path


def upsampled(logits: torch.Tensor, stride: int) -> torch.Tensor:
    """As the original: deconvolution by a triangle of 2 x stride taps; beyond its border, a side goes on as it is."""
    ramp = (torch.arange(2 * stride) + 0.5) / stride
    taps = torch.minimum(ramp, 2 - ramp)
    wide = F.pad(logits, (1, 1, 1, 1), mode="replicate")
    full = F.conv_transpose2d(wide, torch.outer(taps, taps)[None, None], stride=stride)
    start = stride + stride // 2
    return full[..., start:, start:]


def expected_map(photo: np.ndarray, layout: str) -> np.ndarray:
    layers = random_layers()
    rgb = torch.tensor(photo.astype(np.float32)).permute(2, 0, 1)[None]
    if layout == "controlnet":
        hidden = rgb - controlnet_tensors()["norm"]
    else:
        hidden = rgb[:, [2, 1, 0]] - BGR_MEANS.view(1, 3, 1, 1)
    sides = []
    for block, convs in enumerate(CONVS, start=1):
        if block > 1:
            height, width = hidden.shape[-2:]
            hidden = F.max_pool2d(F.pad(hidden, (0, width % 2, 0, height % 2)), 2)  # after a ReLU, 0 is the least
        for conv in range(1, convs + 1):
            hidden = F.conv2d(hidden, *layers[f"conv{block}_{conv}"], padding=1).clamp(min=0)
        logits = F.conv2d(hidden, *layers[f"score-dsn{block}"])
        side = logits if block == 1 else upsampled(logits, 2 ** (block - 1))
        sides.append(side[..., : photo.shape[0], : photo.shape[1]])
    stack = torch.cat(sides, 1)
    if layout == "controlnet":
        return torch.sigmoid(stack.mean(1))[0].numpy()
    return torch.sigmoid(F.conv2d(stack, *layers["new-score-weighting"]))[0, 0].numpy()


def random_photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
