"""NaN and infinity: noticed where numbers are read anyway, and traced to the tensor that had them first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from pix2pix_data.console import say
from pix2pix_data.errors import TrainingError
from pix2pix_model.checkpoint import last_checkpoint
from pix2pix_model.course import Course
from pix2pix_model.distributed import num_processes
from pix2pix_model.saved_state import load_state, tensors_of
from pix2pix_model.state import TrainState, build_state

__all__ = ["diverged", "first_not_finite"]


def first_not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds a NaN or an infinity; waits for the device."""
    return next((name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())), None)


def diverged(run_path: Path, course: Course, failed: TrainState) -> TrainingError:
    """Say where a run whose numbers are no longer finite went wrong.

    Nothing is checked while a run trains, since that would make each step wait for the device. So the steps since the
    last checkpoint are repeated here with all their tensors checked: a step is a function of its number.

    Parameters
    ----------
    run_path : Path
        Its last checkpoint was checked when it was written, and is left as it is.
    course : Course
    failed : TrainState
    """
    if num_processes() > 1:  # one that found its tensor first would leave the others waiting
        return TrainingError(
            f"numbers are not finite any more by step {failed.step}",
            where=run_path,
            fix=f"p2p-train --resume {run_path}, as one process, repeats the steps and finds the first one",
        )
    state = build_state(course.recipe, failed.device)
    if checkpoint_dir := last_checkpoint(run_path):
        load_state(checkpoint_dir, state)
    course = replace(course, runner=None)  # whose tensors can be looked at
    first_step = state.step
    say(f"A number is no longer finite: repeating the steps after {first_step} to find the first one")
    found = _repeat(course, state, failed.step)
    back = f"the checkpoint of step {first_step} is sound" if checkpoint_dir else "there is no checkpoint yet"
    if found is None:
        return TrainingError(
            f"numbers were not finite by step {failed.step}, but were when its steps were repeated ({back})",
            where=run_path,
            fix="give the same command again; if it stays so, try another device or precision",
        )
    return TrainingError(
        f"step {state.step}: {found} is not finite ({back})", where=run_path, fix=_remedy(run_path, course, failed)
    )


def _repeat(course: Course, state: TrainState, last_step: int) -> str | None:
    """Repeat steps until a tensor of one is not finite; returns what it is."""
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    while state.step < last_step:
        batch = course.batch(state)
        with _watched(networks) as outputs:
            losses = course.advance(state, batch)
        if outputs:
            return f"the output of {outputs[0]}"
        if name := first_not_finite(losses):
            return name
        # A loss scaler meets infinite gradients as a matter of course, and leaves such a step out.
        if not state.scaler.is_enabled() and (name := first_not_finite(_gradients(networks))):
            return f"the gradient of {name}"
        if name := first_not_finite(tensors_of(state)):
            return name
    return None


@contextmanager
def _watched(networks: Mapping[str, nn.Module]) -> Iterator[list[str]]:
    """Give a list that fills with the layers whose output is not finite, in the order in which they work."""
    found: list[str] = []
    handles = []
    for part, network in networks.items():
        for name, layer in network.named_modules():
            if any(True for _ in layer.children()):
                continue

            def look(layer: nn.Module, _given: object, made: object, name: str = f"{part}.{name}") -> None:
                if isinstance(made, Tensor) and not bool(made.isfinite().all()):
                    found.append(f"{name} ({type(layer).__name__})")

            handles.append(layer.register_forward_hook(look))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _gradients(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": weight.grad
        for part, network in networks.items()
        for name, weight in network.named_parameters()
        if weight.grad is not None
    }


def _remedy(run_path: Path, course: Course, failed: TrainState) -> str:
    lower = f"p2p-train --resume {run_path} --set train.learning_rate={course.recipe.train.learning_rate / 4:.2g}"
    if failed.device.precision == "float32":
        return lower
    return f"p2p-train --resume {run_path} --set train.precision=float32; if that is not enough, {lower}"
