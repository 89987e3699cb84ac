"""Training a run from its first step, or from where it stopped, to its end. The file to read first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite
from pathlib import Path

import torch

from pix2pix_data.console import ProgressLine, duration, say
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
from pix2pix_model.course import Course
from pix2pix_model.data import PairCache
from pix2pix_model.device import Device, choose_device
from pix2pix_model.distributed import any_process, check_sync_norm, is_first, num_processes, send_first_weights
from pix2pix_model.examples import given_examples
from pix2pix_model.not_finite import diverged, first_not_finite
from pix2pix_model.recipe import Recipe
from pix2pix_model.run_dir import RunDir
from pix2pix_model.run_log import RunLog, Samples, full_disk_told
from pix2pix_model.runners import choose_runner
from pix2pix_model.saved_state import load_state, save_state, tensors_of
from pix2pix_model.schedule import Schedule
from pix2pix_model.sides import sides_of
from pix2pix_model.signals import StopRequest
from pix2pix_model.state import TrainState, build_state, generator_spec
from pix2pix_model.streaming import StreamedPairs, schedule_of
from pix2pix_model.validation import Validation
from pix2pix_model.watchdog import Watchdog

__all__ = ["TrainSummary", "data_facts", "model_config", "train"]


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What was done since the run was started or continued."""

    num_steps: int
    num_images: int
    elapsed_s: float


def train(recipe: Recipe, dataset: PairDataset, run: RunDir) -> TrainSummary:
    """Train until the schedule ends; a run that was stopped before goes on from its last checkpoint.

    On a CPU the weights are the same to the bit, however often the run was stopped. `dataset` is the one at
    `recipe.data.path`; `run` is a new run, or one to continue.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once everything is saved.
    TrainingError
        If a number is not finite any more, or the disk is full; the checkpoints before are sound.
    CheckpointError, ImageError, UsageError
        If the last checkpoint does not fit the recipe, a pair cannot be decoded, or a setting cannot be used here.
    """
    start_s = time.monotonic()

    # --- build ------------------------------------------------------------------------------------------------
    device = choose_device(recipe.train.device, recipe.train.precision)
    schedule = schedule_of(recipe, dataset)
    check_sync_norm(recipe, schedule.num_pairs)
    state = build_state(recipe, device)
    torch.backends.cudnn.benchmark = True  # one shape throughout: let cuDNN find its fastest kernels once

    # --- resume -----------------------------------------------------------------------------------------------
    if checkpoint_dir := last_checkpoint(run.path):
        _continue_from(checkpoint_dir, state, run, schedule)
    send_first_weights([*state.networks.values()])
    first_step = state.step
    if not is_first():
        _follow(_course(recipe, schedule, dataset, device, first_step), state)
        num_trained = schedule.num_images(state.step) - schedule.num_images(first_step)
        return TrainSummary(state.step - first_step, num_trained, time.monotonic() - start_s)
    with full_disk_told(run.path):
        words = f"{num_processes()} processes, each on {device.words}" if num_processes() > 1 else device.words
        run.record_start(recipe, data_facts(dataset), step=first_step, device_words=words)
    if recipe.train.precision == "auto" and device.would_gain_by_bf16:
        say("This CPU multiplies in bf16: large networks may train 1.5 to 2 times as fast with train.precision=bf16")

    # --- data -------------------------------------------------------------------------------------------------
    samples, validation = Samples(dataset, recipe), Validation(dataset, recipe)
    config = model_config(recipe, dataset)
    if samples.split == "train":
        say("There is no validation split: nothing is measured, and the samples show pairs that are trained on")
    course = _course(recipe, schedule, dataset, device, first_step)

    # --- train ------------------------------------------------------------------------------------------------
    num_images, total_images = schedule.num_images(first_step), schedule.num_images(schedule.num_steps)
    clock, watchdog = Clock(num_images), Watchdog(validation.pairs)
    with (
        full_disk_told(run.path),
        RunLog(run.path, first_step) as log,
        StopRequest(patient=num_processes() > 1) as stop,
        ProgressLine("Training", total_images, unit="images", done=num_images) as progress,
    ):
        while state.step < schedule.num_steps:
            # --- one step
            with clock.batch():
                batch = course.batch(state)
            state.means.add(course.advance(state, batch))
            if state.step == first_step + 1:
                say(f"The first step was given after {duration(time.monotonic() - start_s)}")
            is_last = state.step == schedule.num_steps
            num_images = schedule.num_images(state.step)
            progress.set(num_images)
            values: dict[str, float] = {}  # of this step's line in the log

            # --- read the losses: the one place where the device is waited for
            if state.step % recipe.log.metrics_every == 0 or is_last:
                means = state.means.take()
                if not all(map(isfinite, means.values())):
                    raise diverged(run.path, course, state)
                values = means | {"lr": schedule.learning_rate(state.step - 1)} | clock.speeds(num_images)
                watchdog.look_at_log(values)
                progress.set(num_images, _note(state.step, schedule, means))

            # --- measure
            if validation.is_due(state.step, is_last=is_last):
                with clock.validation():
                    measured = validation.measure(state.finished, device)
                    watchdog.look_at_generator(state.finished, measured.pictures, device, step=state.step)
                state.best = validation.best(state.best, state.step, measured)
                values |= measured.values

            # --- log
            if values:
                log.metrics(state.step, schedule.epoch(state.step - 1) + 1, values)
            if state.step % recipe.log.samples_every == 0 or is_last:
                log.samples(state.step, samples.sheet(state.finished, device))

            # --- save
            is_best = state.best is not None and state.best.step == state.step
            is_due = clock.checkpoint_is_due(recipe.log.checkpoint_minutes)
            stopping = any_process(stop.asked)
            if saving := is_last or is_best or is_due or stopping:
                if first_not_finite(tensors_of(state)):
                    raise diverged(run.path, course, state)
                log.flush()
                save_state(run.checkpoints_dir, state, config)
                clock.saved()
            # One that was asked for since then waits for the next step, unless it was saved and nobody else waits.
            if (stopping or (stop.asked and saving and num_processes() == 1)) and not is_last:
                raise KeyboardInterrupt

    # --- finish -----------------------------------------------------------------------------------------------
    finished = _finished(run, recipe, config, state, clock)
    card = model_card(finished.config, recipe)
    examples = given_examples(dataset, recipe.data.given_side, recipe.data.crop_size)
    save_model(run.model_dir, finished.generator, finished.config, card, examples=examples)
    num_trained = total_images - schedule.num_images(first_step)
    return TrainSummary(state.step - first_step, num_trained, time.monotonic() - start_s)


def _course(recipe: Recipe, schedule: Schedule, dataset: PairDataset, device: Device, first_step: int) -> Course:
    runner, left_out = choose_runner(recipe, device)
    if left_out:
        say(left_out)
    if recipe.data.stream:
        pairs = StreamedPairs(dataset, recipe.data, schedule, first_step, device.torch_device)
        return Course(recipe, schedule, pairs, runner)
    cache = PairCache(dataset, recipe.data, split="train", device=device.torch_device)
    return Course(recipe, schedule, cache, runner)


def _follow(course: Course, state: TrainState) -> None:
    """Do the same steps beside the first process, which does all the rest."""
    with StopRequest(patient=True) as stop:
        while state.step < course.schedule.num_steps:
            course.advance(state, course.batch(state))
            if any_process(stop.asked) and state.step < course.schedule.num_steps:
                raise KeyboardInterrupt


def data_facts(dataset: PairDataset) -> DataFacts:
    """Say which dataset this is, without the folders of this machine."""
    return DataFacts(name=dataset.path.resolve().name, fingerprint=dataset.fingerprint, num_pairs=dataset.num_pairs)


def model_config(recipe: Recipe, dataset: PairDataset) -> ModelConfig:
    """Describe the generator of a recipe, whatever the number of its steps."""
    return ModelConfig(
        name=recipe.name,
        architecture=recipe.generator.name,
        spec=generator_spec(recipe),
        sides=sides_of(recipe.data),
        crop_size=recipe.data.crop_size,
        data=data_facts(dataset),
        given=side_facts(dataset, recipe.data.given_side),
        version=version("pix2pix-kit"),
    )


def _finished(run: RunDir, recipe: Recipe, config: ModelConfig, state: TrainState, clock: Clock) -> Model:
    """Choose the generator that the run is for, and say which one it is."""
    if state.best is not None:
        best, share = state.best, clock.validation_share
        say(f"Best {best.metric}: {best.value:.4g} after step {best.step}; measuring took {share:.1%} of the time")
    if recipe.validation.keep == "best" and (checkpoint_dir := best_checkpoint(run.path)):
        say(f"model/ is the best one; that of step {state.step} is in checkpoints/last")
        return load_model(checkpoint_dir)
    if state.best is not None:
        say(f"model/ is that of step {state.step}; the best is in checkpoints/best")
    return Model(state.finished, config.model_copy(update={"steps": state.step}), run.path)


def _continue_from(checkpoint_dir: Path, state: TrainState, run: RunDir, schedule: Schedule) -> None:
    load_state(checkpoint_dir, state)
    num_steps = schedule.num_steps
    if state.step > num_steps or (state.step == num_steps and run.model_dir.exists()):
        fix = "ask for more with --set train.epochs=... or train.max_steps=..., or start another with --new"
        raise CheckpointError(f"the run has all of its {num_steps} steps", where=run.path, fix=fix)
    say(f"Continuing after step {state.step} of {num_steps}")


def _note(step: int, schedule: Schedule, means: dict[str, float]) -> str:
    losses = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    return f"step {step}, epoch {schedule.epoch(step - 1) + 1}/{schedule.num_epochs}, {losses}"
