"""A generator run on pictures as their views store them: of any size, at once or in tiles."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix_model.device import Device
from pix2pix_model.nets import sides_taken
from pix2pix_model.picture_norms import norms_of_one_picture
from pix2pix_model.tiles import Tiling
from pix2pix_model.views import Views, to_array, to_tensor

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels

__all__ = ["given_to", "padded_size", "padding_of", "run_generator", "run_in_tiles"]


@torch.inference_mode()
def run_generator(
    generator: nn.Module, views: Views, pictures: Sequence[Sequence[Pixels]], device: Device
) -> list[Pixels]:
    """Run a generator on pictures of one size: mirrored at their border up to its multiple, cut back after.

    Parameters
    ----------
    generator : nn.Module
        In eval mode, on the device; its `multiple_px` and `smallest_px` say what sides it takes.
    views : Views
        How it sees the pictures.
    pictures : sequence of sequence of ndarray of shape (H, W, C)
        For each picture its inputs, as their views store them.
    device : Device
        Where 16 bits are made, it computes in float32 all the same: half the bits of a float are no 16.

    Returns
    -------
    list of ndarray of shape (H, W, C)
        What was made of each, as the view of the target stores it.
    """
    height, width = pictures[0][0].shape[:2]
    stacked = [_padded(generator, np.stack(one)) for one in zip(*pictures, strict=True)]
    given = _given(views, stacked, device)
    made = to_array(views.target.made(_made(generator, given, views, device), given))
    top, left = _margins(generator, height, width)
    return [np.ascontiguousarray(one[top : top + height, left : left + width]) for one in made]


@torch.inference_mode()
def run_in_tiles(
    generator: nn.Module, views: Views, inputs: Sequence[Pixels], device: Device, *, tiling: Tiling
) -> Pixels:
    """Run a generator on one large picture, tile by tile; parameters as of `run_generator`.

    Norms that take the statistics of each picture take those of this one, measured beforehand in one more pass.

    Parameters
    ----------
    inputs : sequence of ndarray of shape (H, W, C)
    tiling : Tiling
        Of the picture at its `padded_size`.

    Returns
    -------
    ndarray of shape (H, W, C)
    """
    height, width = inputs[0].shape[:2]
    stored = [_padded(generator, one[None]) for one in inputs]

    def given(rows: slice, columns: slice) -> Tensor:
        return _given(views, [one[:, rows, columns] for one in stored], device)

    bands: list[Pixels] = []
    rows, columns = tiling.rows, tiling.columns
    with norms_of_one_picture(generator, (given(*place) for place in tiling.covering())):
        below: Tensor | None = None  # what the row of tiles before has made of the next one's first pixels
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            band: Tensor | None = None
            for column in columns:
                tile = _made(generator, given(row.place, column.place), views, device).float()
                if band is None:
                    band = tile.new_zeros(*tile.shape[:3], tiling.width)
                tile *= row.weights.to(tile.device)[:, None] * column.weights.to(tile.device)
                band[..., column.place] += tile
            assert band is not None
            if below is not None:
                band[:, :, : below.shape[2]] += below
            num_done = (following.first if following else tiling.height) - row.first
            done, below = band[:, :, :num_done], band[:, :, num_done:].clone()
            seen = given(slice(row.first, row.first + num_done), slice(None))
            bands.append(to_array(views.target.made(done, seen))[0])
    top, left = _margins(generator, height, width)
    return np.ascontiguousarray(np.concatenate(bands)[top : top + height, left : left + width])


def given_to(generator: nn.Module, views: Views, inputs: Sequence[Pixels], device: Device) -> Tensor:
    """Return what a generator is given of one picture, (1, in_channels, H, W): mirrored up to its multiple."""
    return _given(views, [_padded(generator, one[None]) for one in inputs], device)


def padded_size(generator: nn.Module, height: int, width: int) -> tuple[int, int]:
    """Return the height and width that a picture has once it is mirrored up to what a generator takes."""
    multiple_px, smallest_px = sides_taken(generator)
    down, right = (side + max(-side % multiple_px, smallest_px - side) for side in (height, width))
    return down, right


def padding_of(generator: nn.Module, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how many rows are added above and below, and how many columns on the left and on the right."""
    padded_height, padded_width = padded_size(generator, height, width)
    top, left = (padded_height - height) // 2, (padded_width - width) // 2
    return (top, padded_height - height - top), (left, padded_width - width - left)


def _margins(generator: nn.Module, height: int, width: int) -> tuple[int, int]:
    """Return how many rows are added above and how many columns on the left."""
    (top, _), (left, _) = padding_of(generator, height, width)
    return top, left


def _padded(generator: nn.Module, pictures: Pixels) -> Pixels:
    """Mirror (N, H, W, C) at its borders."""
    down, across = padding_of(generator, *pictures.shape[1:3])
    if not any(down + across):
        return pictures
    mirrored: Pixels = np.pad(pictures, ((0, 0), down, across, (0, 0)), mode="reflect")
    return mirrored


def _given(views: Views, stored: Sequence[Pixels], device: Device) -> Tensor:
    return views.given([to_tensor(one).to(device.torch_device) for one in stored])


def _made(generator: nn.Module, given: Tensor, views: Views, device: Device) -> Tensor:
    is_deep = views.target.dtype.itemsize > 1
    with nullcontext() if is_deep else device.autocast():
        made: Tensor = generator(given)  # (N, out_channels, H, W)
    return made
