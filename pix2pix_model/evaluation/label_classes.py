"""Which side of a dataset shows labels, which colours its classes have, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.color_table import color_table, paint_labels
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.images import resize_nearest
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.label_map import label_colors
from pix2pix_data.palette_file import Palette, read_palette
from pix2pix_model.recipe import Side

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap

__all__ = ["LabelClasses", "find_classes"]

_CITYSCAPES = LABEL_PALETTES["cityscapes"].colors
_CITYSCAPES_EVALUATED = 19  # the classes with a trainId (cityscapesScripts, labels.py), which stand first
_NOT_A_CLASS = ("void", "unlabeled", "ignore")
_PAIRS_LOOKED_AT = 8
_CLEAR = 24  # grey levels from the colour of a class, as in pix2pix_data.label_map
_BELIEVED_BY = 0.5  # share of such pixels; of the label side of facades, small JPEGs, 0.81 are
_KNOWN_BY = 0.7  # street photos have up to 0.45 within the grays of Cityscapes
_KNOWN_CLASSES, _CLASS_SHARE = 4, 0.005  # a black and white mask has two of those colours too, and is not Cityscapes


@dataclass(frozen=True, slots=True)
class LabelClasses:
    """The classes of a dataset's label maps.

    Attributes
    ----------
    palette : Palette
        Colours and names of all classes; those that count stand first.
    num_evaluated : int
        How many count: pixels of the others are left out.
    side : {"A", "B"}
        Which side shows them.
    source : str
        Where they are known from.
    """

    palette: Palette
    num_evaluated: int
    side: Side
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes that count."""
        return tuple(self.palette.name_of(i) for i in range(self.num_evaluated))

    def true_labels(self, picture: RGB, height: int, width: int) -> LabelMap:
        """Read the label side of a pair at its own size, and bring the labels to another size by nearest pixels.

        So no class comes in between two others, which a resized picture has. Returns uint8 (height, width).
        """
        labels = label_colors(picture, self.palette.colors)
        if labels.shape == (height, width):
            return labels
        return np.ascontiguousarray(resize_nearest(np.repeat(labels[:, :, None], 3, axis=2), width, height)[:, :, 0])

    def nearest(self, picture: RGB) -> LabelMap:
        """Give each pixel of a made label picture the class that counts of the colour nearest to it in Lab."""
        return color_table(self.palette.colors[: self.num_evaluated]).labels(picture)

    def painted(self, labels: LabelMap) -> RGB:
        """Paint labels (H, W) in the colours of their classes."""
        return paint_labels(labels, self.palette.colors)


def find_classes(dataset: PairDataset, palette: str | None = None) -> LabelClasses | None:
    """Find the classes of a dataset, if one of its sides shows labels.

    Parameters
    ----------
    dataset : PairDataset
    palette : str, optional
        Name of a published set ("facades", "cityscapes"), or a file like palette.json. Without it the dataset's own
        palette.json is taken, or a published palette that the pictures have the colours of.

    Returns
    -------
    LabelClasses or None
        None where neither side shows labels that are known.

    Raises
    ------
    FormatError
        If a palette cannot be read, or was given and is that of neither side.
    UsageError
        If no palette is called so.
    """
    own = dataset.path / "palette.json"
    if palette is not None:
        classes = _with_side(dataset, _named(palette), palette, needed=_BELIEVED_BY)
        if classes is None:
            what = f"neither side of the pairs has the colours of {palette}"
            raise FormatError(what, where=dataset.path, fix="give the palette of its label maps")
        return classes
    if own.is_file():
        return _with_side(dataset, read_palette(own), "palette.json", needed=_BELIEVED_BY)
    found = (
        _with_side(dataset, known, f"{name}, by its colours", needed=_KNOWN_BY)
        for name, known in LABEL_PALETTES.items()
    )
    return next((classes for classes in found if classes is not None), None)


def _named(palette: str) -> Palette:
    if palette in LABEL_PALETTES:
        return LABEL_PALETTES[palette]
    if not Path(palette).is_file():
        fix = f"choose from {', '.join(LABEL_PALETTES)}, or give a file like palette.json"
        raise UsageError(f"there is no palette {palette!r}", where="--palette", fix=fix)
    return read_palette(Path(palette))


def _with_side(dataset: PairDataset, palette: Palette, source: str, *, needed: float) -> LabelClasses | None:
    """Take the side that has more pixels of clear class colours, if it has enough of them."""
    split, total = next(iter(dataset.num_pairs.items()))
    wanted = {i * total // _PAIRS_LOOKED_AT for i in range(_PAIRS_LOOKED_AT)}
    pairs = [encoded.decode() for encoded in dataset.encoded_pairs(split, wanted)]
    sides: tuple[tuple[Side, list[RGB]], ...] = (("A", [pair.a for pair in pairs]), ("B", [pair.b for pair in pairs]))
    shares = {side: np.mean([_class_shares(one, palette) for one in pictures], axis=0) for side, pictures in sides}
    side = max(shares, key=lambda one: float(shares[one].sum()))
    if shares[side].sum() < needed:
        return None
    if needed == _KNOWN_BY and (shares[side] > _CLASS_SHARE).sum() < _KNOWN_CLASSES:
        return None
    return LabelClasses(palette, _num_evaluated(palette), side, source)


def _class_shares(picture: RGB, palette: Palette) -> npt.NDArray[np.float64]:
    """Return the part of the pixels that clearly has the colour of each class."""
    labels = color_table(palette.colors).labels(picture)
    differences = np.abs(picture.astype(np.int16) - np.array(palette.colors, np.int16)[labels]).max(axis=2)
    return np.bincount(labels[differences <= _CLEAR], minlength=len(palette.colors)) / labels.size


def _num_evaluated(palette: Palette) -> int:
    if palette.colors[:_CITYSCAPES_EVALUATED] == _CITYSCAPES[:_CITYSCAPES_EVALUATED]:
        return _CITYSCAPES_EVALUATED
    num = len(palette.colors)
    while num > 1 and palette.name_of(num - 1).lower() in _NOT_A_CLASS:
        num -= 1
    return num
