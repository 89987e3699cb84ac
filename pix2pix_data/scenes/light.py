"""Day, twilight or night: by the sun where the place is known, else by how bright a camera's photos are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pix2pix_data.scenes.thumbnails import Gray

__all__ = ["DAY", "NIGHT", "Light", "brightness", "light_by_brightness", "light_by_sun"]

DAY, NIGHT, BETWEEN = "day", "night", "between"

_BRIGHT_PERCENTILE = 90
_NIGHT_SHARE, _DAY_SHARE = 0.5, 0.7
"""Shares of the camera's bright level, chosen on the twelve nights of one camera and the days of four: what lies
between is twilight, a heavy sky, or a night that its exposure hides. Half the level is a fifth of the light."""
_LEAST_BRIGHT = 70  # below it the brightest photos of a camera are no day either


@dataclass(frozen=True, slots=True)
class Light:
    """The light of a photo.

    Attributes
    ----------
    state : str
        DAY, NIGHT or BETWEEN.
    reason : str
        In words; for a photo between, why it is not used.
    """

    state: str
    reason: str


def light_by_sun(elevation_deg: float, *, day_above: float, night_below: float) -> Light:
    """Tell the light from the sun's elevation; all angles in degrees.

    Examples
    --------
    >>> light_by_sun(-3.2, day_above=6, night_below=-6)
    Light(state='between', reason='twilight: the sun stands at -3.2 degrees')
    """
    told = f"the sun stands at {elevation_deg:.1f} degrees"
    if elevation_deg >= day_above:
        return Light(DAY, f"day: {told}")
    if elevation_deg <= night_below:
        return Light(NIGHT, f"night: {told}")
    return Light(BETWEEN, f"{'low sun' if elevation_deg > 0 else 'twilight'}: {told}")


def brightness(luma: Gray) -> float:
    """Return the mean, in [0, 255], of the median luma of a whole photo and that of its upper third, the sky's part."""
    return float(np.median(luma) + np.median(luma[: max(1, len(luma) // 3)])) / 2


def light_by_brightness(values: Sequence[float]) -> list[Light]:
    """Tell the light of all photos of one camera from their `brightness`.

    The bright level is the 90th percentile. Night is at most half of it, day at least 0.7 of it; so a camera without
    a night has none here, however its photos spread.
    """
    level = float(np.percentile(values, _BRIGHT_PERCENTILE))
    if level < _LEAST_BRIGHT:
        return [Light(NIGHT, f"night: the camera's bright level is {level:.0f} of 255") for _ in values]
    return [_light_at(value, level) for value in values]


def _light_at(value: float, level: float) -> Light:
    told = f"brightness {value:.0f}, the camera's bright level {level:.0f} of 255"
    if value >= _DAY_SHARE * level:
        return Light(DAY, f"day: {told}")
    if value <= _NIGHT_SHARE * level:
        return Light(NIGHT, f"night: {told}")
    return Light(BETWEEN, f"between day and night: {told}")
