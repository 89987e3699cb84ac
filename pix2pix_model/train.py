"""Training a run from its first step, or from where it stopped, to its end. The file to read first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version

import torch

from pix2pix_data.console import ProgressLine, say
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import CheckpointError
from pix2pix_data.side_facts import side_facts
from pix2pix_model.card import model_card
from pix2pix_model.checkpoint import (
    DataFacts,
    Model,
    ModelConfig,
    best_checkpoint,
    last_checkpoint,
    load_model,
    save_model,
)
from pix2pix_model.clock import Clock
from pix2pix_model.data import PairCache
from pix2pix_model.device import choose_device
from pix2pix_model.examples import given_examples
from pix2pix_model.recipe import Recipe
from pix2pix_model.run_dir import RunDir
from pix2pix_model.run_log import RunLog, Samples
from pix2pix_model.saved_state import load_state, save_state
from pix2pix_model.schedule import Schedule, rng_for, seed_for
from pix2pix_model.sides import sides_of
from pix2pix_model.signals import StopRequest
from pix2pix_model.state import TrainState, build_state, generator_spec
from pix2pix_model.step import train_step
from pix2pix_model.validation import Validation

__all__ = ["TrainSummary", "data_facts", "model_config", "train"]


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What was done since the run was started or continued."""

    num_steps: int
    num_images: int
    elapsed_s: float


def train(recipe: Recipe, dataset: PairDataset, run: RunDir) -> TrainSummary:
    """Train until the schedule ends; a run that was stopped before goes on from its last checkpoint.

    On a CPU the weights are the same to the bit, however often the run was stopped.

    Parameters
    ----------
    recipe : Recipe
    dataset : PairDataset
        The one at `recipe.data.path`.
    run : RunDir
        A new run, or one to continue.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    CheckpointError, ImageError, UsageError
        If the last checkpoint does not fit the recipe, a pair cannot be decoded, or a setting cannot be used here.
    """
    start_s = time.monotonic()

    # --- build ------------------------------------------------------------------------------------------------
    device = choose_device(recipe.train.device, recipe.train.precision)
    schedule = Schedule(recipe.train, dataset.num_pairs["train"])
    state = build_state(recipe, device)
    torch.backends.cudnn.benchmark = True  # one shape throughout: let cuDNN find its fastest kernels once

    # --- resume -----------------------------------------------------------------------------------------------
    if checkpoint_dir := last_checkpoint(run.path):
        load_state(checkpoint_dir, state)
        _check_unfinished(run, state.step, schedule)
        say(f"Continuing after step {state.step} of {schedule.num_steps}")
    first_step = state.step
    run.record_start(recipe, data_facts(dataset), step=first_step, device_words=device.words)

    # --- data -------------------------------------------------------------------------------------------------
    samples, validation = Samples(dataset, recipe), Validation(dataset, recipe)
    if samples.split == "train":
        say("There is no validation split: nothing is measured, and the samples show pairs that are trained on")
    cache = PairCache(dataset, recipe.data, split="train", spill_dir=run.path)

    # --- train ------------------------------------------------------------------------------------------------
    num_images, total_images = schedule.num_images(first_step), schedule.num_images(schedule.num_steps)
    clock = Clock(num_images)
    with (
        RunLog(run.path, first_step) as log,
        StopRequest() as stop,
        ProgressLine("Training", total_images, unit="images", done=num_images) as progress,
    ):
        while state.step < schedule.num_steps:
            # --- one step
            epoch, learning_rate = schedule.epoch(state.step), schedule.learning_rate(state.step)
            state.set_learning_rate(learning_rate)
            with clock.on("data"):
                jitter = rng_for("jitter", recipe.train.seed, state.step)
                batch = cache.batch(schedule.pairs(state.step), jitter, device.torch_device)
            torch.manual_seed(seed_for("dropout", recipe.train.seed, state.step))
            state.means.add(train_step(state, batch, recipe))
            state.step += 1
            state.update_average(recipe.train.ema)
            is_last = state.step == schedule.num_steps
            num_images = schedule.num_images(state.step)
            progress.set(num_images)
            values: dict[str, float] = {}

            # --- measure
            if state.step % recipe.log.metrics_every == 0 or is_last:
                means = state.means.take()
                values = {**means, "lr": learning_rate, **clock.since_asked(num_images)}
                progress.set(num_images, _note(state.step, epoch, schedule, means))
            best_before = state.best
            if validation.is_due(state.step, is_last=is_last):
                with clock.on("validation"):
                    measured = validation.measure(state.finished, device)
                state.best = validation.best(state.best, state.step, measured)
                values |= measured.values

            # --- log
            if values:
                log.metrics(state.step, epoch + 1, values)
            if state.step % recipe.log.samples_every == 0 or is_last:
                log.samples(state.step, samples.sheet(state.finished, device))

            # --- save
            stopping, is_best = stop.asked, state.best != best_before
            if is_last or stopping or is_best or clock.checkpoint_is_due(recipe.log.checkpoint_minutes):
                log.flush()
                save_state(run.checkpoints_dir, state, model_config(recipe, dataset, state.step))
                clock.saved()
            if stopping and not is_last:
                raise KeyboardInterrupt

    # --- finish -----------------------------------------------------------------------------------------------
    finished = _finished(run, recipe, dataset, state)
    card, examples = model_card(finished.config, recipe), given_examples(dataset, recipe.data)
    save_model(run.model_dir, finished.generator, finished.config, card, examples=examples)
    return TrainSummary(
        state.step - first_step, total_images - schedule.num_images(first_step), time.monotonic() - start_s
    )


def data_facts(dataset: PairDataset) -> DataFacts:
    """Say which dataset this is, without the folders of this machine."""
    return DataFacts(name=dataset.path.resolve().name, fingerprint=dataset.fingerprint, num_pairs=dataset.num_pairs)


def model_config(recipe: Recipe, dataset: PairDataset, steps: int) -> ModelConfig:
    """Describe the generator of a recipe after so many steps."""
    return ModelConfig(
        name=recipe.name,
        architecture=recipe.generator.name,
        spec=generator_spec(recipe),
        sides=sides_of(recipe.data),
        crop_size=recipe.data.crop_size,
        data=data_facts(dataset),
        steps=steps,
        given=side_facts(dataset, recipe.data.given_side),
        version=version("pix2pix-kit"),
    )


def _finished(run: RunDir, recipe: Recipe, dataset: PairDataset, state: TrainState) -> Model:
    """Choose the generator that the run is for, and say which one it is."""
    if state.best is not None:
        say(f"best {state.best.metric}: {state.best.value:.4g}, after step {state.best.step} (checkpoints/best)")
    if recipe.validation.keep == "best" and (checkpoint_dir := best_checkpoint(run.path)):
        best = load_model(checkpoint_dir)
        say(f"model/ is that of step {best.config.steps}, the best; that of step {state.step} is in checkpoints/last")
        return best
    return Model(state.finished, model_config(recipe, dataset, state.step), run.path)


def _check_unfinished(run: RunDir, step: int, schedule: Schedule) -> None:
    if step > schedule.num_steps or (step == schedule.num_steps and run.model_dir.exists()):
        fix = "ask for more with --set train.epochs=... or train.max_steps=..., or start another with --new"
        raise CheckpointError(f"the run has all of its {schedule.num_steps} steps", where=run.path, fix=fix)


def _note(step: int, epoch: int, schedule: Schedule, means: dict[str, float]) -> str:
    losses = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    return f"step {step}, epoch {epoch + 1}/{schedule.num_epochs}, {losses}"
