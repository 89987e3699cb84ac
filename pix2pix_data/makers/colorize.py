"""Colourisation: the photo from its lightness."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field

from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.pair import RGB

    Levels: TypeAlias = npt.NDArray[np.uint8]  # (H, W)

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
        return [_as_rgb(self._gray(photo)) for photo in photos]

    def sides_of(self, photos: list[RGB]) -> Iterator[tuple[RGB, bytes | None]]:
        from pix2pix_data.png import png_of_levels

        for gray in map(self._gray, photos):
            yield _as_rgb(gray), png_of_levels(gray[:, :, None])

    def _gray(self, photo: RGB) -> Levels:
        import cv2
        import numpy as np

        if self.gray == "lightness":
            return _lightness(photo)
        return cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _as_rgb(gray: Levels) -> RGB:
    import cv2
    import numpy as np

    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)


def _lightness(photo: RGB) -> Levels:
    """Return the level of the gray that is as light as each pixel, (H, W)."""
    import cv2
    import numpy as np

    from pix2pix_data.color_table import to_lab

    light = cv2.extractChannel(to_lab(photo), 0)
    between, steps = _gray_steps()
    grays = steps.take((light * np.float32(_STEPS_PER_UNIT)).astype(np.intp))
    # A step holds at most one border between two grays, and says the one below it.
    levels: Levels = grays + (light > between.take(grays))
    return levels


@functools.cache
def _gray_steps() -> tuple[npt.NDArray[np.float32], Levels]:
    """Return the lightness halfway from each gray to the next, shape (256,), and the gray at each fine step of it."""
    import numpy as np

    from pix2pix_data.color_table import to_lab

    grays = to_lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))[:, 0]  # L of each level, rising
    between = np.full(256, np.inf, np.float32)
    between[:-1] = (grays[1:] + grays[:-1]) / 2
    starts = np.arange(100 * _STEPS_PER_UNIT + 2, dtype=np.float32) / _STEPS_PER_UNIT
    return between, np.searchsorted(between, starts).astype(np.uint8)
