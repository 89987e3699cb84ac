"""The sides of a comparison, each in a process of its own, so that each begins as its own command does."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

__all__ = ["Answers", "Side", "peak_mb"]

Answers: TypeAlias = Mapping[str, Callable[..., Any]]


class Side:
    """A process that answers questions.

    Parameters
    ----------
    build : callable
        Called in that process, with what is `given`; returns what answers each question, by its name.
    """

    def __init__(self, build: Callable[..., Answers], *given: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far = context.Pipe()
        context.Process(target=_serve, args=(build, given, far), daemon=True).start()
        self._connection.recv()

    def ask(self, question: str, *arguments: object) -> Any:
        """Ask, and wait for the answer."""
        self._connection.send((question, arguments))
        return self._connection.recv()


def _serve(build: Callable[..., Answers], given: tuple[object, ...], connection: Connection) -> None:
    answers = build(*given)
    connection.send("ready")
    while True:
        try:
            question, arguments = connection.recv()
        except EOFError:
            return
        connection.send(answers[question](*arguments))


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    units = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * units / 2**20
