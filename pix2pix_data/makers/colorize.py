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

    recipe: ClassVar[str] = "colorize"

    def derive(self, photos: list[RGB]) -> list[RGB]:
        import numpy as np

        from pix2pix_data.images import to_lab

        lightness = [np.rint(to_lab(photo)[:, :, :1] * 2.55).astype(np.uint8) for photo in photos]  # (H, W, 1)
        return [np.repeat(gray, 3, axis=2) for gray in lightness]
