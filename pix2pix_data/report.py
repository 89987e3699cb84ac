"""Pictures of a dataset for people: the preview sheet."""

from __future__ import annotations

from pathlib import Path

from pix2pix_data.dataset import PairDataset
from pix2pix_data.images import write_png
from pix2pix_data.sheet import draw_sheet

__all__ = ["write_preview"]

_NUM_PAIRS = 12


def write_preview(dataset: PairDataset, path: Path) -> None:
    """Draw twelve pairs, evenly spread over the training split, as a sheet of A and B side by side."""
    total = dataset.num_pairs["train"]
    wanted = min(_NUM_PAIRS, total)
    chosen = {i * total // wanted for i in range(wanted)}
    pairs = [encoded.decode() for encoded in dataset.encoded_pairs("train", chosen)]
    write_png(path, draw_sheet([(pair.a, pair.b) for pair in pairs], ("A", "B"), [pair.key for pair in pairs]))
