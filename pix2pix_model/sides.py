"""What a generator is given and what it makes: sides of pairs, each seen in a named way. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from pix2pix_data.channel_kinds import CHANNELS, ChannelsName
from pix2pix_data.errors import FormatError
from pix2pix_data.palette_file import read_palette, to_hex
from pix2pix_model.recipe import DataSettings, Direction, Side, SideView

__all__ = ["SideSpec", "Sides", "ViewName", "sides_of"]

ViewName: TypeAlias = ChannelsName | Literal["classes", "lightness", "ab"]


class SideSpec(BaseModel):
    """One side and how networks see it: all that is needed to make their channels of a picture, and a picture of them.

    Attributes
    ----------
    side : {"A", "B"}
    view : str
        Channels by their name; "classes", a channel for each colour of a palette; "lightness" (L of CIE Lab), "ab".
    dataset : str
        Name of the further dataset that it is a side of; empty for the model's own.
    colors, names : tuple of str
        Of the classes, in the order of their channels; colours as #rrggbb.
    levels : (int, int)
        Of gray16 and rgb16: what networks see as -1 and 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Side
    view: ViewName = "rgb"
    dataset: str = ""
    colors: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    levels: tuple[int, int] = (0, 65535)

    @property
    def channels(self) -> int:
        """Channels that networks see."""
        match self.view:
            case "classes":
                return len(self.colors)
            case "lightness":
                return 1
            case "ab":
                return 2
        return CHANNELS[self.view].num

    @property
    def title(self) -> str:
        """What it is called on sheets, such as "A" or "A of shoes-kmeans"."""
        return f"{self.side} of {self.dataset}" if self.dataset else self.side

    @property
    def words(self) -> str:
        return self.title if self.view == "rgb" else f"{self.title} as {self.view}"


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides that a generator is given, stacked in this order, and the one that it makes."""

    inputs: tuple[SideSpec, ...]
    target: SideSpec

    @property
    def in_channels(self) -> int:
        return sum(spec.channels for spec in self.inputs)

    @property
    def direction(self) -> Direction:
        return "AtoB" if self.target.side == "B" else "BtoA"

    @property
    def words(self) -> str:
        """Say what is made of what, for messages."""
        first, *further = self.inputs
        given = [first.words, *(spec.words for spec in further)]
        if self.target.view == "ab":
            return f"{' and '.join(['lightness', *given[1:]])} to colours of {self.target.side}"
        if len(given) == 1 and first.view == self.target.view == "rgb":
            return self.direction
        return f"{' and '.join(given)} to {self.target.words}"

    @property
    def titles(self) -> list[str]:
        """What stands above the columns of a sheet: what is given, what is made of it, and what is real."""
        made_of = "B" if self.direction == "BtoA" else "A"
        given = [made_of, *(spec.title for spec in self.inputs[1:])]
        return [*given, f"G({made_of})", self.target.side]


def sides_of(settings: DataSettings) -> Sides:
    """Say which sides a recipe uses and how; reads palette.json where one is seen as classes.

    Raises
    ------
    FormatError
        If there is no palette.json, or it is no palette.
    """
    given, made = settings.direction.split("to")
    views: dict[str, SideView] = {"A": settings.a_as, "B": settings.b_as}
    if views[made] == "lab":  # the lightness of the target takes the place of the other side
        inputs, target = [SideSpec(side=made, view="lightness")], SideSpec(side=made, view="ab")  # type: ignore[arg-type]
    else:
        inputs = [_spec(given, views[given], settings)]
        target = _spec(made, views[made], settings)
    inputs += [_spec(one.side, one.view, settings, one.path) for one in settings.further]
    return Sides(tuple(inputs), target)


def _spec(side: str, view: SideView, settings: DataSettings, further: Path | None = None) -> SideSpec:
    spec = SideSpec.model_validate(
        {
            "side": side,
            "view": view,
            "dataset": further.resolve().name if further else "",
            "levels": settings.levels if view in ("gray16", "rgb16") else (0, 65535),
        }
    )
    if view != "classes":
        return spec
    path = (further or settings.path) / "palette.json"
    if not path.is_file():
        fix = "p2p-data labels and kmeans write one; or see that side as rgb"
        raise FormatError(f"side {side} is to be seen as classes, and there is no palette", where=path, fix=fix)
    palette = read_palette(path)
    names = tuple(palette.name_of(label) for label in range(len(palette.colors)))
    return spec.model_copy(update={"colors": tuple(map(to_hex, palette.colors)), "names": names})
