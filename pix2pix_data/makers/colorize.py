"""Colourisation: the photo from its lightness."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pix2pix_data.maker import PAIR_MAKERS, PhotoMaker

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB


@PAIR_MAKERS.register("colorize")
class ColorizeMaker(PhotoMaker):
    """Pair each photo with its lightness: A is gray, B the photo.

    A is the L of CIE Lab, scaled from [0, 100] to [0, 255]: two colours that look equally light become one gray.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data colorize ./photos",
        "p2p-data colorize ./photos --size 512 --out gray-to-colour",
    )

    def derive(self, photos: list[RGB]) -> list[RGB]:
        import cv2
        import numpy as np

        lightness = [cv2.cvtColor(photo, cv2.COLOR_RGB2Lab)[:, :, :1] for photo in photos]  # (H, W, 1)
        return [np.repeat(gray, 3, axis=2).astype(np.uint8, copy=False) for gray in lightness]
