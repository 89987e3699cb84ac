"""The sun's place against published values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pix2pix_data.scenes.light import DAY, NIGHT, light_by_brightness, light_by_sun
from pix2pix_data.scenes.sun import sun_elevation, sun_position


def test_position_is_that_of_meeus_example_25a():
    # Meeus 1998, Astronomical Algorithms, 2nd edition, p. 165: 1992 October 13.0 TD, apparent place.
    ascension, declination = sun_position(datetime(1992, 10, 13, tzinfo=UTC))
    assert ascension % 360 == pytest.approx(198.38083, abs=0.02)
    assert declination == pytest.approx(-7.78507, abs=0.02)


# Reda and Andreas 2008, "Solar Position Algorithm for Solar Radiation Applications", NREL/TP-560-34302: the example of
# table A5.1, Golden (Colorado) on 17 October 2003; the sunrise and sunset are those that its program spa_tester.c
# prints, both of this day in UTC, so the sunset is that of the evening before.
GOLDEN = {"lat": 39.742476, "lon": -105.1786}


def test_elevation_is_that_of_the_solar_position_algorithm():
    time = datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC)
    assert sun_elevation(time, **GOLDEN) == pytest.approx(90 - 50.11162, abs=0.03)  # which has refraction in it


@pytest.mark.parametrize(
    "time", [datetime(2003, 10, 17, 13, 12, 43, tzinfo=UTC), datetime(2003, 10, 17, 0, 20, 19, tzinfo=UTC)]
)
def test_sun_rises_and_sets_when_the_solar_position_algorithm_says(time):
    assert sun_elevation(time, **GOLDEN) == pytest.approx(-0.833, abs=0.03)


def test_day_and_night_are_told_by_elevation():
    states = [light_by_sun(angle, day_above=6, night_below=-6) for angle in (30, 6, 2.5, -3, -6, -40)]
    assert [light.state for light in states] == [DAY, DAY, "between", "between", NIGHT, NIGHT]
    assert [light.reason.partition(":")[0] for light in states[2:4]] == ["low sun", "twilight"]


def test_brightness_finds_one_night_among_days_and_none_where_there_is_none():
    assert [light.state for light in light_by_brightness([180, 200, 190, 60, 210])] == [DAY, DAY, DAY, NIGHT, DAY]
    assert NIGHT not in [light.state for light in light_by_brightness([180, 200, 130, 210])]
    assert {light.state for light in light_by_brightness([30, 40, 50])} == {NIGHT}
