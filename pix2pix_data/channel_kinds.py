"""What a pixel may consist of: gray or colour, with transparency, 8 or 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

__all__ = ["CHANNELS", "Channels", "ChannelsName"]

ChannelsName: TypeAlias = Literal["gray", "gray16", "rgb", "rgb16", "rgba", "rgba16"]


@dataclass(frozen=True, slots=True)
class Channels:
    """What a pixel consists of.

    Attributes
    ----------
    num : int
        1 (gray), 3 (RGB) or 4 (RGB and alpha, not premultiplied).
    bits : int
        8 or 16; levels go from 0 to 2**bits - 1.
    """

    num: int
    bits: int

    @property
    def mode(self) -> str:
        """Pillow's mode, which has 8 bits of 16 in colour."""
        return {1: "L" if self.bits == 8 else "I;16", 3: "RGB", 4: "RGBA"}[self.num]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)


CHANNELS: dict[ChannelsName, Channels] = {
    "gray": Channels(1, 8),
    "gray16": Channels(1, 16),
    "rgb": Channels(3, 8),
    "rgb16": Channels(3, 16),
    "rgba": Channels(4, 8),
    "rgba16": Channels(4, 16),
}
