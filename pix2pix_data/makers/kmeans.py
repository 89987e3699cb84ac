"""Segments: flat regions in a few colours, found by k-means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_serializer, field_validator

from pix2pix_data.errors import BuildError, ImageError
from pix2pix_data.maker import LEARNED, PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.pair import PairPlan
from pix2pix_data.palette_file import (
    MAX_COLORS,
    Color,
    Palette,
    fingerprint,
    palette_json,
    read_names,
    read_palette,
    with_names,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pix2pix_data.pair import RGB, LabelMap

_NUM_COLORS = 8
_MAX_PHOTOS = 128
_MAX_PIXELS = 1 << 17  # k-means on more takes longer and moves no colour by more than a grey level or two
_MAX_PIXELS_OF_ONE = 1 << 15  # of a photo that has a palette of its own
_MEDIAN_PX = 5
_SHIFT_PX, _SHIFT_COLOR = 8, 16  # radii of mean shift: in pixels, and in grey levels


@PAIR_MAKERS.register("kmeans")
class KMeansMaker(PhotoMaker):
    """Pair each photo with its k-means segments: A is flat regions in a few colours, B the photo.

    One palette serves the whole dataset, so a colour means the same in every picture. It is fitted in Lab on a sample
    of pixels of the training split and written to palette.json.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data kmeans ./cityscapes",
        "p2p-data kmeans ./cityscapes --colors 12 --size 512x256 --names names.toml",
        "p2p-data kmeans ./new-photos --palette cityscapes-kmeans/palette.json",
    )

    trained_by: ClassVar[str] = "cityscapes-kmeans"

    colors: int | None = Field(
        None, ge=2, le=MAX_COLORS, description=f"How many colours the palette has; {_NUM_COLORS} unless told."
    )
    auto_colors: bool = Field(
        False,
        description=(
            "Choose how many, 4 to 16: the fewest to which one more colour would not add, "
            "as it would explain less than 1% more of the variance of the colours in Lab."
        ),
    )
    per_image: bool = Field(False, description="Fit a palette to each photo by itself instead of one for all.")
    position: float = Field(
        0.0,
        ge=0,
        le=10,
        description=(
            "Weight of a pixel's place when colours are fitted: at 1 the height of a photo counts like black to white, "
            "so that a blue sky and a blue car may get colours of their own."
        ),
    )
    palette: Path | None = Field(None, description="Use the colours of this palette.json, and fit nothing.")
    names: Path | None = Field(
        None, description="Name the colours: TOML with a list `names`, dark to light, or a table [names] by #rrggbb."
    )
    smooth: Literal["none", "median", "majority", "meanshift"] = Field(
        "median",
        description=(
            "What makes regions smooth: the median of 5 px of the photo, mean shift of the photo (slow), "
            "or the most frequent label of 5 px."
        ),
    )
    min_region: int = Field(64, ge=0, description="Regions of fewer pixels join their nearest neighbour.")
    paint: Literal["palette", "mean"] = Field(
        "palette", description="Paint regions in their palette colour, or in the mean colour of the photo there."
    )
    kmeans_seed: int = Field(0, ge=0, description="Seed of the k-means starts and of the sample of pixels.")
    fitted_palette: Palette | None = Field(None, json_schema_extra=LEARNED)

    @property
    def recipe(self) -> str:
        of_its_own = {(512, 256): "512x256", (512, 512): "512x512"}.get(self.size)
        return f"{self.trained_by}-{of_its_own}" if of_its_own else self.trained_by

    @field_validator("auto_colors", "per_image", "position", "palette", "names")
    @classmethod
    def _go_together(cls, value: object, info: ValidationInfo) -> object:
        clashes = {
            "auto_colors": ("colors",),
            "per_image": ("auto_colors",),
            "position": ("auto_colors",),
            "palette": ("colors", "auto_colors", "per_image", "position"),
            "names": ("per_image",),
        }
        for other in clashes[str(info.field_name)] if value else ():
            if info.data.get(other):
                raise ValueError(f"cannot be combined with --{other.replace('_', '-')}")
        if isinstance(value, Path) and not value.is_file():
            raise ValueError("there is no such file")
        return value

    @field_serializer("palette", "names", when_used="json")
    def _as_provenance(self, path: Path | None) -> str | None:
        return None if path is None else fingerprint(path)

    def fitted(self, plans: Sequence[PairPlan]) -> Self:
        if self.per_image:
            return self
        from pix2pix_data.palette import fit_auto_palette, fit_palette, shares_of

        names = None if self.names is None else read_names(self.names)  # told to be wrong before anything takes long
        pixels, places = self._sample(plans)
        if self.palette is not None:
            palette = read_palette(self.palette)
            palette = replace(palette, shares=shares_of(pixels, palette.colors))
        elif self.auto_colors:
            palette = fit_auto_palette(pixels, seed=self.kmeans_seed)
        else:
            palette = fit_palette(pixels, self.colors or _NUM_COLORS, seed=self.kmeans_seed, places=places)
        if names is not None and self.names is not None:
            palette = with_names(palette, names, self.names)
        return self.model_copy(update={"fitted_palette": palette})

    def derive(self, photos: list[RGB]) -> list[RGB]:
        return [side for side, _ in self.sides_of(photos)]

    def sides_of(self, photos: list[RGB]) -> Iterator[tuple[RGB, bytes | None]]:
        return map(self._segments, photos)

    def extra_files(self) -> dict[str, str]:
        return {} if self.fitted_palette is None else {"palette.json": palette_json(self.fitted_palette)}

    def _segments(self, photo: RGB) -> tuple[RGB, bytes | None]:
        import numpy as np

        from pix2pix_data.color_table import paint_labels
        from pix2pix_data.png import png_of_labels
        from pix2pix_data.regions import clean_regions, majority, paint_means

        colors, labels = self._labels(self._smoothed(photo))
        if self.smooth == "majority":
            labels = majority(labels)
        labels = clean_regions(labels, self.min_region)
        if self.paint == "mean":
            return paint_means(labels, photo), None
        return paint_labels(labels, colors), png_of_labels(labels, np.array(colors, np.uint8))

    def _labels(self, photo: RGB) -> tuple[tuple[Color, ...], LabelMap]:
        from pix2pix_data.color_table import color_table, nearest_labels
        from pix2pix_data.palette import fit_colors

        if self.fitted_palette is not None:
            colors = self.fitted_palette.colors
            return colors, color_table(colors).labels(photo)
        pixels, places = self._spread(photo, _MAX_PIXELS_OF_ONE)
        colors = fit_colors(pixels, self.colors or _NUM_COLORS, seed=self.kmeans_seed, places=places)
        return colors, nearest_labels(photo, colors)

    def _smoothed(self, photo: RGB) -> RGB:
        import cv2
        import numpy as np

        if self.smooth == "median":
            return cv2.medianBlur(photo, _MEDIAN_PX).astype(np.uint8, copy=False)
        if self.smooth == "meanshift":
            return cv2.pyrMeanShiftFiltering(photo, _SHIFT_PX, _SHIFT_COLOR).astype(np.uint8, copy=False)
        return photo

    def _sample(self, plans: Sequence[PairPlan]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
        """Draw pixels from photos spread over the training split; a photo that cannot be read is reported later."""
        import numpy as np

        chosen = np.random.default_rng(self.kmeans_seed).permutation(len(plans))[:_MAX_PHOTOS]
        samples = []
        for i in sorted(chosen):
            try:
                photo, _ = self.read_target(plans[i].sources[0])
            except ImageError:
                continue
            samples.append(self._spread(photo, _MAX_PIXELS // len(chosen)))
        if not samples:
            raise BuildError(
                "no photo of the training split could be read to fit the palette on",
                fix="mend or replace the photos; or give a --palette",
            )
        places = [place for _, place in samples if place is not None]
        return np.concatenate([pixels for pixels, _ in samples]), np.concatenate(places) if places else None

    def _spread(self, photo: RGB, num_wanted: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
        """Take pixels at even steps, and their places if these count.

        A step that is odd walks through the columns of an even width.
        """
        import numpy as np

        height, width = photo.shape[:2]
        chosen = slice(None, None, max(1, height * width // max(1, num_wanted)) | 1)
        pixels = photo.reshape(-1, 3)[chosen]
        if not self.position:
            return pixels, None
        down, across = np.divmod(np.arange(height * width, dtype=np.int64)[chosen], width)
        places = np.stack([(across + 0.5) / width, (down + 0.5) / height], axis=1)
        return pixels, (self.position * places).astype(np.float32)
