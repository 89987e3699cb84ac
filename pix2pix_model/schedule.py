"""What happens when: epochs, learning rate, and which pairs. All of it a function of (recipe, step)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pix2pix_model.recipe import TrainSettings

__all__ = ["Schedule", "rng_for", "seed_for"]

Purpose: TypeAlias = Literal["weights", "order", "jitter", "dropout", "validation"]
# Add at the end: the place of each is part of its seed.
_PURPOSES = ("weights", "order", "jitter", "dropout", "validation")


def rng_for(purpose: Purpose, seed: int, index: int = 0) -> np.random.Generator:
    """Return the generator of random numbers for one purpose at one step or epoch, independent of all others."""
    return np.random.default_rng((seed, _PURPOSES.index(purpose), index))


def seed_for(purpose: Purpose, seed: int, index: int = 0) -> int:
    """Return a seed for torch, as `rng_for` does for numpy."""
    return int(rng_for(purpose, seed, index).integers(2**63))


@dataclass(frozen=True, slots=True)
class Schedule:
    """The plan of a run. Steps and epochs count from 0: step 0 is the first.

    Attributes
    ----------
    settings : TrainSettings
    num_pairs : int
        In the training split.
    shards : tuple of int
        Pairs in each of its files, where they are read one after the other; else none.
    buffer : int
        Pairs that are shuffled together then.
    """

    settings: TrainSettings
    num_pairs: int
    shards: tuple[int, ...] = ()
    buffer: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """The last batch of an epoch may be short, as in the authors' code."""
        return math.ceil(self.num_pairs / self.settings.batch)

    @property
    def num_epochs(self) -> int:
        return self.settings.epochs + self.settings.decay_epochs

    @property
    def num_steps(self) -> int:
        by_epochs = self.num_epochs * self.steps_per_epoch
        return min(by_epochs, self.settings.max_steps or by_epochs)

    def epoch(self, step: int) -> int:
        return step // self.steps_per_epoch

    def num_images(self, step: int) -> int:
        """Count the pairs seen before `step`."""
        epochs, steps = divmod(step, self.steps_per_epoch)
        return epochs * self.num_pairs + steps * self.settings.batch

    def learning_rate(self, step: int) -> float:
        """Return the rate at a step: constant, then falling by equal parts each epoch, to 1/(decay_epochs + 1) of it.

        The authors' PyTorch code numbers epochs from 1 and steps its scheduler at their end, so the first decay epoch
        already runs at a lower rate, and none at 0.
        """
        decayed = max(0, self.epoch(step) + 1 - self.settings.epochs)
        return self.settings.learning_rate * (1 - decayed / (self.settings.decay_epochs + 1))

    def pairs(self, step: int) -> npt.NDArray[np.int64]:
        """Return which pairs a step trains on: the next part of its epoch's order; shape (num,)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        start = position * self.settings.batch
        if self.shards:
            order = _order_by_shards(self.settings.seed, epoch, self.shards, self.buffer)
        else:
            order = _order(self.settings.seed, epoch, self.num_pairs, drawn=self.settings.order == "drawn")
        return order[start : start + self.settings.batch]


@lru_cache(maxsize=1)  # one epoch's order, made once and not at each step
def _order(seed: int, epoch: int, num_pairs: int, *, drawn: bool) -> npt.NDArray[np.int64]:
    rng = rng_for("order", seed, epoch)
    return rng.integers(num_pairs, size=num_pairs) if drawn else rng.permutation(num_pairs)


@lru_cache(maxsize=2)  # that of the step, and that of the pairs which are read ahead
def _order_by_shards(seed: int, epoch: int, shards: tuple[int, ...], buffer: int) -> npt.NDArray[np.int64]:
    """Shuffle the shards, then the pairs of as many neighbours among them as hold `buffer` pairs."""
    rng = rng_for("order", seed, epoch)
    ends = np.cumsum(shards)
    parts: list[npt.NDArray[np.int64]] = []
    held: list[npt.NDArray[np.int64]] = []
    for shard in rng.permutation(len(shards)):
        held.append(np.arange(ends[shard] - shards[shard], ends[shard]))
        if sum(map(len, held)) >= buffer:
            parts.append(rng.permutation(np.concatenate(held)))
            held = []
    return np.concatenate([*parts, rng.permutation(np.concatenate(held))] if held else parts)
