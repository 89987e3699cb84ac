"""How a step is launched: kernel by kernel, with compiled networks, or all of it as one CUDA graph.

The step is `train_step` in any case, of the same batch, with the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pix2pix_data.errors import TrainingError
from pix2pix_model.batch import Batch
from pix2pix_model.device import Device
from pix2pix_model.distributed import num_processes
from pix2pix_model.recipe import Recipe, RunnerName
from pix2pix_model.state import TrainState
from pix2pix_model.step import train_step

__all__ = ["CompiledStep", "GraphedStep", "StepRunner", "choose_runner"]

StepRunner: TypeAlias = Callable[[TrainState, Batch, Recipe], dict[str, Tensor]]

_WARM_UP = 3  # steps before the capture, as PyTorch's notes on CUDA graphs have it


def choose_runner(recipe: Recipe, device: Device) -> tuple[StepRunner | None, str]:
    """Choose how steps are launched.

    Returns
    -------
    callable or None
        To be called in place of `train_step`; None where the step runs as it is.
    str
        Why it is not what `train.runner` asks for; empty if it is.
    """
    asked = recipe.train.runner
    if hindrance := _hindrance(asked, recipe, device):
        return None, f"train.runner={asked} is left out, since {hindrance}"
    runners: dict[RunnerName, Callable[[], StepRunner]] = {"graph": GraphedStep, "compile": CompiledStep}
    return runners[asked]() if asked in runners else None, ""


def _hindrance(asked: RunnerName, recipe: Recipe, device: Device) -> str:
    is_parted = 0 < recipe.train.micro_batch < recipe.train.batch
    hindrances: dict[RunnerName, dict[str, bool]] = {
        "graph": {
            "a graph is for CUDA": device.torch_device.type != "cuda",
            "a graph was never tried with fp16 and its loss scaler": device.precision == "fp16",
            "micro-batches begin their draws anew": is_parted,
            "gradients of several processes travel between the passes": num_processes() > 1,
        },
        "compile": {
            "a compiled network cannot be differentiated twice, as loss.r1 does": recipe.loss.r1 > 0,
            "loss.stale_logits changes weights between the passes": recipe.loss.stale_logits,
            "each part of a batch would be compiled by itself": is_parted or num_processes() > 1,
        },
    }
    return next((why for why, is_so in hindrances.get(asked, {}).items() if is_so), "")


class GraphedStep:
    """Launches a step as one CUDA graph: of a small batch, launching 272 kernels one by one takes longer than they do.

    The first steps run as they are, on a stream of their own, where libraries choose their kernels and optimisers fetch
    their memory. The next is captured, which does nothing yet, and replayed from then on: inputs and learning rate are
    copied to where the graph reads them, and each replay draws its dropout from torch's seed of that time. A batch of
    another size, such as the last of an epoch, runs as it is.

    References
    ----------
    PyTorch's notes on CUDA semantics, "CUDA Graphs: whole-network capture".
    """

    def __init__(self) -> None:
        self._num_warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, state: TrainState, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
        """Do one step; the losses are copies that later steps leave alone."""
        if self._num_warm == 0:
            self._stream, self._num = torch.cuda.Stream(), len(batch.a)  # type: ignore[no-untyped-call]
        if len(batch.a) != self._num:
            return train_step(state, batch, recipe)
        if self._num_warm < _WARM_UP:
            self._num_warm += 1
            with self._beside():
                return train_step(state, batch, recipe)
        if self._graph is None:
            try:
                self._graph = self._captured(state, batch, recipe)
            except RuntimeError as error:
                raise _not_launched("the step could not be captured as a CUDA graph", error) from error
        self._a.copy_(batch.a)
        self._b.copy_(batch.b)
        self._graph.replay()
        return dict(zip(self._names, self._losses.clone().unbind(), strict=True))

    def _captured(self, state: TrainState, batch: Batch, recipe: Recipe) -> torch.cuda.CUDAGraph:
        self._a, self._b = batch.a.clone(), batch.b.clone()
        graph = torch.cuda.CUDAGraph()
        with _on_device(state), torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            losses = train_step(state, Batch(self._a, self._b), recipe)
            self._names, self._losses = list(losses), torch.stack([*losses.values()])
        return graph

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """Run on the stream that will capture, after what waits here and before what comes here."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)


@contextmanager
def _on_device(state: TrainState) -> Iterator[None]:
    """Let the optimisers be captured: their learning rates are read from the device, where each step sets them."""
    groups = [group for optimizer in (state.optimizer_g, state.optimizer_d) for group in optimizer.param_groups]
    for group in groups:
        group["lr"] = torch.as_tensor(group["lr"], device=state.device.torch_device)
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False  # else torch warns of the steps that run as they are


class CompiledStep:
    """Runs a step with both networks compiled, as they are in training; whoever else uses them finds them as they were.

    Parameters
    ----------
    **how
        What `torch.compile` is given; unless told, dropout is drawn as it is without compiling.
    """

    def __init__(self, **how: Any) -> None:
        self._how = how or {"options": {"fallback_random": True}}
        self._compiled: dict[str, Callable[..., Any]] = {}
        self._num = 0

    def __call__(self, state: TrainState, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
        """Do one step; the first one takes long. A batch of another size runs as it is."""
        from torch._dynamo.exc import TorchDynamoException  # takes a second to import

        self._num = self._num or len(batch.a)
        if len(batch.a) != self._num:
            return train_step(state, batch, recipe)
        places = {"forward": state.generator, "features": state.discriminator}
        for name, network in places.items():
            if name not in self._compiled:
                self._compiled[name] = torch.compile(getattr(network, name), dynamic=False, **self._how)
            setattr(network, name, self._compiled[name])
        try:
            return train_step(state, batch, recipe)
        except TorchDynamoException as error:  # such as where there is no C++ compiler
            raise _not_launched("the networks could not be compiled", error) from error
        finally:
            for name, network in places.items():
                delattr(network, name)


def _not_launched(what: str, error: Exception) -> TrainingError:
    first = " ".join(str(error).strip().split("\n\n")[0].split())
    return TrainingError(
        f"{what}: {first or type(error).__name__}", where="train.runner", fix="leave it out, or set it to eager"
    )
