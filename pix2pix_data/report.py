"""Pictures of a dataset for people: the preview sheet."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from pix2pix_data.dataset import PairDataset
from pix2pix_data.images import resize, write_png
from pix2pix_data.sheet import draw_sheet

__all__ = ["write_preview"]

_PAIRS_ACROSS = 3
_PAIRS_DOWN = 4
_CELL_PX = 256


def write_preview(dataset: PairDataset, path: Path) -> None:
    """Draw twelve pairs, evenly spread over the training split, as a sheet of A and B side by side."""
    total = dataset.num_pairs["train"]
    wanted = min(_PAIRS_ACROSS * _PAIRS_DOWN, total)
    chosen = {i * total // wanted for i in range(wanted)}
    encoded = (pair for i, pair in enumerate(dataset.encoded_pairs("train")) if i in chosen)
    cells, captions = [], []
    for pair in (one.decode() for one in islice(encoded, wanted)):
        scale = min(1.0, _CELL_PX / max(pair.a.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in pair.a.shape[:2])
        cells += [resize(pair.a, width, height), resize(pair.b, width, height)]
        captions += [pair.key, ""]
    across = 2 * min(_PAIRS_ACROSS, wanted)
    rows = [cells[i : i + across] for i in range(0, len(cells), across)]
    texts = [captions[i : i + across] for i in range(0, len(cells), across)]
    write_png(path, draw_sheet(rows, ["A", "B"] * (across // 2), texts))
