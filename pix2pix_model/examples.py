"""A few pictures that a model may be given, kept in its folder: its dataset may be gone when somebody paints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pix2pix_data.images import resize, resize_nearest
from pix2pix_data.redraw import clean_drawing, snap
from pix2pix_data.side_facts import side_facts, spread_pairs

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.pair import RGB
    from pix2pix_data.side_facts import SideFacts
    from pix2pix_model.picture_size import PictureSize
    from pix2pix_model.recipe import Side

__all__ = ["given_examples"]

_NUM_EXAMPLES = 3


def given_examples(dataset: PairDataset, side: Side, size: PictureSize) -> list[RGB]:
    """Take pictures of the side that is given, spread over the split that was held out, in the size trained on.

    Returns
    -------
    list of ndarray of shape (*size, 3), uint8
        Three, or as many as the split has.
    """
    split = next(name for name in ("validation", "test", "train") if name in dataset.num_pairs)
    pairs = [encoded.decode() for encoded in spread_pairs(dataset, _NUM_EXAMPLES, split)]
    facts = side_facts(dataset, side)
    return [_example(facts, pair.a if side == "A" else pair.b, size) for pair in pairs]


def _example(facts: SideFacts, picture: RGB, size: PictureSize) -> RGB:
    """Bring a picture to size; lines and classes get their exact colours, whatever JPEG did to them."""
    if facts.kind == "segments":
        return clean_drawing(facts, resize_nearest(picture, size.width, size.height), size.width, size.height)
    return snap(facts, resize(picture, size.width, size.height))
