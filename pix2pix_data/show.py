"""Pairs as a picture: a contact sheet of a split, or one pair enlarged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import UsageError
from pix2pix_data.registry import nearest
from pix2pix_data.sheet import draw_sheet

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["draw_pair", "find_pair"]

_ENLARGED_PX = (384, 768)


def find_pair(dataset: PairDataset, key: str, split: str | None = None) -> tuple[str, int]:
    """Look a pair up by its key, or by split/key as a check names it.

    Parameters
    ----------
    dataset : PairDataset
    key : str
    split : str, optional
        Look in this split alone; without it the first split that has the key is taken.

    Returns
    -------
    (str, int)
        Its split, and its position there.

    Raises
    ------
    UsageError
        If there is none; it names the nearest key.
    FormatError
        If there is no such split.
    """
    keys = {name: dataset.keys(name) for name in ([split] if split else dataset.num_pairs)}
    for name, found in keys.items():
        for wanted in (key, key.removeprefix(f"{name}/")):
            if wanted in found:
                return name, found.index(wanted)
    without_split = next((key.removeprefix(f"{name}/") for name in keys if key.startswith(f"{name}/")), key)
    guess = nearest(without_split, [one for found in keys.values() for one in found])
    fix = f"did you mean {guess!r}?" if guess else "look for it with p2p-data report, which names keys"
    raise UsageError(f"no pair is called {key!r}", where=dataset.path, fix=fix)


def draw_pair(dataset: PairDataset, split: str, position: int) -> RGB:
    """Draw one pair enlarged: A, B, and both in one, where a shift shows; of shape (height, width, 3)."""
    (encoded,) = dataset.encoded_pairs(split, {position})
    pair = encoded.decode()
    both = cv2.addWeighted(pair.a, 0.5, pair.b, 0.5, 0).astype("uint8", copy=False)
    return draw_sheet([(pair.a, pair.b, both)], ("A", "B", "A and B"), [f"{split}/{pair.key}"], cell_px=_ENLARGED_PX)
