"""Training crops: photos and their edges, turned, scaled, mirrored and recoloured together.

Human contours come as segmentations. These are warped with the photo and traced afterwards, so that a contour is one
pixel wide at any scale and angle. Published drawings come as strokes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

__all__ = ["Crop", "Crops", "HumanContours", "PublishedDrawings", "recoloured"]

Crop = tuple[Tensor, Tensor, Tensor]
"""A photo (3, S, S) in [0, 255], the share of edge at each pixel (1, S, S) in [0, 1], and where it counts, 0 or 1."""

_SOFT_RADIUS_PX = 3
_SOFT = torch.exp(-(torch.arange(_SOFT_RADIUS_PX + 1.0) ** 2) / 2)
"""An edge weighs exp(-d^2 / 2) at a distance of d pixels: annotators, and HED, err by a pixel."""

_DARK = 128  # the published drawings are JPEG files: their strokes have grey halos


class HumanContours:
    """Photos of BSDS500 with the segmentations of several people each."""

    scales = (0.55, 1.6)

    def __init__(self, folder: Path, splits: tuple[str, ...] = ("train", "val")) -> None:
        self.items = []
        for photo in sorted(p for split in splits for p in (folder / "images" / split).glob("*.jpg")):
            with np.load(folder / "segmentations" / photo.parent.name / f"{photo.stem}.npz") as arrays:
                self.items.append((_pixels(photo), torch.from_numpy(arrays["segmentations"])))

    def crop(self, index: int, size: int, rng: np.random.Generator) -> Crop:
        photo, segments = self.items[index]
        scale, degrees = _any_turn(self.scales, rng)
        grid = _grid(photo.shape[1:], size, scale, degrees, rng)
        warped = F.grid_sample(segments[None].float(), grid, mode="nearest", align_corners=False)[0]
        outside = (warped[:1] == 0).float()  # segments count from 1
        outside = F.max_pool2d(outside, 5, 1, 2)
        return _sample(photo, grid, scale, "reflection"), _soft(_traced(warped)).mean(0, keepdim=True), 1 - outside


class PublishedDrawings:
    """Pairs of edges2shoes, the photo on the left: HED and the authors' post-processing drew what is on the right.

    A share of the crops is upright, at scales at which the detector looks.
    """

    scales = (0.7, 1.4)
    upright_scales = (2 / 3, 1.0, 1.0, 1.5)

    def __init__(self, paths: list[Path], upright_share: float) -> None:
        self.upright_share = upright_share
        self.items = []
        for path in paths:
            photo, drawing = _pixels(path).chunk(2, dim=2)
            self.items.append((photo.contiguous(), _soft((drawing.amin(0, keepdim=True) < _DARK).float())))

    def crop(self, index: int, size: int, rng: np.random.Generator) -> Crop:
        scale, degrees = _any_turn(self.scales, rng)
        if rng.random() < self.upright_share:
            scale, degrees = rng.choice(self.upright_scales), 0.0
        return self.turned(index, size, scale, degrees, rng)

    def turned(self, index: int, size: int, scale: float, degrees: float, rng: np.random.Generator) -> Crop:
        """Cut a crop at this scale and angle."""
        photo, edges = self.items[index]
        grid = _grid(photo.shape[1:], size, scale, degrees, rng)
        target = F.grid_sample(edges[None], grid, mode="bilinear", align_corners=False)[0]
        inside = F.grid_sample(torch.ones_like(edges)[None], grid, mode="nearest", align_corners=False)[0]
        if rng.random() < 0.3:  # shoes are brown and black; other products are not
            photo = photo[torch.from_numpy(rng.permutation(3))]
        return _sample(photo, grid, scale, "border"), target, inside


@dataclass
class Crops(Dataset[Crop]):
    """A crop for each number, the same one at each call, in whatever process: a run of training is a range of them."""

    contours: HumanContours
    drawings: PublishedDrawings | None
    drawing_share: float
    size: int
    seed: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Crop:
        before, after = (math.floor(self.drawing_share * n) for n in (number, number + 1))
        is_drawing = after > before
        source = self.drawings if is_drawing and self.drawings else self.contours
        position = before if is_drawing else number - before
        epoch, place = divmod(position, len(source.items))
        order = np.random.default_rng([self.seed, is_drawing, epoch]).permutation(len(source.items))
        rng = np.random.default_rng([self.seed, number])
        photo, target, counts = source.crop(int(order[place]), self.size, rng)
        return recoloured(photo, rng), target, counts


def _pixels(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


def _any_turn(scales: tuple[float, float], rng: np.random.Generator) -> tuple[float, float]:
    """Choose a scale, and an angle in degrees."""
    scale = math.exp(rng.uniform(*np.log(scales)))
    return scale, rng.choice([0.0, 90.0, 180.0, 270.0]) if rng.random() < 0.5 else rng.uniform(0, 360)


def _grid(shape: torch.Size, size: int, scale: float, degrees: float, rng: np.random.Generator) -> Tensor:
    """Place a square in a photo, mirrored or not: where each of its pixels lies, (1, size, size, 2)."""
    height, width = shape
    mirror = -1 if rng.random() < 0.5 else 1
    reach = size / scale / 2 * (0.8 if degrees else 1)  # keeps most of the crop inside the photo
    x, y = (rng.uniform(min(reach, side / 2), max(side - reach, side / 2)) for side in (width, height))
    cos, sin = (f(math.radians(degrees)) * size / scale for f in (math.cos, math.sin))
    theta = torch.tensor(
        [
            [mirror * cos / width, -sin / width, 2 * x / width - 1],
            [mirror * sin / height, cos / height, 2 * y / height - 1],
        ],
        dtype=torch.float32,
    )
    return F.affine_grid(theta[None], [1, 1, size, size], align_corners=False)


def _sample(photo: Tensor, grid: Tensor, scale: float, padding: str) -> Tensor:
    """Read a photo (3, H, W), uint8, at a grid; (3, S, S) in [0, 255]."""
    source = photo[None].float()
    if scale < 0.8:  # without it, fine texture would alias
        size = [2 * side for side in grid.shape[1:3]]
        fine = F.interpolate(grid.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
        sampled = F.grid_sample(source, fine.permute(0, 2, 3, 1), padding_mode=padding, align_corners=False)
        return F.avg_pool2d(sampled, 2)[0]
    return F.grid_sample(source, grid, padding_mode=padding, align_corners=False)[0]


def _traced(segments: Tensor) -> Tensor:
    """Draw the borders of segments, (N, H, W): 1 where the label to the right, below, or at both differs."""
    edges = torch.zeros_like(segments)
    edges[:, :, :-1] += segments[:, :, 1:] != segments[:, :, :-1]
    edges[:, :-1] += segments[:, 1:] != segments[:, :-1]
    edges[:, :-1, :-1] += segments[:, 1:, 1:] != segments[:, :-1, :-1]
    return edges.clamp_(max=1)


def _soft(edges: Tensor) -> Tensor:
    """Weigh pixels (N, H, W) by the distance to the nearest edge: a maximum, which a Gaussian lets us take by axis."""
    for axis in (1, 2):
        length = edges.shape[axis]
        soft = edges.clone()
        for offset in range(1, _SOFT_RADIUS_PX + 1):
            weighed = edges * _SOFT[offset]
            near, far = (soft.narrow(axis, start, length - offset) for start in (0, offset))
            torch.maximum(near, weighed.narrow(axis, offset, length - offset), out=near)
            torch.maximum(far, weighed.narrow(axis, 0, length - offset), out=far)
        edges = soft
    return edges


def recoloured(photo: Tensor, rng: np.random.Generator) -> Tensor:
    """Change contrast, brightness, tint, gamma, sharpness and noise, as cameras do."""
    if rng.random() < 0.15:
        photo = photo.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.8:
        mean = float(photo.mean())
        photo = (photo - mean) * rng.uniform(0.7, 1.3) + mean * rng.uniform(0.75, 1.25)
        photo = photo * torch.from_numpy(rng.uniform(0.9, 1.1, (3, 1, 1)).astype(np.float32))
    photo = photo.clamp(0, 255)
    if rng.random() < 0.5:
        photo = 255 * (photo / 255) ** rng.uniform(0.7, 1.4)
    if rng.random() < 0.15:
        photo = _blurred(photo, rng.uniform(0.4, 1.0))
    if rng.random() < 0.15:
        photo = photo + torch.from_numpy(rng.normal(0, rng.uniform(1, 8), tuple(photo.shape)).astype(np.float32))
    return photo.clamp(0, 255)


def _blurred(photo: Tensor, sigma: float) -> Tensor:
    kernel = torch.exp(-(torch.arange(-3.0, 4.0) ** 2) / (2 * sigma * sigma))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(photo[None], (3, 3, 3, 3), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)[0]
