"""What a maker is: settings that plan pairs and make them. A new operation is one class in makers/."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic.fields import FieldInfo

from pix2pix_data.errors import ImageError
from pix2pix_data.listing import walk_photos
from pix2pix_data.pair import Failed, Other, Pair, PairPlan

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = [
    "ARGUMENT",
    "LEARNED",
    "PairMaker",
    "PhotoMaker",
    "Size",
    "is_argument",
    "is_option",
    "learned_fields",
    "option_name",
    "parse_size",
]

ARGUMENT: dict[str, JsonValue] = {"cli": "argument"}
"""`json_schema_extra` of a field that is a second positional input."""
LEARNED: dict[str, JsonValue] = {"cli": "none"}
"""`json_schema_extra` of a field that `fitted` fills in."""

_LARGEST_SIDE_PX = 8192


def parse_size(value: object) -> object:
    """Read "256" or "512x256" as (width, height) in pixels; anything else goes on to pydantic as it is."""
    if isinstance(value, int):
        return (value, value)
    if isinstance(value, str):
        sides = value.lower().split("x")
        if 1 <= len(sides) <= 2 and all(side.isdecimal() for side in sides):
            return (int(sides[0]), int(sides[-1]))
        raise ValueError("a size is one number or WIDTHxHEIGHT, such as 256 or 512x256")
    return value


def is_argument(field: FieldInfo) -> bool:
    """Tell whether a setting is a positional input."""
    return field.json_schema_extra == ARGUMENT


def is_option(field: FieldInfo) -> bool:
    """Tell whether a setting is an option of the command line."""
    return field.json_schema_extra not in (ARGUMENT, LEARNED)


def learned_fields(maker: PairMaker) -> set[str]:
    """Name the fields that `fitted` fills in."""
    return {name for name, field in type(maker).model_fields.items() if field.json_schema_extra == LEARNED}


def option_name(field_name: str) -> str:
    """Name a setting as it is typed: `min_region` is `--min-region`."""
    return "--" + field_name.replace("_", "-")


_Side = Annotated[int, Field(ge=8, le=_LARGEST_SIDE_PX)]
Size = Annotated[tuple[_Side, _Side], BeforeValidator(parse_size)]


class PairMaker(BaseModel, ABC):
    """A way to make pairs; its fields are its settings, its options on the command line, and its provenance.

    The first line of a subclass's docstring is the command's help, `examples` are command lines for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[tuple[str, ...]] = ()
    source_help: ClassVar[str] = "The folder of photos; it is never written to."
    """The help of the first positional input."""
    trained_by: ClassVar[str] = "pairs"
    """The recipe that trains on pairs made at the defaults."""

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the docstring: what A and B are."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def sides(cls) -> str:
        """Return what stands behind the colon in the summary: what A and B are, such as "A is gray, B the photo."."""
        return cls.summary().rpartition(": ")[2]

    @property
    def recipe(self) -> str:
        """The recipe that trains on such pairs, named when a build ends."""
        return self.trained_by

    @property
    def recipe_settings(self) -> tuple[str, ...]:
        """What to `--set` in that recipe."""
        return ()

    @property
    def modes(self) -> tuple[str, str]:
        """Pillow's modes of A and B, for `datasets`."""
        return ("RGB", "RGB")

    @property
    def wants_gpu(self) -> bool:
        """Whether it is much faster where it has a GPU."""
        return False

    @abstractmethod
    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        """Say which pairs `source` will give, and account for every file that will give none."""

    def default_name(self, source: Path, command: str) -> str:
        """Name the output folder when the user does not."""
        return f"{source.resolve().name}-{command}"

    def notes(self, plans: Sequence[PairPlan]) -> list[str]:  # noqa: ARG002
        """Say what the user should look at before pairs are made, a line for each."""
        return []

    def target_path(self, plan: PairPlan) -> str:
        """Name the file that B is made from: of two or more the second."""
        return plan.sources[min(1, len(plan.sources) - 1)]

    def fitted(self, plans: Sequence[PairPlan]) -> Self:  # noqa: ARG002
        """Return the maker with what it learns from a sample of the training split, such as a shared palette."""
        return self

    @contextmanager
    def at_work(self, workers: int) -> Iterator[Self]:  # noqa: ARG002
        """Hold what the processes of a build share while they make pairs; gives the maker that is sent to them."""
        yield self

    @abstractmethod
    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        """Make the pairs: exactly one outcome for each plan, in order; same plans, same pixels."""

    def extra_files(self) -> Mapping[str, str]:
        """Return texts that belong beside the dataset, by file name, such as palette.json."""
        return {}


class PhotoMaker(PairMaker):
    """The common case: B is the photo, brought to one size, and A is derived from it."""

    size: Size = Field((256, 256), description="Size of both sides in pixels: one number, or WIDTHxHEIGHT.")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="How a photo of another shape is brought to size: cut, framed, or stretched."
    )

    batch_size: ClassVar[int] = 1
    """How many photos `derive` is given at once; larger for networks."""

    @abstractmethod
    def derive(self, photos: list[RGB]) -> list[RGB]:
        """Make the A side of each photo; same height and width, uint8 (H, W, 3)."""

    def sides_of(self, photos: list[RGB]) -> Iterator[tuple[RGB, bytes | None]]:
        """Derive, and write the file of each side where the maker knows a smaller one than its pixels tell."""
        return ((side, None) for side in self.derive(photos))

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        for file in walk_photos(source):
            path = str(file.path)
            yield Other(path) if file.key is None else PairPlan(file.key, (path,), group=file.key)

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        for start in range(0, len(plans), self.batch_size):
            chunk = plans[start : start + self.batch_size]
            read = [self._read(plan) for plan in chunk]
            sides = self.sides_of([target[0] for target in read if not isinstance(target, Failed)])
            for plan, target in zip(chunk, read, strict=True):
                if isinstance(target, Failed):
                    yield target
                else:
                    (side, side_file), (photo, file) = next(sides), target
                    yield Pair(plan.key, side, photo, plan.group, b_file=file, a_file=side_file)

    def read_target(self, path: str) -> tuple[RGB, bytes | None]:
        """Read a photo at this maker's size; with its file where that holds exactly these pixels."""
        from pix2pix_data.images import fit_to, read_photo

        width, height = self.size
        photo, content = read_photo(path, enough=self.size)
        fitted = fit_to(photo.rgb, width, height, self.fit)
        return fitted, content if photo.plain and fitted.shape == photo.rgb.shape else None

    def _read(self, plan: PairPlan) -> tuple[RGB, bytes | None] | Failed:
        try:
            return self.read_target(plan.sources[0])
        except ImageError as error:
            return Failed(plan.key, plan.sources[0], str(error))
