"""A generator with its views around it: from the pixels of a drawing to those of a picture, as one program."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix_data.palette_file import from_hex
from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.generation import padding_of
from pix2pix_model.sides import SideSpec
from pix2pix_model.views import views_of

__all__ = ["DrawingProgram"]

_LUMA = (19595, 38470, 7471)  # as in pix2pix_data.channels, over 2**16
_DEEP = 257  # 8 bits to 16, exactly


class DrawingProgram(nn.Module):
    """Translates the pixels of a drawing, so that whoever runs it need know of no view, no padding and no colour space.

    Parameters
    ----------
    generator : nn.Module
        Behaves as it is to; its `multiple_px` and `smallest_px` say what sides it takes.
    config : ModelConfig
        Of a model that is given one picture.
    """

    def __init__(self, generator: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.generator = generator
        self._input = config.sides.inputs[0]
        self._views = views_of(config.sides)
        self._size = tuple(config.crop_size)
        padding = padding_of(generator, *self._size)
        # Where each row and column of the mirrored drawing is taken from.
        self._taken = [
            torch.from_numpy(np.pad(np.arange(side), added, mode="reflect"))
            for side, added in zip(self._size, padding, strict=True)
        ]
        self._corner = [before for before, _ in padding]

    def forward(self, drawing: Tensor) -> Tensor:
        """Map RGBA, uint8 (1, height, width, 4), to the same shape, at the size that the model was trained at.

        The drawing holds colours that the model may be given; transparency is neither read nor made.
        """
        rows, columns = self._taken
        stored = _stored(self._input, drawing[..., :3])[:, rows][:, :, columns]
        given = self._views.given([stored])
        made = self._views.target.made(self.generator(given), given)
        (top, left), (height, width) = self._corner, self._size
        shown = self._views.target.shown(made[:, top : top + height, left : left + width])
        return torch.cat([shown, torch.full_like(shown[..., :1], 255)], dim=3)


def _stored(spec: SideSpec, pixels: Tensor) -> Tensor:
    """Bring pixels, uint8 (1, H, W, 3), to what is stored of them, as the view reads it from a file."""
    match spec.view:
        case "classes":
            colors = torch.tensor([from_hex(color) for color in spec.colors], dtype=torch.uint8)
            matches = (pixels[..., None, :] == colors).all(-1)  # (1, H, W, num_classes)
            return matches.to(torch.uint8).argmax(-1, keepdim=True)
        case "gray":
            return _luma(pixels.long()).to(torch.uint8)
        case "gray16":
            return _luma(pixels.long() * _DEEP).to(torch.int32)
        case "rgb16":
            return pixels.to(torch.int32) * _DEEP
    return pixels


def _luma(levels: Tensor) -> Tensor:
    weighted = (levels * torch.tensor(_LUMA)).sum(-1, keepdim=True)
    return torch.div(weighted + (1 << 15), 1 << 16, rounding_mode="floor")
