"""One detector for all processes of a build: the same maps as in one process, and errors instead of waiting."""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import signal
from collections.abc import Sequence

import numpy as np
import pytest

from pix2pix_data.edges.detector import EdgeDetector, make_detector
from pix2pix_data.edges.shared_detector import shared_detector
from pix2pix_data.errors import BuildError, ImageError

make_classical = functools.partial(make_detector, "classical")


def some_photos() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 40, 3), np.uint8) for height in (30, 50)]


def choosy() -> EdgeDetector:
    def see(photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        raise ImageError("too small", where=f"{len(photos)} photos", fix="take larger ones")

    return see


def broken() -> EdgeDetector:
    raise BuildError("no weights here")


def dead() -> EdgeDetector:
    os._exit(3)


def test_maps_are_those_of_the_detector_itself_also_for_who_gets_a_copy():
    with shared_detector(make_classical) as shared:
        for asked in (shared, pickle.loads(pickle.dumps(shared)), shared):
            for map_there, map_here in zip(asked(some_photos()), make_classical()(some_photos()), strict=True):
                np.testing.assert_array_equal(map_there, map_here)


def test_process_ends_with_the_context():
    with shared_detector(make_classical):
        assert [child.name for child in multiprocessing.active_children()] == ["edge detector"]
    assert not multiprocessing.active_children()


def test_error_of_the_detector_is_raised_here_and_the_next_question_is_answered():
    with shared_detector(choosy) as shared:
        for _ in range(2):
            with pytest.raises(ImageError, match=r"too small: 2 photos \(take larger ones\)"):
                shared(some_photos())


@pytest.mark.parametrize(("make", "told"), [(broken, "no weights here"), (dead, "died at its start")])
def test_detector_that_cannot_be_made_is_told(make, told):
    with pytest.raises(BuildError, match=told), shared_detector(make):
        pass


def test_death_of_the_process_is_told():
    with shared_detector(make_classical) as shared:
        shared(some_photos())
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(BuildError, match="has ended"):
                shared(some_photos())
