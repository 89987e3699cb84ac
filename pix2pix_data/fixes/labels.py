"""The colours that the labels of a dataset had, before JPEG or a resize smeared some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.label_map import LabelPicture, learn_reading, share_clear
from pix2pix_data.palette_file import Palette, read_palette
from pix2pix_data.preview import evenly_spread

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.mends import SnapLabels

__all__ = ["learn_palette"]

_MOST_MAPS = 64
_MOST_PIXELS = 1 << 25  # 32 megapixels, whatever the size of one
_LEAST_CLEAR = 0.65  # of the pixels of smeared maps; measured: facades 0.78, Cityscapes 0.90, the photos beside 0.45


def learn_palette(dataset: PairDataset, mend: SnapLabels, names: Sequence[str], *, trust_file: bool) -> Palette:
    """Find the class colours of label maps.

    Parameters
    ----------
    dataset : PairDataset
    mend : SnapLabels
        Names the published set that they are of, if any. Otherwise palette.json says them, or they are counted: in
        sound maps, where at least half are.
    names : sequence of str
        The pairs that may be looked at, as split/key.
    trust_file : bool
        palette.json may be taken.

    Returns
    -------
    Palette
        With the share of the pixels that each colour has.

    Raises
    ------
    FormatError
        If too few pixels of the smeared maps are near a colour of it.
    """
    smeared = set(mend.names)
    sound = [name for name in names if name not in smeared]
    look_at = sound if len(sound) >= len(names) / 2 else names
    palette = LABEL_PALETTES.get(mend.palette)
    palette_path = dataset.path / "palette.json"
    if palette is None and trust_file and mend.side == "A" and palette_path.is_file():
        palette = read_palette(palette_path)
    palette = learn_reading(list(_maps(dataset, mend, look_at)), palette, by_index=False).palette
    share = share_clear(list(_maps(dataset, mend, mend.names)), palette)
    if share < _LEAST_CLEAR:
        raise FormatError(
            f"{1 - share:.0%} of the pixels have the colour of no class",
            where=dataset.path,
            fix="build anew from the label maps, with p2p-data labels --palette",
        )
    return palette


def _maps(dataset: PairDataset, mend: SnapLabels, names: Sequence[str]) -> Iterator[LabelPicture]:
    """Read some of the maps, evenly spread."""
    chosen = {names[i] for i in evenly_spread(len(names), _MOST_MAPS)}
    pixels_left = _MOST_PIXELS
    for split in dataset.num_pairs:
        positions = {i for i, key in enumerate(dataset.keys(split)) if f"{split}/{key}" in chosen}
        for encoded in dataset.encoded_pairs(split, positions) if positions else ():
            if pixels_left <= 0:
                return
            try:
                pair = encoded.decode()
            except ImageError:
                continue  # left out, and told
            rgb = pair.a if mend.side == "A" else pair.b
            pixels_left -= rgb.size // 3
            yield LabelPicture(rgb, None, has_colors=True)
