"""How high the sun stands at a place and time; plain arithmetic."""

from __future__ import annotations

import math
from datetime import UTC, datetime

__all__ = ["CIVIL_TWILIGHT_DEG", "LOW_SUN_DEG", "sun_elevation", "sun_position"]

CIVIL_TWILIGHT_DEG = -6.0
"""Where civil twilight ends: below it lamps are needed out of doors (U.S. Naval Observatory, "Rise, Set, and Twilight
Definitions")."""
LOW_SUN_DEG = 6.0
"""Photographers' golden hour ends about here; below it the light is too warm and the shadows too long for plain day."""

_EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


def sun_position(time: datetime) -> tuple[float, float]:
    """Return the right ascension (in [-180, 180]) and declination of the sun in degrees.

    Parameters
    ----------
    time : datetime
        With its time zone.

    References
    ----------
    U.S. Naval Observatory, "Computing Approximate Solar Coordinates" (The Astronomical Almanac, section C): within
    about an arc minute between 1800 and 2200.
    """
    days = _days(time)
    anomaly = math.radians(357.529 + 0.98560028 * days)
    mean_longitude = 280.459 + 0.98564736 * days
    longitude = math.radians(mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.00000036 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    return math.degrees(ascension), math.degrees(math.asin(math.sin(tilt) * math.sin(longitude)))


def sun_elevation(time: datetime, *, lat: float, lon: float) -> float:
    """Return the angle of the sun's centre above the horizon in degrees, without refraction.

    The upper limb rises and sets at -0.833 degrees, since the air lifts it by 0.567 and its radius is 0.267.

    Parameters
    ----------
    time : datetime
        With its time zone.
    lat, lon : float
        Degrees; north and east are positive.

    Examples
    --------
    >>> round(sun_elevation(datetime(2013, 6, 21, 11, 27, tzinfo=UTC), lat=50.11, lon=8.68), 1)
    63.3
    """
    ascension, declination = sun_position(time)
    # Greenwich mean sidereal time, U.S. Naval Observatory, "Computing Greenwich Apparent Sidereal Time".
    sidereal_deg = 15 * (18.697375 + 24.065709824279 * _days(time))
    hour_angle = math.radians(sidereal_deg + lon - ascension)
    phi, delta = math.radians(lat), math.radians(declination)
    sine = math.sin(phi) * math.sin(delta) + math.cos(phi) * math.cos(delta) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def _days(time: datetime) -> float:
    return (time - _EPOCH).total_seconds() / 86400
