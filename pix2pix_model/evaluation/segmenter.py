"""Networks that tell the classes of a photo's pixels: the judges of the paper's FCN-score."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix_data.errors import CheckpointError
from pix2pix_model.evaluation.onnx_network import InputRange, OnnxNetwork, find_onnx

if TYPE_CHECKING:
    from pix2pix_data.pair import LabelMap

__all__ = ["OnnxSegmenter", "SegmentationUNet", "Segmenter", "UNetSegmenter"]


class Segmenter(Protocol):
    """A network that gives the class of each pixel.

    Attributes
    ----------
    name : str
        What it is called in every table.
    """

    name: str

    def __call__(self, pixels: Tensor) -> list[LabelMap]:
        """Return labels (H, W) for each of the pictures, uint8 (N, H, W, 3)."""


class SegmentationUNet(nn.Module):
    """Photos (N, 3, H, W) in [-1, 1] to logits (N, classes, H, W); H and W are multiples of `multiple_px`.

    The U-Net of Ronneberger et al. 2015, arXiv:1505.04597, made small: batch norm, padded convolutions, four levels
    of 24 to 192 channels, and the finest at half the picture's size.
    """

    multiple_px = 16

    def __init__(self, num_classes: int, width: int = 24) -> None:
        super().__init__()
        widths = [width << i for i in range(4)]
        self.stem = _convolved(3, width, stride=2)
        levels = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(_twice(wide, wider, 2) for wide, wider in levels)
        self.up = nn.ModuleList(_twice(wide + wider, wide, 1) for wide, wider in reversed(levels))
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, photos: Tensor) -> Tensor:
        hidden = self.stem(photos)
        skipped = []
        for down in self.down:
            skipped.append(hidden)
            hidden = down(hidden)
        for up in self.up:
            hidden = F.interpolate(hidden, scale_factor=2.0, mode="nearest")
            hidden = up(torch.cat([hidden, skipped.pop()], 1))
        return F.interpolate(self.head(hidden), scale_factor=2.0, mode="bilinear")


def _convolved(channels: int, out_channels: int, *, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _twice(channels: int, out_channels: int, stride: int) -> nn.Sequential:
    first = _convolved(channels, out_channels, stride=stride)
    return nn.Sequential(first, _convolved(out_channels, out_channels, stride=1))


class UNetSegmenter:
    """Our own small network, trained by `train_segmenter`.

    Parameters
    ----------
    network : SegmentationUNet
        In eval(), on the device.
    size : (int, int)
        Height and width that pictures are brought to for it.
    name : str
    """

    def __init__(self, network: SegmentationUNet, size: tuple[int, int], name: str) -> None:
        self.name = name
        self._network, self._size = network, size

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> list[LabelMap]:
        photos = pixels.to(next(self._network.parameters()).device).permute(0, 3, 1, 2).float()
        size = photos.shape[2:]
        if tuple(size) != self._size:
            photos = F.interpolate(photos, self._size, mode="bilinear", antialias=True)
        return _labels_of(self._network(photos / 127.5 - 1), size)


class OnnxSegmenter:
    """A network of others.

    Parameters
    ----------
    name : str
        An ONNX file, or hub:OWNER/NAME/FILE.onnx: pictures to logits (N, classes, h, w), or to labels (N, h, w), in
        the order of the dataset's classes.
    num_classes : int
    input_range : {"imagenet", "unit", "signed", "bytes"}

    Raises
    ------
    UsageError, CheckpointError, HubError
        If the file cannot be had, run, or used.
    """

    def __init__(self, name: str, num_classes: int, input_range: InputRange) -> None:
        path = find_onnx(name)
        self._network, self._num_classes = OnnxNetwork(path, input_range), num_classes
        self.name = f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"

    def __call__(self, pixels: Tensor) -> list[LabelMap]:
        given = torch.from_numpy(self._network(pixels))
        size = pixels.shape[1:3]
        if given.ndim == 3 and not given.is_floating_point():
            if int(given.max()) >= self._num_classes or int(given.min()) < 0:
                self._refuse(f"labels up to {int(given.max())}")
            labels = F.interpolate(given[:, None].float(), size, mode="nearest-exact")[:, 0]
            return [one.numpy().astype(np.uint8) for one in labels]
        if given.ndim != 4 or given.shape[1] != self._num_classes:
            self._refuse(f"an output of shape {tuple(given.shape)}")
        return _labels_of(given.float(), size)

    def _refuse(self, told: str) -> None:
        fix = "name a network for these classes, in the order of the palette"
        what = f"the network gives {told}, where the dataset has {self._num_classes} classes"
        raise CheckpointError(what, where=self._network.path, fix=fix)


def _labels_of(logits: Tensor, size: torch.Size) -> list[LabelMap]:
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear")
    return [labels.cpu().numpy().astype(np.uint8) for labels in logits.argmax(1)]
