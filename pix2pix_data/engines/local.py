"""Run shard functions in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pix2pix_data.engines import ShardFunction, Task, Tick
from pix2pix_data.errors import BuildError
from pix2pix_data.memory import give_back_memory
from pix2pix_data.processes import live_with_parent

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

__all__ = ["LocalEngine", "run_local"]

_MAX_BROKEN_POOLS = 3
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """`run_local` with a number of processes."""

    workers: int

    @property
    def num_beside(self) -> int:
        return self.workers

    def run(self, function: ShardFunction[Task], tasks: Sequence[Task], *, tick: Tick, on_gpu: bool = False) -> None:  # noqa: ARG002
        run_local(function, tasks, workers=self.workers, tick=tick)


def run_local(function: ShardFunction[Task], tasks: Sequence[Task], *, workers: int, tick: Tick) -> None:
    """Run `function` on every task, in this process if one worker suffices.

    A worker that dies takes its pool with it; what it left is run again in a new pool, three times at most, since the
    next one may fare better (memory) or never will (a crash in a decoder).

    Raises
    ------
    BuildError
        If workers keep dying.
    """
    if min(workers, len(tasks)) <= 1:
        for task in tasks:
            function(task, tick)
        return
    left = list(tasks)
    for _ in range(_MAX_BROKEN_POOLS):
        left = _run_pool(function, left, min(workers, len(left)), tick)
        if not left:
            return
    raise BuildError(
        f"worker processes keep dying; {len(left)} shards are left",
        where=str(left[0]),
        fix="there may be too little memory for so many: run the same command with --workers 1",
    )


def _run_pool(function: ShardFunction[Task], tasks: list[Task], workers: int, tick: Tick) -> list[Task]:
    """Return the tasks that were not finished because a worker died."""
    # Forking a process that has run OpenMP code (scikit-learn) deadlocks, so workers start afresh.
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    stop = context.Value("b", 0)
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(counter, stop))
    running: dict[Future[None], Task] = {pool.submit(_run_task, function, task): task for task in tasks}
    unfinished = []
    counted = 0
    try:
        while running:
            done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_EXCEPTION)
            tick(counter.value - counted)
            counted = counter.value
            for future in done:
                task = running.pop(future)
                try:
                    future.result()
                except BrokenProcessPool:
                    unfinished.append(task)
        return unfinished
    finally:
        stop.value = 1  # at an error or Ctrl-C, the others end at their next pair
        pool.shutdown(wait=True, cancel_futures=True)


# --- in the worker ----------------------------------------------------------------------------------------------

_counter: Synchronized[int]
_stop: Synchronized[int]


def _start_worker(counter: Synchronized[int], stop: Synchronized[int]) -> None:
    global _counter, _stop
    _counter, _stop = counter, stop
    live_with_parent()
    give_back_memory()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores; read when libraries are loaded

    import warnings

    import cv2

    cv2.setNumThreads(1)  # it counts by itself
    warnings.filterwarnings("ignore", module=r"PIL\.")


class _Stopped(Exception):
    """The parent wants no more."""


def _run_task(function: ShardFunction[Any], task: object) -> None:
    try:
        function(task, _tick)
    except _Stopped:
        return


def _tick(num_pairs: int) -> None:
    if _stop.value:
        raise _Stopped
    with _counter.get_lock():
        _counter.value += num_pairs
