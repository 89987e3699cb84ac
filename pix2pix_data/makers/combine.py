"""Two folders, or one, whose pictures belong together by their names."""

from __future__ import annotations

import filecmp
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from pydantic import Field, ValidationInfo, field_serializer, field_validator

from pix2pix_data.errors import ImageError
from pix2pix_data.maker import ARGUMENT, PairMaker, Size, option_name
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.matching import Matches, SideNames, match_folders, match_one_folder
from pix2pix_data.pair import Failed, Other, Pair, PairPlan

if TYPE_CHECKING:
    from pix2pix_data.channels import Pixels
    from pix2pix_data.pair import RGB

StoredAs: TypeAlias = Literal["rgb", "rgb16", "gray", "gray16", "rgba", "rgba16"]


class TwoSidesMaker(PairMaker):
    """What makers share whose sides are both there: pictures are paired by name, and A must match B pixel by pixel."""

    source_help: ClassVar[str] = "The folder of conditions, A, or of both sides; it is never written to."

    folder_b: Path | None = Field(
        None,
        description="The folder of targets, B; without, names in one folder tell the sides apart, as 1_A and 1_B do.",
        json_schema_extra=ARGUMENT,
    )
    size: Size = Field((256, 256), description="Size of both sides in pixels: one number, or WIDTHxHEIGHT.")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="How pictures of another shape are brought to size: cut, framed, or stretched."
    )
    unequal: Literal["refuse", "crop", "stretch"] = Field(
        "refuse",
        description=(
            "Where A and B of a pair differ in shape: refuse the pair; cut both around their middles to what both "
            "hold, pixel on pixel; or stretch A to the shape of B."
        ),
    )
    a_name: str | None = Field(
        None, description="How A is named, such as '*_labels' or '*.png'; the * stands for what A and B share."
    )
    b_name: str | None = Field(None, description="How B is named, likewise.", validate_default=True)

    @field_validator("a_name", "b_name")
    @classmethod
    def _has_one_star(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        if pattern is not None and pattern.count("*") != 1:
            raise ValueError("needs one *, for what the names of A and B share")
        if info.field_name == "b_name" and "a_name" in info.data and (info.data["a_name"] is None) != (pattern is None):
            raise ValueError(f"{option_name('a_name')} and {option_name('b_name')} go together")
        return pattern

    @property
    @abstractmethod
    def flat(self) -> bool:
        """Whether A holds colours that must not be mixed."""

    @abstractmethod
    def read_a(self, path: str) -> tuple[Pixels, bytes | None]:
        """Read the condition at its own size, with its file where that holds exactly these pixels.

        ImageError if that cannot be done.
        """

    def read_b(self, path: str) -> tuple[Pixels, bytes | None]:
        """Read the target, likewise."""
        return _read_picture(path)

    def to_pair(self, plan: PairPlan, a: Pixels, b: Pixels, a_file: bytes | None, b_file: bytes | None) -> Pair:
        """Make a pair of what was read, once it is brought to size; files are those of sides that nothing changed."""
        return Pair(plan.key, a, b, plan.group, a_file=a_file, b_file=b_file)

    @field_serializer("folder_b", when_used="json")
    def _name_alone(self, folder: Path | None) -> str | None:
        return None if folder is None else folder.resolve().name  # what is written down is the same on every machine

    def default_name(self, source: Path, command: str) -> str:
        return f"{source.resolve().name}-{command if self.folder_b is None else self.folder_b.resolve().name}"

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        matches = self._matches(source)
        other = "name the folder of B too" if self.folder_b is None else "give both folders the same names"
        matches.require_pairs(f"{other}, or say with --a-name and --b-name how names tell A and B")
        for key, a, b in matches.pairs:
            yield PairPlan(key, (str(a), str(b)), group=key)
        yield from matches.failed
        yield from (Other(str(path)) for path in matches.others)

    def _matches(self, source: Path) -> Matches:
        a, b = SideNames("A", self.a_name), SideNames("B", self.b_name)
        return match_one_folder(source, a, b) if self.folder_b is None else match_folders(source, self.folder_b, a, b)

    def notes(self, plans: Sequence[PairPlan]) -> list[str]:
        notes = []
        loose = [plan for plan in plans if len({Path(path).stem.casefold() for path in plan.sources}) > 1]
        if loose and self.folder_b is not None and self.a_name is None:
            a, b = (Path(path).name for path in loose[0].sources)
            notes.append(f"pairs whose names differ in their endings: {len(loose)}, such as {a} and {b}")
        same = [plan for plan in plans if _is_same_file(*plan.sources)]
        if same:
            notes.append(f"pairs with the same file on both sides: {len(same)}, such as {same[0].key}")
        return notes

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        for plan in plans:
            yield self._make_one(plan)

    def _make_one(self, plan: PairPlan) -> Pair | Failed:
        from pix2pix_data.images import fit_to

        path = plan.sources[0]
        try:
            whole_a, file_a = self.read_a(path)
            path = plan.sources[1]
            whole_b, file_b = self.read_b(path)
            a, b = self._of_one_shape(whole_a, whole_b)
        except ImageError as error:
            return Failed(plan.key, path, str(error))
        fitted_a, fitted_b = fit_to(a, *self.size, self.fit, labels=self.flat), fit_to(b, *self.size, self.fit)
        # What was cut and enlarged again has the size that it had, too.
        keeps_a, keeps_b = whole_a.shape == a.shape == fitted_a.shape, whole_b.shape == b.shape == fitted_b.shape
        return self.to_pair(plan, fitted_a, fitted_b, file_a if keeps_a else None, file_b if keeps_b else None)

    def _of_one_shape(self, a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
        """Return sides of the same proportions, as `unequal` says."""
        from pix2pix_data.images import resize, resize_nearest

        if _same_shape(a.shape, b.shape):
            return a, b
        rows, columns = b.shape[:2]
        if self.unequal == "stretch":
            return (resize_nearest if self.flat else resize)(a, columns, rows), b
        if self.unequal == "crop":
            rows, columns = min(rows, a.shape[0]), min(columns, a.shape[1])
            return _middle(a, rows, columns), _middle(b, rows, columns)
        sizes = f"A and B differ in shape: {a.shape[1]}x{a.shape[0]} and {columns}x{rows} pixels"
        if _same_shape(a.shape[1::-1], b.shape):
            raise ImageError(f"{sizes}; one of them seems to have lost its EXIF turn")
        raise ImageError(f"{sizes}; --unequal crop or stretch makes a pair of them")


@PAIR_MAKERS.register("combine")
class CombineMaker(TwoSidesMaker):
    """Pair pictures that you have by their names: A is a picture of yours, B another of the same name.

    They lie in two folders, or in one where their names tell the sides apart. Suffixes, upper and lower case, and usual
    endings such as _A and _B do not count. A and B of a pair may differ in size, but not in shape.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data combine ./sketches ./photos",
        "p2p-data combine ./pairs",
        "p2p-data combine ./masks ./photos --labels --size 512",
        "p2p-data combine ./cmp --a-name '*.png' --b-name '*.jpg' --labels",
        "p2p-data combine ./photos ./cutouts --b-as rgba",
        "p2p-data combine ./photos ./depth --b-as gray16",
    )

    labels: bool = Field(False, description="A holds label colours: resize it without mixing them.")
    a_as: StoredAs = Field("rgb", description="How A is stored: rgb (on white), gray, or rgba; in 16 bits with 16.")
    b_as: StoredAs = Field("rgb", description="How B is stored, likewise.")

    @property
    def flat(self) -> bool:
        return self.labels

    @property
    def recipe_settings(self) -> tuple[str, ...]:
        sides = {"a_as": self.a_as, "b_as": self.b_as}
        return tuple(f"data.{name}={stored_as}" for name, stored_as in sides.items() if stored_as != "rgb")

    @property
    def modes(self) -> tuple[str, str]:
        from pix2pix_data.channel_kinds import CHANNELS

        return CHANNELS[self.a_as].mode, CHANNELS[self.b_as].mode

    def read_a(self, path: str) -> tuple[Pixels, bytes | None]:
        return _read_picture(path) if self.a_as == "rgb" else (_read_channels(path, self.a_as), None)

    def read_b(self, path: str) -> tuple[Pixels, bytes | None]:
        return _read_picture(path) if self.b_as == "rgb" else (_read_channels(path, self.b_as), None)

    def to_pair(self, plan: PairPlan, a: Pixels, b: Pixels, a_file: bytes | None, b_file: bytes | None) -> Pair:
        rgb_a, made_a = _stored(a, self.a_as)
        rgb_b, made_b = _stored(b, self.b_as)
        return Pair(plan.key, rgb_a, rgb_b, plan.group, a_file=made_a or a_file, b_file=made_b or b_file)


def _read_picture(path: str) -> tuple[RGB, bytes | None]:
    from pix2pix_data.images import read_photo

    photo, content = read_photo(path)
    return photo.rgb, content if photo.plain else None


def _read_channels(path: str, name: StoredAs) -> Pixels:
    """Read a side with the channels that it is stored with; colours weighted by their alpha, to be resized."""
    from pix2pix_data.channels import decode_channels, premultiplied
    from pix2pix_data.images import read_file

    pixels = decode_channels(read_file(path), name)
    return premultiplied(pixels) if pixels.shape[2] == 4 else pixels


def _stored(pixels: Pixels, name: StoredAs) -> tuple[RGB, bytes | None]:
    """Return a side as people see it and, where that is not all there is to it, its file."""
    from pix2pix_data.channel_kinds import CHANNELS
    from pix2pix_data.channels import straight
    from pix2pix_data.images import decode_rgb
    from pix2pix_data.png import png_of_levels

    if name == "rgb":
        return pixels, None
    file = png_of_levels(straight(pixels, CHANNELS[name].dtype) if pixels.shape[2] == 4 else pixels)
    return decode_rgb(file), file


def _same_shape(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two sizes have the same proportions, to a pixel of rounding in the smaller."""
    (rows, columns), (other_rows, other_columns) = one[:2], other[:2]
    return abs(columns * other_rows - other_columns * rows) <= max(rows, columns, other_rows, other_columns)


def _middle(image: Pixels, rows: int, columns: int) -> Pixels:
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    return image[top : top + rows, left : left + columns]


def _is_same_file(one: str, other: str) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)  # reads them only where they have the same size
    except OSError:
        return False  # told when the pair is made
