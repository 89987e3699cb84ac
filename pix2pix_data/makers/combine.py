"""Two folders whose pictures belong together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_serializer

from pix2pix_data.errors import ImageError
from pix2pix_data.listing import list_photos, match_by_key
from pix2pix_data.maker import ARGUMENT, PAIR_MAKERS, PairMaker, Size
from pix2pix_data.pair import Failed, Other, Pair, PairPlan

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB


class TwoFolderMaker(PairMaker):
    """What makers of two folders share: pictures are paired by name, and A must match B pixel by pixel."""

    folder_b: Path = Field(description="The folder of targets, B.", json_schema_extra=ARGUMENT)
    size: Size = Field((256, 256), description="Size of both sides in pixels: one number, or WIDTHxHEIGHT.")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="How pictures of another shape are brought to size: cut, framed, or stretched."
    )

    @abstractmethod
    def read_a(self, path: str) -> RGB:
        """Read the condition at its own size; ImageError if that cannot be done."""

    @abstractmethod
    def fit_a(self, a: RGB) -> RGB:
        """Bring the condition to `size`."""

    @field_serializer("folder_b", when_used="json")
    def _name_alone(self, folder: Path) -> str:
        return folder.resolve().name  # what is written down must not depend on this machine

    def default_name(self, source: Path, command: str) -> str:  # noqa: ARG002
        return f"{source.resolve().name}-{self.folder_b.resolve().name}"

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        matched, only_a, only_b = match_by_key(source, self.folder_b)
        for key, a, b in matched:
            yield PairPlan(key, (str(a), str(b)), group=key)
        for paths, folder, partner in ((only_a, source, "B"), (only_b, self.folder_b, "A")):
            for path in paths:
                key = path.relative_to(folder).with_suffix("").as_posix()
                yield Failed(key, str(path), f"no picture of this name in {partner}")
        for folder in (source, self.folder_b):
            yield from (Other(str(path)) for path in list_photos(folder).others)

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        for plan in plans:
            yield self._make_one(plan)

    def _make_one(self, plan: PairPlan) -> Pair | Failed:
        from pix2pix_data.images import fit_to, read_photo

        path = plan.sources[0]
        try:
            a = self.read_a(path)
            path = plan.sources[1]
            photo_b, file_b = read_photo(path)
            if not _same_shape(a.shape, photo_b.rgb.shape):
                sizes = " and ".join(f"{shape[1]}x{shape[0]}" for shape in (a.shape, photo_b.rgb.shape))
                return Failed(plan.key, path, f"A and B differ in shape ({sizes}): they cannot match pixel by pixel")
            b = fit_to(photo_b.rgb, *self.size, self.fit)
        except ImageError as error:
            return Failed(plan.key, path, str(error))
        keeps_file = photo_b.plain and b.shape == photo_b.rgb.shape
        return Pair(plan.key, self.fit_a(a), b, plan.group, b_file=file_b if keeps_file else None)


@PAIR_MAKERS.register("combine")
class CombineMaker(TwoFolderMaker):
    """Pair the pictures of two folders by name, whatever their suffix: A from the first, B from the second."""

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data combine ./labels ./photos",
        "p2p-data combine ./masks ./photos --labels --size 512",
    )

    labels: bool = Field(False, description="A holds label colours: resize it without mixing them.")

    def read_a(self, path: str) -> RGB:
        from pix2pix_data.images import read_rgb

        return read_rgb(path)

    def fit_a(self, a: RGB) -> RGB:
        from pix2pix_data.images import fit_to

        return fit_to(a, *self.size, self.fit, labels=self.labels)


def _same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two sizes have the same proportions, to a pixel of rounding in the smaller."""
    (rows, columns), (other_rows, other_columns) = one[:2], other[:2]
    return abs(columns * other_rows - other_columns * rows) <= max(rows, columns, other_rows, other_columns)
