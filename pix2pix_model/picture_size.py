"""The size of pictures as recipes and models state it: one number where they are square, else [height, width]."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["PictureSize", "Size"]

_FEWEST_PX, _MOST_PX = 16, 4096


class PictureSize(NamedTuple):
    """Height and width in pixels; in words WIDTHxHEIGHT, as everywhere, or one number for a square."""

    height: int
    width: int

    def __str__(self) -> str:
        return str(self.height) if self.is_square else f"{self.width}x{self.height}"

    @property
    def is_square(self) -> bool:
        return self.height == self.width

    @property
    def shorter(self) -> int:
        return min(self)

    @property
    def common(self) -> int:
        """The largest number that divides both sides: what can be halved of it can be halved of both."""
        return math.gcd(*self)

    @property
    def as_number(self) -> int | list[int]:
        """What is written to TOML and JSON."""
        return self.height if self.is_square else list(self)


def _parse(value: object) -> PictureSize:
    sides = value if isinstance(value, (list, tuple)) else (value, value)
    if len(sides) == 2 and all(type(side) is int and _FEWEST_PX <= side <= _MOST_PX for side in sides):
        return PictureSize(*sides)
    raise ValueError(f"should be a number from {_FEWEST_PX} to {_MOST_PX}, or [height, width], not {value!r}")


Size = Annotated[PictureSize, BeforeValidator(_parse), PlainSerializer(lambda size: size.as_number)]
"""A field of a settings model that holds a size: reads 256 and [256, 512], and writes what it reads."""
