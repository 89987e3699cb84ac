"""What networks see of pixels, and how pixels are made of what they give: RGB, or lightness and colour in CIE Lab."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pix2pix_model.recipe import ColorSpaceName

__all__ = ["COLOR_SPACES", "ColorSpace", "lab_to_pixels", "pixels_to_lab", "to_network", "to_pixels"]


class ColorSpace(Protocol):
    """A way to see pictures. Pixels are uint8 (N, H, W, 3), sRGB; what networks see is float32 (N, C, H, W)."""

    in_channels: int
    out_channels: int

    def given(self, pixels: Tensor) -> Tensor:
        """Return what the generator is given of a picture, (N, in_channels, H, W), in [-1, 1]."""

    def target(self, pixels: Tensor) -> Tensor:
        """Return what it should make of it, (N, out_channels, H, W), in [-1, 1]."""

    def picture(self, given: Tensor, made: Tensor) -> Tensor:
        """Return the pixels of what was made; `made` may lie outside [-1, 1]."""

    def seen(self, pixels: Tensor) -> Tensor:
        """Return a picture as the generator is given it, as pixels."""


# --- RGB ----------------------------------------------------------------------------------------------------------


def to_network(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels (N, H, W, 3) into float32 (N, 3, H, W) in [-1, 1]."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1).contiguous()


def to_pixels(pictures: Tensor) -> Tensor:
    """Turn pictures (N, 3, H, W) in [-1, 1] into uint8 pixels (N, H, W, 3), rounded to the nearest."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


class _RGB:
    in_channels, out_channels = 3, 3

    def given(self, pixels: Tensor) -> Tensor:
        return to_network(pixels)

    def target(self, pixels: Tensor) -> Tensor:
        return to_network(pixels)

    def picture(self, given: Tensor, made: Tensor) -> Tensor:  # noqa: ARG002 - the picture is all in what was made
        return to_pixels(made)

    def seen(self, pixels: Tensor) -> Tensor:
        return pixels


# --- Lab ----------------------------------------------------------------------------------------------------------

# Linear light to CIE XYZ: the primaries of ITU-R BT.709 and D65, to the digits that OpenCV and scikit-image have too.
# Constants are computed on the CPU, since MPS has no float64.
_RGB_TO_XYZ = torch.tensor(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
    dtype=torch.float64,
)
_WHITE = _RGB_TO_XYZ.sum(1)
_TO_WHITES = (_RGB_TO_XYZ / _WHITE[:, None]).float()  # so gray has a and b of exactly nothing but rounding
_FROM_WHITES = torch.linalg.inv(_RGB_TO_XYZ / _WHITE[:, None]).float()
_LEVEL = torch.arange(256, dtype=torch.float64) / 255
_LINEAR = torch.where(_LEVEL <= 0.04045, _LEVEL / 12.92, ((_LEVEL + 0.055) / 1.055) ** 2.4).float()  # IEC 61966-2-1
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # CIE 15:2004: where the cube root becomes a line, and its slope
_HALF_L, _MOST_AB = 50.0, 110.0
"""The authors' scales for colourisation (phillipi/pix2pix, data/donkey_folder.lua): L / 50 - 1 and ab / 110."""


def pixels_to_lab(pixels: Tensor) -> Tensor:
    """Convert sRGB pixels, uint8 (N, H, W, 3), to CIE Lab (D65), float32 (N, 3, H, W); L is in [0, 100]."""
    linear = _LINEAR.to(pixels.device)[pixels.int()]  # (N, H, W, 3)
    xyz = linear @ _TO_WHITES.T.to(pixels.device)  # as parts of the white's
    f = torch.where(xyz > _EPSILON, xyz.clamp(min=_EPSILON) ** (1 / 3), (_KAPPA * xyz + 16) / 116)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_pixels(lab: Tensor) -> Tensor:
    """Convert CIE Lab, (N, 3, H, W), back to pixels, uint8 (N, H, W, 3); colours that sRGB has not are cut off."""
    lightness, a, b = lab.float().unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-1)
    xyz = torch.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA)
    linear = (xyz @ _FROM_WHITES.T.to(lab.device)).clamp(0, 1)
    level = torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
    return (level * 255).round().clamp(0, 255).to(torch.uint8)


class _Lab:
    """The generator is given L, and makes a and b: the lightness of what it is given stays as it is."""

    in_channels, out_channels = 1, 2

    def given(self, pixels: Tensor) -> Tensor:
        return pixels_to_lab(pixels)[:, :1] / _HALF_L - 1

    def target(self, pixels: Tensor) -> Tensor:
        return pixels_to_lab(pixels)[:, 1:] / _MOST_AB

    def picture(self, given: Tensor, made: Tensor) -> Tensor:
        return lab_to_pixels(torch.cat([(given.float() + 1) * _HALF_L, made.float() * _MOST_AB], 1))

    def seen(self, pixels: Tensor) -> Tensor:
        given = self.given(pixels)
        return self.picture(given, torch.zeros_like(given).expand(-1, 2, -1, -1))


COLOR_SPACES: dict[ColorSpaceName, ColorSpace] = {"rgb": _RGB(), "lab": _Lab()}
