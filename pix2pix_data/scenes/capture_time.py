"""When a photo was taken: told by a table, by its name, or by its EXIF record."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

from pix2pix_data.errors import FormatError

__all__ = ["Clock", "read_places", "read_times", "time_in_exif", "time_in_name"]

# Year to minute, with any one sign between them: 20130708_055413, 2013-07-08T05.54, 2012_0104_09400.
_DIGITS = re.compile(
    r"(?<!\d)((?:19|20)\d\d)\D?(0[1-9]|1[0-2])\D?([0-2]\d|3[01])\D{0,2}([01]\d|2[0-3])\D?([0-5]\d)(?:\D?([0-5]\d))?"
)
_DIRECTIVES = {"Y": r"\d{4}", "y": r"\d\d", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d"}
_DIRECTIVES |= {"j": r"\d{3}", "b": r"[A-Za-z]{3}", "I": r"\d\d", "p": r"[AaPp][Mm]", "%": "%"}
T = TypeVar("T")

_EXIF_IFD, _EXIF_TIME, _EXIF_OFFSET = 0x8769, 0x9003, 0x9011  # Exif 2.32: DateTimeOriginal, OffsetTimeOriginal


@dataclass(frozen=True, slots=True)
class Clock:
    """How capture times are found.

    Attributes
    ----------
    pattern : str or None
        A strptime pattern looked for in the file name; without one, common layouts of digits are.
    utc_offset_h : float
        Hours that local time is ahead of UTC, for times that do not say their zone.
    table : mapping of str to datetime
        Times by path below the source folder, which come first.
    """

    pattern: str | None = None
    utc_offset_h: float = 0.0
    table: Mapping[str, datetime] = field(default_factory=dict)

    def time_of(self, path: Path, source: Path) -> datetime | None:
        """Return the capture time in UTC, or None where nothing tells it."""
        below = path.relative_to(source).as_posix()
        found = self.table.get(below) or self.table.get(path.name)
        found = found or time_in_name(path.stem, self.pattern) or time_in_exif(path)
        if found is None:
            return None
        if found.tzinfo is None:
            found = found.replace(tzinfo=timezone(timedelta(hours=self.utc_offset_h)))
        return found.astimezone(UTC)


def time_in_name(stem: str, pattern: str | None = None) -> datetime | None:
    """Find the time that a file name holds, or None.

    Examples
    --------
    >>> time_in_name("20130708_055413")
    datetime.datetime(2013, 7, 8, 5, 54, 13)
    >>> time_in_name("cam2 08.07.13 5h", "%d.%m.%y") is not None
    True
    """
    if pattern is not None:
        found = re.search(pattern_to_regex(pattern), stem)
        text = found.group() if found else ""
        return _or_none(lambda: datetime.strptime(text, pattern))
    for match in _DIGITS.finditer(stem):
        year, month, day, hour, minute, second = (int(digits or 0) for digits in match.groups())
        time = _or_none(lambda: datetime(year, month, day, hour, minute, second))  # noqa: B023 - called at once
        if time is not None:
            return time
    return None


def pattern_to_regex(pattern: str) -> str:
    """Turn a strptime pattern into the regular expression of what it reads; ValueError for what is not known."""
    parts = re.split(r"%(.)", pattern)
    for i in range(1, len(parts), 2):
        if parts[i] not in _DIRECTIVES:
            raise ValueError(f"%{parts[i]} is not one of {', '.join('%' + name for name in _DIRECTIVES)}")
        parts[i] = _DIRECTIVES[parts[i]]
    parts[::2] = [re.escape(text) for text in parts[::2]]
    return "".join(parts)


def time_in_exif(path: Path) -> datetime | None:
    """Read DateTimeOriginal, with its zone where the file has one; None where there is none to be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            record = image.getexif().get_ifd(_EXIF_IFD)
        taken = datetime.strptime(str(record[_EXIF_TIME]).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        zone = str(record.get(_EXIF_OFFSET, "")).strip("\0 ")
        return datetime.fromisoformat(f"{taken.isoformat()}{zone}")
    except Exception:  # damage is found and told where the pixels are read; Pillow raises almost anything here
        return None


def read_times(path: Path) -> dict[str, datetime]:
    """Read a CSV of capture times with the columns file and time (ISO 8601); FormatError names a wrong line."""
    return dict(_rows(path, ("file", "time"), _time))


def read_places(path: Path) -> dict[str, tuple[float, float]]:
    """Read a CSV of places with the columns camera, lat and lon (degrees); FormatError names a wrong line."""
    return dict(_rows(path, ("camera", "lat", "lon"), _place))


def _rows(path: Path, columns: tuple[str, ...], read: Callable[[dict[str, str]], T]) -> list[T]:
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError) as error:
        raise FormatError(f"the table cannot be read: {error}", where=path, fix="give a CSV file") from error
    rows = []
    for number, line in enumerate(lines, 2):
        try:
            rows.append(read(line))
        except (KeyError, TypeError, ValueError) as error:
            fix = f"give a CSV with the columns {', '.join(columns)}"
            raise FormatError(f"line {number} cannot be used: {error}", where=path, fix=fix) from error
    return rows


def _place(row: dict[str, str]) -> tuple[str, tuple[float, float]]:
    lat, lon = float(row["lat"]), float(row["lon"])
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise ValueError(f"no place on Earth has latitude {lat} and longitude {lon}")
    return row["camera"], (lat, lon)


def _time(row: dict[str, str]) -> tuple[str, datetime]:
    return row["file"], datetime.fromisoformat(row["time"])


def _or_none(read: Callable[[], datetime]) -> datetime | None:
    try:
        return read()
    except ValueError:
        return None
