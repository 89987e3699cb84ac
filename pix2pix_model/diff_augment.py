"""Augmentation of what the discriminator sees, through which the generator learns: for small datasets.

Real and generated pairs of a step are augmented by the same draws, A and B moved and cut alike. Colours are changed in
B alone: those of a label map or a drawing are what it says, not how it looks.

References
----------
Zhao et al. 2020, arXiv:2006.10738 (DiffAugment), section 4 and appendix; ranges are those of its authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_model.nets import Rows

__all__ = ["Augmentation", "draw_augmentation"]

_MOST_MOVED = 1 / 8  # of the side
_CUT_OUT = 1 / 2  # of the side


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What happens to each pair of a batch; empty where it is not augmented so.

    Attributes
    ----------
    color : Tensor of shape (3, N, 1, 1, 1)
        Brightness in [-0.5, 0.5), saturation in [0, 2) and contrast in [0.5, 1.5).
    grid : Tensor of shape (N, H, W, 2)
        Where each pixel comes from, in [-1, 1] where it comes from within the picture.
    kept : Tensor of shape (N, 1, H, W)
        0 where a square is cut out, else 1.
    """

    color: Tensor | None = None
    grid: Tensor | None = None
    kept: Tensor | None = None

    def colored(self, b: Tensor) -> Tensor:
        """Change the colours of B, (N, C, H, W) in [-1, 1]; the result may leave that range."""
        if self.color is None:
            return b
        brightness, saturation, contrast = self.color.unbind()
        b = b + brightness
        gray = b.mean(1, keepdim=True)
        b = gray + (b - gray) * saturation
        mean = b.mean((1, 2, 3), keepdim=True)
        return mean + (b - mean) * contrast

    def placed(self, pair: Tensor) -> Tensor:
        """Move a pair, (N, C, H, W), by whole pixels and cut a square out of it; 0 comes in."""
        if self.grid is not None:
            pair = F.grid_sample(pair, self.grid, mode="nearest", padding_mode="zeros", align_corners=False)
        return pair if self.kept is None else pair * self.kept


def draw_augmentation(kinds: Sequence[str], b: Tensor, part: Rows | None = None) -> Augmentation:
    """Draw from torch's global generator what happens to each pair of a batch.

    Parameters
    ----------
    kinds : sequence of {"color", "translation", "cutout"}
    b : Tensor of shape (N, C, H, W)
        For its sizes and its device.
    part : Rows, optional
        Where `b` is some rows of a batch: it is drawn for all of these.

    Returns
    -------
    Augmentation
    """
    num, _, height, width = b.shape
    drawn, own = (num, slice(None)) if part is None else (part.num, part.slice)
    sides = torch.stack([b.new_full((), side) for side in (height, width)])  # filled there: a copy would wait
    color = grid = kept = None
    if "color" in kinds:
        draws = torch.rand(3, drawn, 1, 1, 1, device=b.device)[:, own]
        color = torch.stack([draws[0] - 0.5, draws[1] * 2, draws[2] + 0.5])
    rows, columns = (torch.arange(side, device=b.device) for side in (height, width))
    if "translation" in kinds:
        most = (sides * _MOST_MOVED + 0.5).floor()
        moved = (torch.rand(drawn, 2, device=b.device)[own] * (2 * most + 1)).floor() - most  # (N, 2), in pixels
        from_row = (rows + moved[:, :1] + 0.5) * 2 / height - 1  # (N, H)
        from_column = (columns + moved[:, 1:] + 0.5) * 2 / width - 1  # (N, W)
        across = from_column[:, None, :].expand(num, height, width)
        grid = torch.stack([across, from_row[:, :, None].expand(num, height, width)], dim=-1)  # (N, H, W, 2)
    if "cutout" in kinds:
        cut = (sides * _CUT_OUT + 0.5).floor()
        top, left = ((torch.rand(drawn, 2, device=b.device)[own] * (sides + 1 - cut % 2)).floor() - (cut / 2).floor()).T
        in_rows = (rows >= top[:, None]) & (rows < top[:, None] + cut[0])  # (N, H)
        in_columns = (columns >= left[:, None]) & (columns < left[:, None] + cut[1])  # (N, W)
        kept = (~(in_rows[:, :, None] & in_columns[:, None, :])).to(b.dtype)[:, None]
    return Augmentation(color, grid, kept)
