"""Day and night, or any two states, of scenes that fixed cameras see."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator

from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.listing import Listing, list_photos
from pix2pix_data.maker import PairMaker, Size, option_name
from pix2pix_data.makers import PAIR_MAKERS
from pix2pix_data.pair import Failed, Other, Pair, PairPlan, Unused
from pix2pix_data.scenes.capture_time import Clock, pattern_to_regex, read_places, read_times
from pix2pix_data.scenes.sun import CIVIL_TWILIGHT_DEG, LOW_SUN_DEG

if TYPE_CHECKING:
    from pix2pix_data.scenes.sorting import CameraPhoto, Rules, SortedPhotos

_SAMPLE_OF_A_STATE = 6  # photos of each state in which a camera's bars and text are looked for


@PAIR_MAKERS.register("daynight")
class DayNightMaker(PairMaker):
    """Pair photos of fixed cameras, one folder for each camera: A is the day, B the night.

    The capture time comes from a table, the file name or EXIF. With a place the sun's elevation tells day from night,
    without one the brightness of each camera's photos does; with two patterns any two states are paired. Pairs are
    laid on each other to a fraction of a pixel, and a camera is a group: no camera is in two splits.
    """

    examples: ClassVar[tuple[str, ...]] = (
        "p2p-data daynight ./webcams",
        "p2p-data daynight ./webcams --lat 50.11 --lon 8.68",
        "p2p-data daynight ./webcams --a-pattern '*/summer/*' --b-pattern '*/winter/*'",
    )

    trained_by: ClassVar[str] = "day2night"

    size: Size = Field((256, 256), description="Size of both sides in pixels: one number, or WIDTHxHEIGHT.")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="How photos of another shape are brought to size: cut, framed, or stretched."
    )
    direction: Literal["day2night", "night2day"] = Field(
        "day2night", description="Which is A: the day (or what --a-pattern matches), or the night."
    )
    time_format: str | None = Field(
        None, description="strptime pattern of the time in a file name, such as %d.%m.%y-%H%M; usual ones are known."
    )
    utc_offset: float = Field(0.0, ge=-14, le=14, description="Hours that the times are ahead of UTC.")
    times: Path | None = Field(None, description="CSV with the columns file and time (ISO 8601), if names tell none.")
    lat: float | None = Field(None, ge=-90, le=90, description="Latitude of all cameras in degrees, north positive.")
    lon: float | None = Field(
        None, ge=-180, le=180, description="Longitude in degrees, east positive.", validate_default=True
    )
    places: Path | None = Field(None, description="CSV with the columns camera, lat, lon, for cameras far apart.")
    day_above: float = Field(LOW_SUN_DEG, ge=-18, le=90, description="Sun elevation from which it is day, in degrees.")
    night_below: float = Field(
        CIVIL_TWILIGHT_DEG,
        ge=-90,
        le=18,
        description="Sun elevation below which it is night, in degrees.",
        validate_default=True,
    )
    a_pattern: str | None = Field(None, description="Glob of the photos in the first state, instead of day.")
    b_pattern: str | None = Field(
        None, description="Glob of the photos in the second state, instead of night.", validate_default=True
    )
    align: Literal["correct", "check", "off"] = Field(
        "correct", description="Move A onto B; or refuse pairs off by more than a pixel of the photos; or neither."
    )
    max_shift: float = Field(16.0, ge=0, description="Largest shift that is corrected, in pixels of the photos.")
    mask_static: bool = Field(False, description="Paint text that the camera burns in gray, on both sides.")
    min_visible: float = Field(
        0.8, ge=0, le=1, description="Share of a scene's usual structure that a photo must show; 0 keeps fog."
    )
    max_pairs_per_image: int = Field(3, ge=1, description="Pairs that one photo may be in.")

    @field_validator("lon", "b_pattern")
    @classmethod
    def _comes_with_its_partner(cls, value: object, info: ValidationInfo) -> object:
        partner = {"lon": "lat", "b_pattern": "a_pattern"}[str(info.field_name)]
        if partner in info.data and (info.data[partner] is None) != (value is None):
            raise ValueError(f"{option_name(partner)} and {option_name(str(info.field_name))} go together")
        return value

    @field_validator("time_format")
    @classmethod
    def _can_be_looked_for(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            pattern_to_regex(pattern)
        return pattern

    @field_validator("night_below")
    @classmethod
    def _is_under_day(cls, night_below: float, info: ValidationInfo) -> float:
        if night_below >= info.data.get("day_above", 90.0):
            raise ValueError("--night-below must be less than --day-above")
        return night_below

    @field_serializer("times", "places", when_used="json")
    def _as_provenance(self, table: Path | None) -> str | None:
        """Name a table by its content: where it lies on this machine tells nobody else anything."""
        if table is None:
            return None
        return f"{table.name} sha256:{hashlib.sha256(table.read_bytes()).hexdigest()[:16]}"

    # --- plan

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:
        from pix2pix_data.scenes.sorting import sort_photos

        listing = list_photos(source)
        reasons: Counter[str] = Counter()
        num_plans = 0
        clock = Clock(self.time_format, self.utc_offset, {} if self.times is None else read_times(self.times))
        places = {} if self.places is None else read_places(self.places)
        for camera, photos in _cameras(listing).items():
            found = sort_photos(photos, source, self._rules(clock, places.get(camera)))
            plans, unpaired = self._pairs_of(camera, found)
            yield from plans
            yield from (*found.left_out, *unpaired)
            num_plans += len(plans)
            reasons.update(one.reason for one in found.left_out)
        if not num_plans:
            told = "; ".join(f"{num} x {reason}" for reason, num in reasons.most_common(3))
            fix = "give the place, --lat and --lon, or patterns, --a-pattern and --b-pattern"
            raise UsageError(f"no two photos can be paired: {told}", where=source, fix=fix)
        yield from (Other(str(path)) for path in listing.others)

    def _rules(self, clock: Clock, place: tuple[float, float] | None) -> Rules:
        from pix2pix_data.scenes.sorting import Rules

        if place is None and self.lat is not None and self.lon is not None:
            place = (self.lat, self.lon)
        patterns = None if self.a_pattern is None or self.b_pattern is None else (self.a_pattern, self.b_pattern)
        return Rules(clock, place, patterns, self.day_above, self.night_below, self.min_visible)

    def _pairs_of(self, camera: str, found: SortedPhotos) -> tuple[list[PairPlan], list[Unused]]:
        from pix2pix_data.scenes.pairing import choose_pairs

        chosen = choose_pairs(*_when(found.first, found.second), most_each=self.max_pairs_per_image)
        sample = tuple(str(photo.path) for side in (found.first, found.second) for photo in _spread(side))
        plans = []
        for i, j in chosen:
            sides = [found.first[i], found.second[j]]
            if self.direction == "night2day":
                sides.reverse()
            key = "__".join(side.key.removeprefix(f"{camera}/").replace("/", "-") for side in sides)
            paths = tuple(str(side.path) for side in sides)
            plans.append(PairPlan(f"{camera}/{key}" if camera else key, (*paths, *sample), group=camera or "."))
        paired = {found.first[i].key for i, _ in chosen} | {found.second[j].key for _, j in chosen}
        why = f"others are nearer in time: every partner has its {self.max_pairs_per_image} already"
        left = [photo for photo in (*found.first, *found.second) if photo.key not in paired]
        return plans, [Unused(photo.key, str(photo.path), why) for photo in left]

    # --- make

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        for plan in plans:
            yield self._make_one(plan)

    def _make_one(self, plan: PairPlan) -> Pair | Failed:
        from pix2pix_data.images import fit_to
        from pix2pix_data.scenes.laying import Laying, lay_photos

        width, height = self.size
        a_path, b_path, *sample = plan.sources
        most_px = self.max_shift if self.align == "correct" else 1.0
        try:
            sides = lay_photos(a_path, b_path, tuple(sample), Laying(self.align, most_px, self.mask_static))
        except ImageError as error:
            return Failed(plan.key, a_path, str(error))
        a, b = (fit_to(side, width, height, self.fit) for side in sides)
        return Pair(plan.key, a, b, plan.group)


def _cameras(listing: Listing) -> Mapping[str, list[tuple[str, Path]]]:
    """Divide photos by the first folder below the source; those right in it are of one camera, named ""."""
    cameras: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for key, path in listing.named():
        camera, _, rest = key.partition("/")
        cameras[camera if rest else ""].append((key, path))
    return cameras


def _when(first: Sequence[CameraPhoto], second: Sequence[CameraPhoto]) -> tuple[list[float], list[float]]:
    """Return capture times in seconds; places in the order of the keys where not every photo has one."""
    if all(photo.time is not None for photo in (*first, *second)):
        times = [[photo.time.timestamp() for photo in side if photo.time] for side in (first, second)]
        return times[0], times[1]
    order = {key: float(i) for i, key in enumerate(sorted(photo.key for photo in (*first, *second)))}
    return [order[photo.key] for photo in first], [order[photo.key] for photo in second]


def _spread(photos: Sequence[CameraPhoto]) -> Sequence[CameraPhoto]:
    """Take photos at even steps."""
    wanted = min(_SAMPLE_OF_A_STATE, len(photos))
    return [photos[i * len(photos) // wanted] for i in range(wanted)]
