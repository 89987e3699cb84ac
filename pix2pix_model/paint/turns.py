"""Who may compute when: one thread, and of each client only the newest request waits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Crowded", "Overtaken", "Turns"]

T = TypeVar("T")

_MOST_WAITING = 32


class Overtaken(Exception):
    """The same client has asked for something newer."""


class Crowded(Exception):
    """Too many clients wait already."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Callable[[], Any]
    future: asyncio.Future[Any]


class Turns:
    """A thread that works for many clients, one request after another.

    Parameters
    ----------
    name : str
        What the thread is called.
    most_waiting : int
        How many clients may wait.
    """

    def __init__(self, name: str, most_waiting: int = _MOST_WAITING) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._running: asyncio.Task[None] | None = None

    async def run(self, client: str, work: Callable[[], T]) -> T:
        """Wait for a turn, and return what `work` returns in the thread.

        Raises
        ------
        Overtaken
            If the client asks again before its turn has come.
        Crowded
            If too many others wait.
        Exception
            Whatever `work` raises.
        """
        if client in self._waiting:
            older = self._waiting.pop(client).future
            if not older.done():
                older.set_exception(Overtaken())
        elif len(self._waiting) >= self._most_waiting:
            raise Crowded
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[client] = _Waiting(work, future)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            _, waiting = self._waiting.popitem(last=False)
            if waiting.future.done():  # its client has gone
                continue
            try:
                made = await loop.run_in_executor(self._thread, waiting.work)
            except Exception as error:  # the one who waits is told
                _settle(waiting.future, error)
            else:
                if not waiting.future.done():
                    waiting.future.set_result(made)

    def close(self) -> None:
        """End the thread once its work is done; nothing more is begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _settle(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
