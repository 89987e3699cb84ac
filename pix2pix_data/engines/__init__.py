"""Ways of running shard functions: any of them gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Engine", "ShardFunction", "Task", "Tick"]

Tick = Callable[[int], None]
"""Says that so many more pairs have an outcome."""

Task = TypeVar("Task", contravariant=True)


class ShardFunction(Protocol[Task]):
    """Makes one shard; importable by name, and pure: run twice, it writes the same bytes."""

    def __call__(self, task: Task, tick: Tick, /) -> None: ...


class Engine(Protocol):
    """A way of running shard functions."""

    @property
    def num_beside(self) -> int:
        """Processes beside each other here, which may share what a maker holds while it works."""

    def run(self, function: ShardFunction[Task], tasks: Sequence[Task], *, tick: Tick, on_gpu: bool) -> None:
        """Run `function` on every task; `on_gpu` says that it is much faster where it has a GPU."""
