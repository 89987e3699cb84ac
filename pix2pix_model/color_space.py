"""Pixels to CIE Lab and back, in torch."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["AB_SCALE", "L_SCALE", "lab_to_pixels", "pixels_to_lab"]

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
L_SCALE, AB_SCALE = 50.0, 110.0
"""The authors' scales for colourisation (phillipi/pix2pix, data/donkey_folder.lua): L / 50 - 1 and ab / 110."""


def pixels_to_lab(pixels: Tensor) -> Tensor:
    """Convert sRGB pixels, uint8 (N, H, W, 3), to CIE Lab (D65), float32 (N, 3, H, W); L is in [0, 100]."""
    linear = _LINEAR.to(pixels.device)[pixels.long()]  # (N, H, W, 3); ONNX looks up by int64 alone
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
