"""The baseline of our loader study: pairs read as the authors' PyTorch code does it, written anew from its description.

Each is decoded, resized and cut by Pillow, one by one. Facts: junyanz/pytorch-CycleGAN-and-pix2pix 2a7afba
(data/aligned_dataset.py, data/base_dataset.py), at its defaults for `--model pix2pix`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["AuthorsDataset"]


class AuthorsDataset(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Side-by-side files, decoded anew each time: split, resized bicubically, cut, mirrored, normalised."""

    def __init__(self, paths: Sequence[Path], *, load_size: int = 286, crop_size: int = 256) -> None:
        self.paths, self.load_size, self.crop_size = paths, load_size, crop_size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        both = Image.open(self.paths[index]).convert("RGB")
        middle = both.width // 2
        sides = (both.crop((0, 0, middle, both.height)), both.crop((middle, 0, both.width, both.height)))
        left, top = (random.randint(0, self.load_size - self.crop_size) for _ in range(2))
        mirrored = random.random() > 0.5
        a, b = (self._prepared(side, left, top, mirrored=mirrored) for side in sides)
        return a, b

    def _prepared(self, side: Image.Image, left: int, top: int, *, mirrored: bool) -> Tensor:
        side = side.resize((self.load_size, self.load_size), Image.Resampling.BICUBIC)
        side = side.crop((left, top, left + self.crop_size, top + self.crop_size))
        if mirrored:
            side = side.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = torch.from_numpy(np.array(side)).permute(2, 0, 1).contiguous().float().div(255)
        return picture.sub_(0.5).div_(0.5)
