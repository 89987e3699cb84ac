"""How a picture that is too large for memory is cut into overlapping tiles, so that their seams do not show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pix2pix_data.errors import UsageError
from pix2pix_model.nets.receptive_field import receptive_field
from pix2pix_model.nets.spec import sides_taken

__all__ = ["Span", "Tiling", "most_pixels", "plan_tiles"]

_MEMORY_BYTES = 1 << 31
"""What the activations of one tile may take; with the program, the weights and the pictures it stays under 3 GB."""
_LIVE_ACTIVATIONS = 4
"""How many times its largest activation a generator takes at once: 3.3 to 3.9 measured on the U-Net of width 64."""
_PROBE_PX = 256
_MOST_SHARE = 2 / 3
"""Of a tile that overlaps its neighbour for the sake of exactness: nine times the work, at the worst."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a tile lies along one side of a picture.

    Attributes
    ----------
    first : int
        Its first pixel.
    weights : Tensor of shape (length,), float32
        How much each of its pixels counts; those of all spans add up to 1 at every pixel of the side.
    """

    first: int
    weights: Tensor

    @property
    def place(self) -> slice:
        return slice(self.first, self.first + len(self.weights))


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles of one size that cover a picture, in rows and columns.

    Attributes
    ----------
    height, width : int
        Of the picture, in pixels.
    tile_height, tile_width : int
    overlap : int
        Least overlap of neighbours, in pixels.
    exact : bool
        The overlap is as wide as a pixel sees, so that a tile is cut where it is what the whole picture would give.
        Otherwise neighbours are blended over half of their overlap.
    """

    height: int
    width: int
    tile_height: int
    tile_width: int
    overlap: int
    exact: bool

    @property
    def rows(self) -> list[Span]:
        return self._spans(self.height, self.tile_height)

    @property
    def columns(self) -> list[Span]:
        return self._spans(self.width, self.tile_width)

    @property
    def num_pixels(self) -> int:
        """Pixels of all tiles together."""
        down, across = (
            len(_firsts(side, tile, self.overlap))
            for side, tile in ((self.height, self.tile_height), (self.width, self.tile_width))
        )
        return down * across * self.tile_height * self.tile_width

    @property
    def words(self) -> str:
        """Say how many there are, and of what size."""
        num = self.num_pixels // (self.tile_height * self.tile_width)
        return f"{num} tiles of {self.tile_width}x{self.tile_height} px that overlap by {self.overlap} px or more"

    def covering(self) -> Iterator[tuple[slice, slice]]:
        """Return where tiles lie that cover the picture with as little overlap as can be: rows, columns."""
        for top in _firsts(self.height, self.tile_height, 0):
            for left in _firsts(self.width, self.tile_width, 0):
                yield slice(top, top + self.tile_height), slice(left, left + self.tile_width)

    def _spans(self, side: int, tile: int) -> list[Span]:
        firsts = _firsts(side, tile, self.overlap)
        place = torch.arange(side) + 0.5
        begun = [torch.ones(side)]  # 1 from where a tile has taken over from the one before
        for before, first in itertools.pairwise(firsts):
            end = before + tile
            ramp = 1e-3 if self.exact else (end - first) / 2
            share = ((place - (first + end) / 2) / ramp + 0.5).clamp(0, 1)
            begun.append(share * share * (3 - 2 * share))
        begun.append(torch.zeros(side))
        return [Span(first, (begun[i] - begun[i + 1])[first : first + tile]) for i, first in enumerate(firsts)]


def _firsts(side: int, tile: int, overlap: int) -> list[int]:
    """Return where tiles begin that cover a side; the last ends with it."""
    if tile >= side:  # it needs no neighbour, however wide the overlap would be
        return [0]
    num = 1 + math.ceil((side - tile) / (tile - overlap))
    return [min(i * (tile - overlap), side - tile) for i in range(num)]


@torch.inference_mode()
def most_pixels(generator: nn.Module, in_channels: int) -> int:
    """Return how many pixels a generator may be given at once; tried out on a small picture."""
    largest = 0

    def look(_: nn.Module, __: object, made: object) -> None:
        nonlocal largest
        largest = max(largest, made.numel() if isinstance(made, Tensor) else 0)

    hooks = [module.register_forward_hook(look) for module in generator.modules()]
    device = next(generator.parameters()).device
    side_px = max(_PROBE_PX, sides_taken(generator).multiple_px)
    try:
        with torch.random.fork_rng():  # dropout must not draw here what it draws for a picture
            generator(torch.zeros(1, in_channels, side_px, side_px, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return int(_MEMORY_BYTES / (_LIVE_ACTIVATIONS * 4 * largest / side_px**2))


def plan_tiles(generator: nn.Module, height: int, width: int, *, most: int, tile_px: int | None = None) -> Tiling:
    """Choose tiles for a picture.

    Parameters
    ----------
    generator : nn.Module
    height, width : int
        Of the picture, in pixels, multiples of the generator's.
    most : int
        Pixels of a tile that fit into memory.
    tile_px : int, optional
        Side of square tiles, rounded down to the generator's multiple; without it, those with which the least is
        computed.

    Returns
    -------
    Tiling
        With exact tiles, where there are such.

    Raises
    ------
    UsageError
        If `tile_px`, or memory, leaves no room for an overlap.
    """
    step = sides_taken(generator).multiple_px
    seen = -(-receptive_field(generator) // step) * step
    if tile_px is not None:
        side = tile_px // step * step
        if side < 2 * step:
            fix = f"give {2 * step} or more, or leave it out"
            raise UsageError(f"tiles of {tile_px} px leave no room for an overlap", where="--tile", fix=fix)
        return _tiling(height, width, (min(side, height), min(side, width)), seen, step, most_share=1 / 2)
    # Every height that leaves room for an overlap, with the width that memory leaves to it.
    sizes = [(down, min(most // down // step * step, width)) for down in range(min(2 * step, height), height + 1, step)]
    tilings = [
        _tiling(height, width, size, seen, step, most_share=_MOST_SHARE)
        for size in sizes
        if size[1] >= min(2 * step, width)
    ]
    if not tilings:
        raise UsageError(f"not even tiles of {2 * step} px fit into memory with this model", fix="give --size a number")
    return min(tilings, key=lambda tiling: (not tiling.exact, tiling.num_pixels))


def _tiling(height: int, width: int, tile: tuple[int, int], seen: int, step: int, *, most_share: float) -> Tiling:
    """Overlap tiles as widely as a pixel sees, or by half a tile where that is more than `most_share` of it."""
    room = min((size for size, side in zip(tile, (height, width), strict=True) if size < side), default=2 * seen)
    exact = seen <= most_share * room
    return Tiling(height, width, *tile, seen if exact else room // 2 // step * step, exact)
