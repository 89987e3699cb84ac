"""Training by several processes at once, as torchrun starts them: one step, its batch shared out.

A step is what it is for one process: `train.batch` pairs, drawn by (seed, step). Each process takes its part of them,
with its part of all draws; losses are weighted by its share of the pairs, and the gradients are added up between
backward pass and update. So schedule, learning rate and checkpoints know nothing of the number of processes, and a run
may go on with another.

There is no DistributedDataParallel around the networks. It hooks into forward() and one backward pass for each, while
a GAN's step judges three times, calls `features`, asks for the gradients of one network alone, and may keep logits
over an update or differentiate twice. The sum below is exact for all of these. What it costs: gradients travel after
the backward pass and not during it.

The first process alone writes: it measures, draws samples, saves, and talks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pix2pix_data.errors import TrainingError, UsageError
from pix2pix_model.recipe import Recipe

__all__ = [
    "add_up_gradients",
    "add_up_losses",
    "any_process",
    "check_sync_norm",
    "is_first",
    "joined",
    "num_processes",
    "own_part",
    "processes_of_machine",
    "rank",
    "send_first_weights",
    "share_path",
]

_TIMEOUT = timedelta(minutes=30)  # others wait while the first process measures; an ended process is noticed at once
_BUCKET = 8 * 2**20  # gradients sent at once, in numbers: 32 MiB


def num_processes() -> int:
    """Return how many processes train together; 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def processes_of_machine() -> int:
    """Return how many of them share this machine's memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if num_processes() > 1 else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if num_processes() > 1 else 0


def is_first() -> bool:
    """Say whether this is the process that writes."""
    return rank() == 0


# --- meeting ------------------------------------------------------------------------------------------------------


@contextmanager
def joined(recipe: Recipe) -> Iterator[None]:
    """Meet the other processes that torchrun started, and turn the loss of one into words; alone, do nothing.

    Processes speak NCCL between GPUs, gloo between CPUs. Each takes the GPU of its LOCAL_RANK.

    Raises
    ------
    UsageError
        If there are fewer GPUs than processes on this machine, or fewer pairs in a step than processes.
    TrainingError
        If another process ended, or does not answer for half an hour.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield
        return
    if recipe.train.batch < size:
        fix = f"--set train.batch={size}, or start fewer processes"
        what = f"{size} processes cannot share a step of {recipe.train.batch}"
        raise UsageError(what, where="train.batch", fix=fix)
    on_gpus = recipe.train.device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpus:
        _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    with _loss_told():
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=_TIMEOUT)
        try:
            yield
        finally:
            dist.destroy_process_group()


def _take_gpu(local_rank: int) -> None:
    if local_rank >= (num_gpus := torch.cuda.device_count()):
        raise UsageError(
            f"there is no GPU for process {local_rank} of this machine, which has {num_gpus}",
            where="--nproc-per-node",
            fix=f"start {num_gpus} processes, or train on the CPU with --set train.device=cpu",
        )
    torch.cuda.set_device(local_rank)


@contextmanager
def _loss_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error).lower()):
            raise
        raise TrainingError(
            "another process of this training ended or cannot be reached",
            fix="look above for what it said, then give the same command again: it goes on from the last checkpoint",
        ) from error


def share_path(path: Path | None) -> Path:
    """Tell all processes the path that the first one gives."""
    told = [path]
    if num_processes() > 1:
        dist.broadcast_object_list(told, src=0, device=torch.device("cpu"))
    assert told[0] is not None
    return told[0]


def send_first_weights(networks: Sequence[nn.Module]) -> None:
    """Give all processes the weights and statistics of the first; they are the same already unless machines differ."""
    if num_processes() > 1:
        for network in networks:
            for tensor in network.state_dict().values():
                sent = tensor.contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)


def check_sync_norm(recipe: Recipe, num_pairs: int) -> None:
    """Refuse norms over all processes where these would not hold as many pictures each.

    Raises
    ------
    UsageError
        If a batch, or the last one of an epoch, cannot be shared out evenly.
    """
    size, batch = num_processes(), recipe.train.batch
    if "sync" not in (recipe.generator.norm, recipe.discriminator.norm):
        return
    for num in (batch, num_pairs % batch):
        if num % size:
            what = f'norm "sync" needs as many pairs in each of {size} processes, and a step of an epoch has {num}'
            raise UsageError(what, where="train.batch", fix='choose one that fits, or norm "instance" or "batch"')


# --- one step -----------------------------------------------------------------------------------------------------


def own_part(num: int) -> tuple[slice, float]:
    """Return which of the `num` pairs of a step are this process's, and their share of all.

    A process that is left without one in the last step of an epoch repeats the first pair, for a share of 0: all
    processes do the same steps, so none waits for another.
    """
    size, own = num_processes(), rank()
    start, stop = num * own // size, num * (own + 1) // size
    return (slice(start, stop), (stop - start) / num) if stop > start else (slice(0, 1), 0.0)


def add_up_gradients(weights: Sequence[Tensor]) -> None:
    """Replace the gradients of these weights by the sum over all processes."""
    if num_processes() == 1:
        return
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        dist.all_reduce(flat)
        parts = torch.split(flat, [gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for gradient in gradients:
        bucket.append(gradient)
        if sum(tensor.numel() for tensor in bucket) >= _BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket


def add_up_losses(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the losses of all pairs of a step, from each process's share of them."""
    if num_processes() == 1:
        return losses
    sums = torch.stack([*losses.values()])
    dist.all_reduce(sums)
    return dict(zip(losses, sums.unbind(), strict=True))


def any_process(asked: bool) -> bool:
    """Say whether any process was asked to stop, the same in all of them; no GPU is waited for."""
    if num_processes() == 1:
        return asked
    answer = torch.tensor(int(asked))
    dist.all_reduce(answer)
    return bool(answer)
