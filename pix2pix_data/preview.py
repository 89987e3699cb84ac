"""The preview sheet of a dataset: pairs and palette in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.dataset import PairDataset
from pix2pix_data.images import write_png
from pix2pix_data.palette_file import Palette, read_palette, to_hex
from pix2pix_data.sheet import draw_sheet, draw_swatches, to_cell

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["draw_pairs", "evenly_spread", "write_preview"]

_NUM_PAIRS = 12


def evenly_spread(total: int, wanted: int) -> list[int]:
    """Choose `wanted` positions out of `total`, in order and evenly spread; all of them where there are fewer.

    Examples
    --------
    >>> evenly_spread(10, 4), evenly_spread(2, 4)
    ([0, 2, 5, 7], [0, 1])
    """
    wanted = min(wanted, total)
    return [i * total // wanted for i in range(wanted)]


def write_preview(dataset: PairDataset, path: Path) -> None:
    """Draw twelve pairs, evenly spread over the training split, as a sheet of A and B; and the palette, if any."""
    sheet = draw_pairs(dataset, "train", _NUM_PAIRS)
    palette_path = dataset.path / "palette.json"
    if palette_path.is_file():
        sheet = np.concatenate([sheet, _draw_palette(read_palette(palette_path), sheet.shape[1])])
    write_png(path, sheet)


def draw_pairs(dataset: PairDataset, split: str, num_pairs: int) -> RGB:
    """Draw pairs, evenly spread over a split, as a sheet of A and B of shape (height, width, 3).

    Raises
    ------
    FormatError
        If there is no such split.
    ImageError
        If one of the pairs cannot be read; it names the pair.
    """
    chosen = evenly_spread(dataset.num_pairs.get(split, 0), num_pairs)
    groups, keys = [], []
    for encoded in dataset.encoded_pairs(split, set(chosen)):
        pair = encoded.decode()
        groups.append((to_cell(pair.a), to_cell(pair.b)))  # large photos are not kept
        keys.append(pair.key)
    return draw_sheet(groups, ("A", "B"), keys)


def _draw_palette(palette: Palette, width: int) -> RGB:
    shares = [f", {share:.1%}" for share in palette.shares] or [""] * len(palette.colors)
    texts = [f"{palette.name_of(i)} {to_hex(color)}{shares[i]}" for i, color in enumerate(palette.colors)]
    return draw_swatches(list(zip(palette.colors, texts, strict=True)), width, title=palette.note)
