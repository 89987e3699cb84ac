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

    Levels: TypeAlias = npt.NDArray[np.uint8]
    Floats: TypeAlias = npt.NDArray[np.float32]

_LUMINANCE = (0.212671, 0.715160, 0.072169)  # ITU-R BT.709, to the digits that OpenCV and scikit-image have too
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # CIE 15:2004: where the cube root becomes a line, at L = 8, and its slope
_STEPS = 1 << 12  # of luminance; two neighbouring grays are never nearer than 1/3294


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
    """Return the level of the gray that is as light as each pixel, (H, W).

    Lightness rises with luminance and with nothing else, so no cube root is taken of a pixel.
    """
    import cv2
    import numpy as np

    linear, between, steps = _gray_steps()
    luminance = cv2.transform(cv2.LUT(photo, linear), np.ones((1, 3), np.float32))
    grays = steps.take((luminance * np.float32(_STEPS)).astype(np.intp))
    # A step holds at most one border between two grays, and says the one below it.
    levels: Levels = grays + (luminance > between.take(grays))
    return levels


@functools.cache
def _gray_steps() -> tuple[Floats, Floats, Levels]:
    """Return what levels of red, green and blue add to luminance, (1, 256, 3), and which gray a luminance is.

    The latter as the borders between grays, (256,), halfway in lightness, and the gray at each fine step.
    """
    import numpy as np

    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    light = np.where(linear > _EPSILON, 116 * np.cbrt(linear) - 16, _KAPPA * linear)
    halfway = (light[1:] + light[:-1]) / 2
    between = np.append(np.where(halfway > 8, ((halfway + 16) / 116) ** 3, halfway / _KAPPA), np.inf)
    steps = np.searchsorted(between, np.arange(_STEPS + 2) / _STEPS)
    return (linear[:, None] * _LUMINANCE).astype(np.float32)[None], between.astype(np.float32), steps.astype(np.uint8)
