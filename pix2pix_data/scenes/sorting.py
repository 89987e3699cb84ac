"""One camera's photos, sorted into two states; every photo of neither with the reason."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pix2pix_data.errors import ImageError
from pix2pix_data.pair import Failed, Unused
from pix2pix_data.scenes.capture_time import Clock
from pix2pix_data.scenes.fog import visibilities
from pix2pix_data.scenes.light import BETWEEN, DAY, NIGHT, Light, brightness, light_by_brightness, light_by_sun
from pix2pix_data.scenes.sun import sun_elevation
from pix2pix_data.scenes.thumbnails import blank_rows, fault_of, read_thumbnails

if TYPE_CHECKING:
    from pix2pix_data.scenes.thumbnails import Gray

__all__ = ["CameraPhoto", "Rules", "SortedPhotos", "sort_photos"]

_AS_BRIGHT = 0.9  # nights whose median brightness is that share of the days' were taken by day


@dataclass(frozen=True, slots=True)
class Rules:
    """What tells one state from the other.

    Attributes
    ----------
    clock : Clock
    place : (float, float) or None
        Latitude and longitude in degrees; without, brightness decides.
    patterns : (str, str) or None
        Globs on the path below the source folder, for the first and the second state; they come before all else.
    day_above, night_below : float
        Sun elevations in degrees.
    least_visibility : float
        Share of the scene's usual structure that a photo must show.
    """

    clock: Clock
    place: tuple[float, float] | None
    patterns: tuple[str, str] | None
    day_above: float
    night_below: float
    least_visibility: float


@dataclass(frozen=True, slots=True)
class CameraPhoto:
    """A photo of a camera: `key` names it in the dataset, `time` is UTC, `luma` is small."""

    key: str
    path: Path
    time: datetime | None
    luma: Gray
    light: Light


@dataclass(slots=True)
class SortedPhotos:
    """The photos of a camera: first state, second state, and the others with their reasons."""

    first: list[CameraPhoto] = field(default_factory=list)
    second: list[CameraPhoto] = field(default_factory=list)
    left_out: list[Failed] = field(default_factory=list)


def sort_photos(photos: Sequence[tuple[str, Path]], source: Path, rules: Rules) -> SortedPhotos:
    """Sort the photos of one camera.

    Parameters
    ----------
    photos : sequence of (key, path)
    source : Path
        The folder that the table of times and the patterns name files from.
    rules : Rules

    Returns
    -------
    SortedPhotos
        Both states are empty where one would be.
    """
    sound, left_out = _sound(photos)
    timed = [replace(photo, time=rules.clock.time_of(photo.path, source)) for photo in sound]
    lit = [replace(photo, light=light) for photo, light in zip(timed, _lights(timed, source, rules), strict=True)]
    result = SortedPhotos(left_out=left_out)
    result.first = _clear([photo for photo in lit if photo.light.state == DAY], rules, left_out)
    result.second = _clear([photo for photo in lit if photo.light.state == NIGHT], rules, left_out)
    left_out += [_unused(photo, photo.light.reason) for photo in lit if photo.light.state == BETWEEN]
    _drop_contradicted(result, rules)
    _drop_one_sided(result, lit, rules)
    return result


def _sound(photos: Sequence[tuple[str, Path]]) -> tuple[list[CameraPhoto], list[Failed]]:
    """Keep the photos that can be read, are whole, and are not another one again."""
    thumbnails = read_thumbnails([path for _, path in photos])
    blank = [blank_rows(one.luma) for one in thumbnails if not isinstance(one, ImageError)]
    usual_blank = int(np.median(blank)) if len(blank) > 2 else 0
    sound: list[CameraPhoto] = []
    left_out: list[Failed] = []
    seen: dict[bytes, str] = {}
    for (key, path), thumbnail in zip(photos, thumbnails, strict=True):
        if isinstance(thumbnail, ImageError):
            left_out.append(Failed(key, str(path), str(thumbnail)))
        elif fault := fault_of(thumbnail.luma, usual_blank_rows=usual_blank):
            left_out.append(Failed(key, str(path), fault))
        elif thumbnail.digest in seen:
            left_out.append(Unused(key, str(path), f"same picture as another: {seen[thumbnail.digest]}"))
        else:
            seen[thumbnail.digest] = key
            sound.append(CameraPhoto(key, path, None, thumbnail.luma, Light(BETWEEN, "")))
    return sound, left_out


def _lights(photos: Sequence[CameraPhoto], source: Path, rules: Rules) -> list[Light]:
    if rules.patterns is not None:
        return [_by_pattern(photo.path.relative_to(source).as_posix(), rules.patterns) for photo in photos]
    if rules.place is not None:
        return [_by_sun(photo.time, rules.place, rules) for photo in photos]
    return light_by_brightness([brightness(photo.luma) for photo in photos]) if photos else []


def _by_pattern(name: str, patterns: tuple[str, str]) -> Light:
    matches = [fnmatch.fnmatchcase(name, pattern) for pattern in patterns]
    if matches == [True, True]:
        return Light(BETWEEN, f"matches both patterns: {patterns[0]} and {patterns[1]}")
    if matches == [False, False]:
        return Light(BETWEEN, f"matches neither pattern: {patterns[0]} nor {patterns[1]}")
    return Light(DAY, f"matches {patterns[0]}") if matches[0] else Light(NIGHT, f"matches {patterns[1]}")


def _by_sun(time: datetime | None, place: tuple[float, float], rules: Rules) -> Light:
    if time is None:
        return Light(BETWEEN, "no capture time: not in the name, EXIF or a table (see --time-format, --times)")
    elevation_deg = sun_elevation(time, lat=place[0], lon=place[1])
    return light_by_sun(elevation_deg, day_above=rules.day_above, night_below=rules.night_below)


def _clear(photos: list[CameraPhoto], rules: Rules, left_out: list[Failed]) -> list[CameraPhoto]:
    clear = []
    for photo, visible in zip(photos, visibilities([photo.luma for photo in photos]), strict=True):
        if visible >= rules.least_visibility:
            clear.append(photo)
        else:
            left_out.append(_unused(photo, f"fog: {visible:.0%} of the scene's usual structure is seen"))
    return clear


def _drop_contradicted(result: SortedPhotos, rules: Rules) -> None:
    """Doubt the sun where the photos contradict it: most likely the times are local."""
    if rules.place is None or rules.patterns is not None or not (result.first and result.second):
        return
    days, nights = (np.median([brightness(one.luma) for one in side]) for side in (result.first, result.second))
    if nights > _AS_BRIGHT * days:
        told = f"median brightness {nights:.0f} and {days:.0f}, are the times UTC (see --utc-offset)?"
        both = (*result.first, *result.second)
        result.left_out += [_unused(photo, f"nights as bright as days: {told}") for photo in both]
        result.first, result.second = [], []


def _drop_one_sided(result: SortedPhotos, lit: Sequence[CameraPhoto], rules: Rules) -> None:
    if bool(result.first) == bool(result.second):
        return
    first, second = ("day", "night") if rules.patterns is None else rules.patterns
    missing = second if result.first else first
    told = _nearest_to_missing(lit, rules, night=bool(result.first))
    for photo in (*result.first, *result.second):
        result.left_out.append(_unused(photo, f"no {missing} at this camera{told}"))
    result.first, result.second = [], []


def _nearest_to_missing(lit: Sequence[CameraPhoto], rules: Rules, *, night: bool) -> str:
    """Say how near the camera's photos come to the state that it does not have."""
    if rules.patterns is not None:
        return ""
    choose, extreme = (min, "darkest") if night else (max, "brightest")
    if rules.place is None:
        level = choose(brightness(photo.luma) for photo in lit)
        bright = np.percentile([brightness(photo.luma) for photo in lit], 90)
        return f": its {extreme} photo has brightness {level:.0f}, its bright level is {bright:.0f} of 255"
    lat, lon = rules.place
    angle = choose(sun_elevation(photo.time, lat=lat, lon=lon) for photo in lit if photo.time is not None)
    return f": the sun stands at {angle:.1f} degrees at the {'lowest' if night else 'highest'}"


def _unused(photo: CameraPhoto, reason: str) -> Unused:
    return Unused(photo.key, str(photo.path), reason)
