"""A few pictures that a model may be given, kept in its folder: its dataset may be gone when somebody paints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pix2pix_data.images import resize, resize_nearest
from pix2pix_data.side_facts import side_facts, spread_pairs

if TYPE_CHECKING:
    from pix2pix_data.dataset import PairDataset
    from pix2pix_data.pair import RGB
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
    to_size = resize_nearest if side_facts(dataset, side).kind == "segments" else resize
    return [to_size(pair.a if side == "A" else pair.b, size.width, size.height) for pair in pairs]
