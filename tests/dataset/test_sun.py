"""The sun's place against published values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pix2pix_data.scenes.light import DAY, NIGHT, light_by_brightness, light_by_sun
from pix2pix_data.scenes.sun import sun_elevation, sun_position

FRANKFURT = {"lat": 50.11, "lon": 8.68}
RISE_DEG = -0.833


def test_position_is_that_of_meeus_example_25a():
    # Astronomical Algorithms, 2nd edition, p. 165: 1992 October 13.0 TD, apparent place.
    ascension, declination = sun_position(datetime(1992, 10, 13, tzinfo=UTC))
    assert ascension % 360 == pytest.approx(198.38083, abs=0.02)
    assert declination == pytest.approx(-7.78507, abs=0.02)


def test_elevation_is_that_of_the_solar_position_algorithm():
    # Reda and Andreas 2008, NREL/TP-560-34302, table A5.1: zenith angle 50.11162 degrees, refraction included.
    time = datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC)
    assert sun_elevation(time, lat=39.742476, lon=-105.1786) == pytest.approx(90 - 50.11162, abs=0.03)


@pytest.mark.parametrize(
    ("rise", "sets"),
    [
        (datetime(2013, 6, 21, 3, 15, tzinfo=UTC), datetime(2013, 6, 21, 19, 38, tzinfo=UTC)),
        (datetime(2013, 12, 21, 7, 22, tzinfo=UTC), datetime(2013, 12, 21, 15, 25, tzinfo=UTC)),
    ],
)
def test_sun_rises_and_sets_in_frankfurt_when_the_calendar_says(rise, sets):
    few = timedelta(minutes=4)
    assert sun_elevation(rise - few, **FRANKFURT) < RISE_DEG < sun_elevation(rise + few, **FRANKFURT)
    assert sun_elevation(sets + few, **FRANKFURT) < RISE_DEG < sun_elevation(sets - few, **FRANKFURT)


def test_day_and_night_are_told_by_elevation():
    states = [light_by_sun(angle, day_above=6, night_below=-6) for angle in (30, 6, 2.5, -3, -6, -40)]
    assert [light.state for light in states] == [DAY, DAY, "between", "between", NIGHT, NIGHT]
    assert [light.reason.partition(":")[0] for light in states[2:4]] == ["low sun", "twilight"]


def test_brightness_finds_one_night_among_days_and_none_where_there_is_none():
    assert [light.state for light in light_by_brightness([180, 200, 190, 60, 210])] == [DAY, DAY, DAY, NIGHT, DAY]
    assert NIGHT not in [light.state for light in light_by_brightness([180, 200, 130, 210])]
    assert {light.state for light in light_by_brightness([30, 40, 50])} == {NIGHT}
