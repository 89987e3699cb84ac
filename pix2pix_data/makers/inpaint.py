"""Inpainting: the whole photo from one with a hole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_serializer, field_validator

from pix2pix_data.errors import ImageError
from pix2pix_data.maker import PhotoMaker
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.matching import SideNames, match_folders
from pix2pix_data.pair import Failed, Other, Pair, PairPlan

if TYPE_CHECKING:
    import numpy as np

    from pix2pix_data.pair import RGB, BoolMap

_CENTER, _RANDOM = Path("center"), Path("random")
_DRAWN = (_CENTER, _RANDOM)
_MOST_RECTANGLES = 4
_SIDES = (0.15, 0.5)  # of the picture's side; four of the largest leave some of the photo to see
_HOLE_FROM = 128


@PAIR_MAKERS.register("inpaint")
class InpaintMaker(PhotoMaker):
    """Pair each photo with itself with a hole in it: A has a region filled in, B is the photo.

    The hole is the middle, half as wide and half as high as the photo; or one to four rectangles, drawn for each photo
    by its content; or what is white in a mask of the same name.

    References
    ----------
    Pathak et al. 2016, "Context Encoders", arXiv:1604.07379: the central quarter, filled with a mean colour (theirs is
    the data set's). Isola et al. 2017, arXiv:1611.07004; their Torch code fills the same hole with white.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data inpaint ./photos",
        "p2p-data inpaint ./photos --mask random --mask-seed 7",
        "p2p-data inpaint ./photos --mask ./masks --fill white",
    )
    trained_by: ClassVar[str] = "inpaint"

    mask: Path = Field(
        _CENTER, description="The hole: center, random, or a folder of masks of the same names, white inside."
    )
    fill: Literal["mean", "gray", "white"] = Field(
        "mean", description="What fills the hole: the mean colour of what is left, or gray or white."
    )
    mask_seed: int = Field(0, ge=0, description="Seed of --mask random.")

    @field_validator("mask")
    @classmethod
    def _is_known(cls, mask: Path) -> Path:
        if mask not in _DRAWN and not mask.is_dir():
            raise ValueError("neither center nor random, and there is no such folder")
        return mask

    @field_serializer("mask", when_used="json")
    def _name_alone(self, mask: Path) -> str:
        return mask.resolve().name  # not where it lies on this machine

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        if self.mask in _DRAWN:
            yield from super().plan(source)
            return
        matches = match_folders(self.mask, source, SideNames("the folder of masks"), SideNames("the folder of photos"))
        matches.require_pairs("give each mask the name of its photo, or that name and _mask")
        for key, mask, photo in matches.pairs:
            yield PairPlan(key, (str(mask), str(photo)), group=key)
        yield from matches.failed
        yield from (Other(str(path)) for path in matches.others)

    def derive(self, photos: list[RGB]) -> list[RGB]:
        return [self._filled(photo, self._hole(photo)) for photo in photos]

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        if self.mask in _DRAWN:
            yield from super().make(plans)
            return
        for plan in plans:
            yield self._masked(plan)

    def _masked(self, plan: PairPlan) -> Pair | Failed:
        from pix2pix_data.images import fit_to, read_photo, read_rgb, resize_nearest

        width, height = self.size
        path = plan.sources[0]
        try:
            mask = read_rgb(path)
            path = plan.sources[1]
            photo, content = read_photo(path)
        except ImageError as error:
            return Failed(plan.key, path, str(error))
        rows, columns = photo.rgb.shape[:2]
        b = fit_to(photo.rgb, width, height, self.fit)
        # What --fit pad adds around a mask has the colour of its border: a hole that reaches it goes on there.
        mask = fit_to(resize_nearest(mask, columns, rows), width, height, self.fit, labels=True)
        hole = mask.min(axis=2) >= _HOLE_FROM  # white has all of red, green and blue; a label's colour has not
        if not hole.any():
            return Failed(plan.key, plan.sources[0], "the mask has no hole: nothing of it is white")
        plain = photo.plain and b.shape == photo.rgb.shape
        return Pair(plan.key, self._filled(b, hole), b, plan.group, b_file=content if plain else None)

    def _hole(self, photo: RGB) -> BoolMap:
        """Draw the hole of a photo, True inside."""
        import numpy as np

        from pix2pix_data.edges.style import photo_generator

        height, width = photo.shape[:2]
        hole = np.zeros((height, width), np.bool_)
        if self.mask == _CENTER:
            hole[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = True
            return hole
        generator = photo_generator(photo, seed=self.mask_seed)
        for _ in range(generator.integers(1, _MOST_RECTANGLES + 1)):
            rows, columns = _rectangle(height, width, generator)
            hole[rows, columns] = True
        return hole

    def _filled(self, photo: RGB, hole: BoolMap) -> RGB:
        import cv2
        import numpy as np

        left = (~hole).view(np.uint8)
        fills = {"gray": (128, 128, 128), "white": (255, 255, 255)}
        color = fills.get(self.fill, (128, 128, 128))
        if self.fill == "mean" and left.any():
            red, green, blue, _ = np.rint(cv2.mean(photo, left))  # the hole's own colours give nothing away
            color = (int(red), int(green), int(blue))
        filled = cv2.merge([np.full(hole.shape, level, np.uint8) for level in color])
        return cv2.copyTo(photo, left, filled).astype(np.uint8, copy=False)


def _rectangle(height: int, width: int, generator: np.random.Generator) -> tuple[slice, slice]:
    """Draw a rectangle inside a picture, each side 0.15 to 0.5 of the picture's."""
    slices = []
    for length in (height, width):
        size = max(1, round(length * generator.uniform(*_SIDES)))
        start = int(generator.integers(0, length - size + 1))
        slices.append(slice(start, start + size))
    return slices[0], slices[1]
