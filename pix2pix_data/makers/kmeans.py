"""Segments: flat regions in a few colours, found by k-means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from pix2pix_data.errors import BuildError, ImageError
from pix2pix_data.maker import LEARNED, PAIR_MAKERS, PhotoMaker
from pix2pix_data.pair import PairPlan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.pair import RGB
    from pix2pix_data.palette import Palette

_MAX_PHOTOS = 256
_MAX_PIXELS = 1 << 17  # k-means on more takes longer and moves no colour by more than a grey level or two
_MEDIAN_PX = 5


@PAIR_MAKERS.register("kmeans")
class KMeansMaker(PhotoMaker):
    """Pair each photo with its k-means segments: A is flat regions in a few colours, B the photo.

    One palette serves the whole dataset, so a colour means the same in every picture. It is fitted in Lab on a sample
    of pixels of the training split and written to palette.json.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data kmeans ./cityscapes",
        "p2p-data kmeans ./cityscapes --colors 12 --size 512x256",
    )

    recipe: ClassVar[str] = "cityscapes-kmeans"

    colors: int = Field(8, ge=2, le=256, description="How many colours the palette has.")
    per_image: bool = Field(False, description="Fit a palette to each photo by itself instead of one for all.")
    min_region: int = Field(64, ge=0, description="Regions of fewer pixels join their nearest neighbour.")
    kmeans_seed: int = Field(0, ge=0, description="Seed of the k-means starts and of the sample of pixels.")
    palette: tuple[tuple[int, int, int], ...] = Field((), json_schema_extra=LEARNED)
    shares: tuple[float, ...] = Field((), json_schema_extra=LEARNED)

    def fitted(self, plans: Sequence[PairPlan]) -> Self:
        if self.per_image:
            return self
        palette = self._fit(self._sample(plans))
        return self.model_copy(update={"palette": palette.colors, "shares": palette.shares})

    def derive(self, photos: list[RGB]) -> list[RGB]:
        return [self._segments(photo) for photo in photos]

    def extra_files(self) -> dict[str, str]:
        from pix2pix_data.palette import Palette, palette_json

        return {} if self.per_image else {"palette.json": palette_json(Palette(self.palette, self.shares))}

    def _segments(self, photo: RGB) -> RGB:
        import cv2
        import numpy as np

        from pix2pix_data.palette import clean_regions, nearest_labels

        smooth = cv2.medianBlur(photo, _MEDIAN_PX).astype(np.uint8, copy=False)
        colors = self.palette
        if self.per_image:
            colors = self._fit(_spread(smooth.reshape(-1, 3), _MAX_PIXELS // 16)).colors
        labels = clean_regions(nearest_labels(smooth, colors), self.min_region)
        return np.array(colors, np.uint8)[labels]

    def _fit(self, pixels: npt.NDArray[np.uint8]) -> Palette:
        from pix2pix_data.palette import fit_palette

        return fit_palette(pixels, self.colors, seed=self.kmeans_seed)

    def _sample(self, plans: Sequence[PairPlan]) -> npt.NDArray[np.uint8]:
        """Draw pixels from photos spread over the training split; a photo that cannot be read is reported later."""
        import numpy as np

        chosen = np.random.default_rng(self.kmeans_seed).permutation(len(plans))[:_MAX_PHOTOS]
        samples = []
        for i in sorted(chosen):
            try:
                photo, _ = self.read_target(plans[i].sources[0])
            except ImageError:
                continue
            samples.append(_spread(photo.reshape(-1, 3), _MAX_PIXELS // len(chosen)))
        if not samples:
            raise BuildError("no photo of the training split could be read to fit the palette on")
        return np.concatenate(samples)


def _spread(pixels: npt.NDArray[np.uint8], num_wanted: int) -> npt.NDArray[np.uint8]:
    """Take pixels at even steps; a step that is odd walks through the columns of an even width."""
    step = max(1, len(pixels) // max(1, num_wanted)) | 1
    return pixels[::step]
