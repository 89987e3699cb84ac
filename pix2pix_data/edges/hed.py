"""HED, the detector of the paper: VGG16 with five side outputs, fused, in PyTorch and aligned to the pixel.

Every convolution is padded by 1, so a pixel of side k covers s = 2 ** (k - 1) pixels of the photo, and its centre lies
at (i + 0.5) * s - 0.5: bilinear interpolation of exactly s times puts it there. The original pads the photo by 35 and
crops each side at its own offset to the same end; who leaves these out gets edges that are shifted by up to 35 pixels.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pix2pix_data.edges.hed_weights import NUM_CONVS, load_state, widths_of
from pix2pix_data.edges.tiles import tiles

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, FloatMap

__all__ = ["HED", "HedDetector", "load_hed"]

# A map depends on the photo within 122 pixels: conv5_3 sees 98 to each side, and interpolation 24 more. Tiles that
# begin at multiples of 16, the coarsest stride, and overlap by more give the map of the whole photo.
_MARGIN_PX = 128
_TILE_PX = 768
_PIXELS_AT_ONCE = (_TILE_PX + 2 * _MARGIN_PX) ** 2
"""On a GPU; bounds the memory of the first block, 256 bytes a pixel and array."""


class HED(nn.Module):
    """Holistically-nested edge detection, Xie and Tu 2015, arXiv:1504.06375.

    C64x2-pool-C128x2-pool-C256x3-pool-C512x3-pool-C512x3; a 1x1 side output on each block, and a 1x1 fusion.

    Parameters
    ----------
    widths : sequence of int
        Channels of the five blocks.
    """

    def __init__(self, widths: Sequence[int] = (64, 128, 256, 512, 512)) -> None:
        super().__init__()
        inputs = (3, *widths)
        self.register_buffer("offset", torch.zeros(1, 3, 1, 1))
        self.offset: Tensor
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(inputs[b] if c == 0 else width, width, 3, padding=1) for c in range(NUM_CONVS[b]))
            for b, width in enumerate(widths)
        )
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)
        self.fuse = nn.Conv2d(len(widths), 1, 1)

    def side_logits(self, photos: Tensor) -> Iterator[Tensor]:
        """(N, 3, H, W), RGB in 0..255, to five logits (N, 1, H, W), float32."""
        height, width = photos.shape[-2:]
        features = photos - self.offset
        for index, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            if index:
                features = F.max_pool2d(features, 2, ceil_mode=True)
            assert isinstance(block, nn.ModuleList)
            for conv in block:
                features = F.relu(conv(features))
            logits = side(features).float()  # interpolation in bfloat16 would show as steps
            if index:
                logits = F.interpolate(logits, scale_factor=float(2**index), mode="bilinear", align_corners=False)
            yield logits[..., :height, :width]

    def forward(self, photos: Tensor) -> Tensor:
        """(N, 3, H, W), RGB in 0..255, to (N, H, W) in [0, 1]."""
        weights = self.fuse.weight.flatten().float()
        assert self.fuse.bias is not None
        fused = self.fuse.bias.float()
        for weight, logits in zip(weights, self.side_logits(photos), strict=True):
            fused = fused + weight * logits[:, 0]
        return torch.sigmoid(fused)


def load_hed(path: Path) -> HED:
    """Load a network from a file of any of the layouts that `load_state` knows; FormatError, CheckpointError."""
    state = load_state(path)
    with torch.device("meta"):  # random initial values would take longer than the rest
        network = HED(widths_of(state))
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


class HedDetector:
    """See edges with HED; an EdgeDetector.

    Parameters
    ----------
    network : HED
    device : torch.device or str, optional
        The GPU if there is one.
    """

    def __init__(self, network: HED, *, device: torch.device | str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = network.to(self.device)
        if multiprocessing.parent_process() is not None:
            torch.set_num_threads(1)  # the processes of a build share the cores

    def __call__(self, photos: Sequence[RGB]) -> list[FloatMap]:
        maps: dict[int, FloatMap] = {}
        for batch in _batches(photos, self.device):
            maps |= zip(batch, self._maps([photos[index] for index in batch]), strict=True)
        return [maps[index] for index in range(len(photos))]

    def _maps(self, photos: Sequence[RGB]) -> FloatMap:
        """Return the maps of photos of one size, (N, H, W)."""
        stack = np.stack(photos)  # (N, H, W, 3)
        maps: FloatMap = np.empty(stack.shape[:3], np.float32)
        for rows, rows_read, rows_kept in tiles(stack.shape[1], _TILE_PX, _MARGIN_PX):
            for columns, columns_read, columns_kept in tiles(stack.shape[2], _TILE_PX, _MARGIN_PX):
                seen = self._seen(stack[:, rows_read, columns_read])
                maps[:, rows, columns] = seen[:, rows_kept, columns_kept]
        return maps

    def _seen(self, stack: RGB) -> FloatMap:
        with torch.inference_mode(), self._precision():
            pixels = torch.from_numpy(np.ascontiguousarray(stack)).to(self.device)
            probability: FloatMap = self.network(pixels.permute(0, 3, 1, 2).float()).cpu().numpy()
        return probability

    def _precision(self) -> AbstractContextManager[object]:
        if self.device.type != "cuda":
            return nullcontext()
        # The activations of VGG on 0..255 come near the largest float16: it is the second choice.
        return torch.autocast("cuda", dtype=torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)


def _batches(photos: Sequence[RGB], device: torch.device) -> Iterator[list[int]]:
    """Group the photos of one size; on a CPU each goes alone, which keeps its map to the bit, at 1.6 times the time."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, photo in enumerate(photos):
        by_shape.setdefault(photo.shape, []).append(index)
    for shape, indices in by_shape.items():
        num = max(1, _PIXELS_AT_ONCE // (shape[0] * shape[1])) if device.type == "cuda" else 1
        yield from (indices[start : start + num] for start in range(0, len(indices), num))
