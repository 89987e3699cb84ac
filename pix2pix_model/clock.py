"""How fast a run goes, what its time is spent on, and when the next checkpoint is due."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Clock"]


class Clock:
    """Started with the first step.

    Parameters
    ----------
    num_images : int
        Pairs seen before.
    """

    def __init__(self, num_images: int) -> None:
        self._num_images = num_images
        self._start_s = self._asked_s = self._saved_s = time.monotonic()
        self._spent_s: defaultdict[str, float] = defaultdict(float)
        self._data_when_asked_s = 0.0

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count the time of a block as spent on `what`."""
        start_s = time.monotonic()
        try:
            yield
        finally:
            self._spent_s[what] += time.monotonic() - start_s

    def share(self, what: str) -> float:
        """Return the share of all the time so far that was spent on `what`."""
        return self._spent_s[what] / max(time.monotonic() - self._start_s, 1e-9)

    def since_asked(self, num_images: int) -> dict[str, float]:
        """Return images_per_s and data_share since the last call; samples and checkpoints are part of that time.

        data_share is the share of the time that was spent on making batches.
        """
        now_s = time.monotonic()
        elapsed_s = max(now_s - self._asked_s, 1e-9)
        num_seen, data_s = num_images - self._num_images, self._spent_s["data"] - self._data_when_asked_s
        self._num_images, self._asked_s, self._data_when_asked_s = num_images, now_s, self._spent_s["data"]
        return {"images_per_s": num_seen / elapsed_s, "data_share": data_s / elapsed_s}

    def checkpoint_is_due(self, minutes: float) -> bool:
        return time.monotonic() - self._saved_s >= minutes * 60

    def saved(self) -> None:
        """Begin anew to wait for the next checkpoint."""
        self._saved_s = time.monotonic()
