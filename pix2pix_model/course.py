"""The course of a run: what each step is given, a function of (recipe, step), so that any step can be repeated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pix2pix_model.batch import Batch
from pix2pix_model.data import PairCache
from pix2pix_model.distributed import add_up_losses
from pix2pix_model.recipe import Recipe
from pix2pix_model.runners import StepRunner
from pix2pix_model.schedule import Schedule, rng_for, seed_for
from pix2pix_model.state import TrainState
from pix2pix_model.step import train_step
from pix2pix_model.streaming import StreamedPairs

__all__ = ["Course"]


@dataclass(frozen=True, slots=True)
class Course:
    """The steps of a run, each by its number alone."""

    recipe: Recipe
    schedule: Schedule
    cache: PairCache | StreamedPairs
    runner: StepRunner | None = None  # None: the step runs as it is

    def batch(self, state: TrainState) -> Batch:
        """Make the batch of the step that comes next."""
        jitter = rng_for("jitter", self.recipe.train.seed, state.step)
        return self.cache.batch(self.schedule.pairs(state.step), jitter)

    def advance(self, state: TrainState, batch: Batch) -> dict[str, Tensor]:
        """Do that step, and return what `train_step` does."""
        settings = self.recipe.train
        state.set_learning_rate(self.schedule.learning_rate(state.step))
        torch.manual_seed(seed_for("dropout", settings.seed, state.step))
        step = self.runner or train_step
        losses = add_up_losses(step(state, batch, self.recipe))
        state.step += 1
        state.update_average(settings.ema)
        return losses
