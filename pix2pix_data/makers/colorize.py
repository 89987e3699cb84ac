"""Colourisation: the photo from its lightness."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

_STEPS_PER_UNIT = 32  # of lightness, 0 to 100; two neighbouring grays are never nearer than a quarter of a unit


@PAIR_MAKERS.register("colorize")
class ColorizeMaker(PhotoMaker):
    """Pair each photo with its lightness: A is gray, B the photo.

    A has the lightness of the photo, L of CIE Lab: two colours that look equally light become one gray. The recipe
    colorize trains in Lab as the paper does; there it takes L from the photo itself, to more than 8 bits.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data colorize ./photos",
        "p2p-data colorize ./photos --size 512 --out gray-to-colour",
        "p2p-data colorize ./photos --gray luma",
    )

    trained_by: ClassVar[str] = "colorize"

    gray: Literal["lightness", "luma"] = Field(
        "lightness",
        description=(
            "What the gray keeps: the lightness that the eye sees (L of CIE Lab), "
            "or the luma of Rec. 601, as cameras, television and most programs make gray."
        ),
    )

    def derive(self, photos: list[RGB]) -> list[RGB]:
        import cv2
        import numpy as np

        to_gray = _lightness if self.gray == "lightness" else lambda photo: cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        return [np.repeat(to_gray(photo)[:, :, None], 3, axis=2) for photo in photos]


def _lightness(photo: RGB) -> npt.NDArray[np.uint8]:
    """Return the level of the gray that is as light as each pixel, (H, W)."""
    import numpy as np

    from pix2pix_data.color_table import to_lab

    light = to_lab(photo)[:, :, 0]
    between, steps = _gray_steps()
    grays = steps[(light * _STEPS_PER_UNIT).astype(np.uint16)]
    # A step holds at most one border between two grays, and says the one below it.
    return grays + (light > between[grays])


@functools.cache
def _gray_steps() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the lightness halfway from each gray to the next, shape (256,), and the gray at each fine step of it."""
    import numpy as np

    from pix2pix_data.color_table import to_lab

    grays = to_lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))[:, 0]  # L of each level, rising
    between = np.full(256, np.inf, np.float32)
    between[:-1] = (grays[1:] + grays[:-1]) / 2
    starts = np.arange(100 * _STEPS_PER_UNIT + 2, dtype=np.float32) / _STEPS_PER_UNIT
    return between, np.searchsorted(between, starts).astype(np.uint8)
