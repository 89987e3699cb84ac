"""How fast a run goes, what its time is spent on, and when the next checkpoint is due."""

from __future__ import annotations

import time
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
        self._validation_s = 0.0
        self._num_batches, self._batch_s = 0, 0.0

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Take the time of making a batch.

        Only the first one since the clock was asked counts: the pixels of later ones reach a GPU after it has done the
        step before, and that time would be counted too.
        """
        start_s = time.monotonic()
        yield
        if self._num_batches == 0:
            self._batch_s = time.monotonic() - start_s
        self._num_batches += 1

    @contextmanager
    def validation(self) -> Iterator[None]:
        """Take the time of measuring."""
        start_s = time.monotonic()
        yield
        self._validation_s += time.monotonic() - start_s

    @property
    def validation_share(self) -> float:
        """Share of all the time so far that measuring took."""
        return self._validation_s / max(time.monotonic() - self._start_s, 1e-9)

    def speeds(self, num_images: int) -> dict[str, float]:
        """Return images_per_s and data_share since this was last asked, right after a wait for the device.

        Samples, measurements and checkpoints are part of that time; data_share is that of making batches.
        """
        now_s = time.monotonic()
        elapsed_s = max(now_s - self._asked_s, 1e-9)
        speeds = {
            "images_per_s": (num_images - self._num_images) / elapsed_s,
            "data_share": min(self._batch_s * self._num_batches / elapsed_s, 1.0),
        }
        self._num_images, self._asked_s, self._num_batches = num_images, now_s, 0
        return speeds

    def checkpoint_is_due(self, minutes: float) -> bool:
        return time.monotonic() - self._saved_s >= minutes * 60

    def saved(self) -> None:
        """Begin anew to wait for the next checkpoint."""
        self._saved_s = time.monotonic()
