"""How networks see sides of pairs, and how pictures are made of what they give.

A picture goes file -> decoded (numpy, the channels of the file that are asked for) -> stored (numpy, what the cache
keeps) -> seen (torch, float32 in [-1, 1]), and back. Stored tensors are uint8, or int32 for 16 bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_data.channel_kinds import CHANNELS, ChannelsName
from pix2pix_data.channels import premultiplied, straight
from pix2pix_data.images import resize_nearest
from pix2pix_data.label_map import label_colors
from pix2pix_data.palette_file import from_hex
from pix2pix_model.color_space import AB_SCALE, L_SCALE, lab_to_pixels, pixels_to_lab
from pix2pix_model.resizing import RESIZERS
from pix2pix_model.sides import Sides, SideSpec

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_model.recipe import ResizeName

__all__ = ["Classes", "View", "Views", "to_array", "to_tensor", "view_of", "views_of"]

_CHECK_PX, _CHECK_LEVELS = 8, (255, 204)  # what transparent places are shown on


class View(ABC):
    """One way to see a side.

    Attributes
    ----------
    file : ChannelsName
        How picture files are decoded for it.
    num_stored : int
        Channels of what is stored.
    """

    file: ChannelsName = "rgb"
    num_stored: int = 3

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return CHANNELS[self.file].dtype

    @property
    def stored_as(self) -> object:
        """Equal for two views that store the same of a side."""
        return self.file

    def read(self, decoded: Pixels) -> Pixels:
        """Return what is stored of a decoded picture, (H, W, num_stored)."""
        return decoded

    def resized(self, stored: Pixels, width: int, height: int, how: ResizeName = "bicubic") -> Pixels:
        """Bring what is stored to a size."""
        return RESIZERS[how](stored, width, height)

    @abstractmethod
    def seen(self, stored: Tensor) -> Tensor:
        """Turn (N, H, W, num_stored) into what networks see, float32 (N, channels, H, W) in [-1, 1]."""

    @abstractmethod
    def made(self, seen: Tensor, given: Tensor) -> Tensor:
        """Turn what a generator made of `given` back into what is stored; `seen` may lie outside [-1, 1]."""

    @abstractmethod
    def shown(self, stored: Tensor) -> Tensor:
        """Return pictures for the eye, uint8 (N, H, W, 3), of what is stored."""

    def picture(self, stored: Tensor) -> Tensor:
        """Return the pixels of a picture file, (N, H, W, C)."""
        return stored


class Levels(View):
    """Gray or colour, linear: the lowest of `levels` is -1, the highest 1; at 8 bits they are 0 and 255."""

    def __init__(self, file: ChannelsName, levels: tuple[int, int]) -> None:
        self.file, self.num_stored = file, CHANNELS[file].num
        self.is_deep = CHANNELS[file].bits == 16
        self.levels = levels if self.is_deep else (0, 255)
        self._low = self.levels[0]
        self._half = (self.levels[1] - self._low) / 2

    def seen(self, stored: Tensor) -> Tensor:
        levels = stored.permute(0, 3, 1, 2).contiguous().float()  # integers are laid out anew 4 times as fast as floats
        if self.is_deep:
            levels = levels.sub_(self._low)
        seen = levels.div_(self._half).sub_(1)
        return seen.clamp_(-1, 1) if self.is_deep else seen

    def made(self, seen: Tensor, given: Tensor) -> Tensor:  # noqa: ARG002 - all is in what was made
        levels = (seen.float().clamp(-1, 1) + 1) * self._half + self._low
        return _stored(levels, self.file)

    def shown(self, stored: Tensor) -> Tensor:
        if self.is_deep:
            stored = ((stored.float() - self._low) * (127.5 / self._half)).round().clamp(0, 255).to(torch.uint8)
        return stored.expand(*stored.shape[:3], 3)


class Transparent(View):
    """Colour and alpha in four channels, the colours weighted by alpha: what is invisible is seen as black."""

    def __init__(self, file: ChannelsName) -> None:
        self.file, self.num_stored = file, 4
        self._highest = 2 ** CHANNELS[file].bits - 1

    def resized(self, stored: Pixels, width: int, height: int, how: ResizeName = "bicubic") -> Pixels:
        if stored.shape[:2] == (height, width):
            return stored
        return straight(RESIZERS[how](premultiplied(stored), width, height), stored.dtype)

    def seen(self, stored: Tensor) -> Tensor:
        levels = stored.permute(0, 3, 1, 2).float()
        colors, alpha = levels[:, :3], levels[:, 3:]
        return torch.cat([colors * (alpha / self._highest), alpha], 1).div_(self._highest / 2).sub_(1)

    def made(self, seen: Tensor, given: Tensor) -> Tensor:  # noqa: ARG002
        levels = (seen.float().clamp(-1, 1) + 1) * (self._highest / 2)
        alpha = levels[:, 3:].round()
        colors = torch.where(alpha > 0, levels[:, :3] * self._highest / alpha.clamp(min=1), 0)
        return _stored(torch.cat([colors, alpha], 1).clamp(0, self._highest), self.file)

    def shown(self, stored: Tensor) -> Tensor:
        levels = stored.float() / self._highest
        rows, columns = (torch.arange(side, device=stored.device) // _CHECK_PX for side in stored.shape[1:3])
        is_dark = (rows[:, None] + columns[None, :]) % 2
        board = torch.tensor(_CHECK_LEVELS, device=stored.device)[is_dark][..., None]  # (H, W, 1)
        alpha = levels[..., 3:]
        shown: Tensor = (levels[..., :3] * 255 * alpha + board * (1 - alpha)).round().to(torch.uint8)
        return shown


class Classes(View):
    """A channel for each class: 1 where a pixel is of it, else -1. A class that was made is the highest channel.

    Pixels whose colour is no class's, such as those that JPEG has smeared, get the class that `label_colors` finds.
    """

    num_stored = 1

    def __init__(self, colors: Sequence[str]) -> None:
        self._colors = tuple(color for text in colors if (color := from_hex(text)) is not None)
        self._table = torch.tensor(self._colors, dtype=torch.uint8)

    def read(self, decoded: Pixels) -> Pixels:
        return label_colors(np.ascontiguousarray(decoded), self._colors)[:, :, None]

    @property
    def stored_as(self) -> object:
        return self._colors

    def share_unclear(self, decoded: Pixels, stored: Pixels) -> float:
        """Return the share of pixels whose colour is not exactly that of their class."""
        exact = np.asarray(self._colors, np.uint8)[stored[:, :, 0]] == decoded
        return 1 - float(exact.all(axis=2).mean())

    def resized(self, stored: Pixels, width: int, height: int, how: ResizeName = "bicubic") -> Pixels:  # noqa: ARG002
        return resize_nearest(stored, width, height)

    def seen(self, stored: Tensor) -> Tensor:
        one_hot = F.one_hot(stored[..., 0].long(), len(self._colors)).permute(0, 3, 1, 2)
        return one_hot.float().mul_(2).sub_(1).contiguous()

    def made(self, seen: Tensor, given: Tensor) -> Tensor:  # noqa: ARG002
        labels: Tensor = seen.argmax(1, keepdim=True).permute(0, 2, 3, 1).to(torch.uint8)
        return labels

    def shown(self, stored: Tensor) -> Tensor:
        colors: Tensor = self._table.to(stored.device)[stored[..., 0].long()]
        return colors

    def picture(self, stored: Tensor) -> Tensor:
        return self.shown(stored)


class Lightness(View):
    """L of CIE Lab, in one channel."""

    def seen(self, stored: Tensor) -> Tensor:
        return pixels_to_lab(stored)[:, :1] / L_SCALE - 1

    def made(self, seen: Tensor, given: Tensor) -> Tensor:  # noqa: ARG002
        lightness = (seen.float() + 1) * L_SCALE
        return lab_to_pixels(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], 1))

    def shown(self, stored: Tensor) -> Tensor:
        return self.made(self.seen(stored), stored)


class Colors(View):
    """a and b of CIE Lab; the lightness stays that of the first input, in its first channel."""

    def seen(self, stored: Tensor) -> Tensor:
        return pixels_to_lab(stored)[:, 1:] / AB_SCALE

    def made(self, seen: Tensor, given: Tensor) -> Tensor:
        return lab_to_pixels(torch.cat([(given[:, :1].float() + 1) * L_SCALE, seen.float() * AB_SCALE], 1))

    def shown(self, stored: Tensor) -> Tensor:
        return stored


def to_tensor(stored: Pixels) -> Tensor:
    """Take stored pixels into torch, where 16 bits are int32."""
    return torch.from_numpy(stored.astype(np.int32) if stored.dtype == np.uint16 else np.ascontiguousarray(stored))


def to_array(stored: Tensor) -> Pixels:
    """Take them back."""
    array: Pixels = stored.cpu().numpy()
    return array.astype(np.uint16) if array.dtype == np.int32 else array


def _stored(levels: Tensor, file: ChannelsName) -> Tensor:
    """Round levels (N, C, H, W) to the nearest, and move channels to the end."""
    dtype = torch.uint8 if CHANNELS[file].bits == 8 else torch.int32
    return levels.round().to(dtype).permute(0, 2, 3, 1).contiguous()


def view_of(spec: SideSpec) -> View:
    """Build the view that a side is seen by."""
    match spec.view:
        case "classes":
            return Classes(spec.colors)
        case "lightness":
            return Lightness()
        case "ab":
            return Colors()
        case "rgba" | "rgba16":
            return Transparent(spec.view)
    return Levels(spec.view, spec.levels)


@dataclass(frozen=True, slots=True)
class Views:
    """The views of all sides of a pair that a generator has to do with."""

    inputs: tuple[View, ...]
    target: View

    def given(self, stored: Sequence[Tensor]) -> Tensor:
        """Stack what the generator is given, (N, in_channels, H, W)."""
        seen = [view.seen(one) for view, one in zip(self.inputs, stored, strict=True)]
        return torch.cat(seen, 1) if len(seen) > 1 else seen[0]


def views_of(sides: Sides) -> Views:
    """Build the views of the sides."""
    return Views(tuple(map(view_of, sides.inputs)), view_of(sides.target))
