"""Work for threads, its results in the order of what was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_order(
    threads: ThreadPoolExecutor, function: Callable[[_In], _Out], items: Iterable[_In], *, ahead: int
) -> Iterator[_Out]:
    """Give the results for items in their order, no more than `ahead` of them waiting."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(threads.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
