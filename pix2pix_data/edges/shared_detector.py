"""A detector in a process of its own, which the processes of a build ask.

Each process that loaded a network would hold a copy of it on the GPU, with half a gigabyte of CUDA's own beside it.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING

from pix2pix_data.errors import BuildError
from pix2pix_data.processes import live_with_parent

if TYPE_CHECKING:
    from pix2pix_data.edges.detector import EdgeDetector
    from pix2pix_data.pair import RGB, FloatMap

__all__ = ["SharedDetector", "shared_detector"]


class SharedDetector:
    """Ask the process at `address`; an EdgeDetector that can be sent to other processes of the same family.

    Raises
    ------
    BuildError
        If that process has ended.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection: Connection | None = None

    def __call__(self, photos: Sequence[RGB]) -> list[FloatMap]:
        try:
            if self._connection is None:
                self._connection = Client(self.address, authkey=multiprocessing.current_process().authkey)
            self._connection.send(list(photos))
            answer: list[FloatMap] | Exception = self._connection.recv()
        except (EOFError, OSError) as error:
            raise BuildError(
                "the process that runs the edge detector has ended",
                fix="its memory or the GPU's may be too small: run the same command with --workers 1",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __reduce__(self) -> tuple[type[SharedDetector], tuple[str]]:
        return SharedDetector, (self.address,)


@contextmanager
def shared_detector(make: Callable[[], EdgeDetector]) -> Iterator[SharedDetector]:
    """Run what `make` gives in a process, which ends with the context; `make` is importable by name."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(make, theirs), name="edge detector", daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            address: str | Exception = ours.recv()
        except EOFError as error:
            raise BuildError(
                "the process that runs the edge detector has died at its start",
                fix="see what it wrote above; --workers 1 does without one",
            ) from error
        if isinstance(address, Exception):
            raise address
        yield SharedDetector(address)
    finally:
        ours.close()
        process.kill()  # it holds nothing but the network
        process.join()


# --- in the process ---------------------------------------------------------------------------------------------


def _serve(make: Callable[[], EdgeDetector], ready: Connection) -> None:
    live_with_parent()
    try:
        detector = make()
    except Exception as error:  # the parent raises it
        ready.send(error)
        return
    turn = threading.Lock()
    with Listener(authkey=multiprocessing.current_process().authkey) as listener:
        ready.send(listener.address)
        while True:
            threading.Thread(target=_answer, args=(listener.accept(), detector, turn), daemon=True).start()


def _answer(asker: Connection, detector: EdgeDetector, turn: threading.Lock) -> None:
    """Answer one process until it has no more questions."""
    with asker, suppress(EOFError, OSError):
        while True:
            photos = asker.recv()
            try:
                with turn:
                    answer: list[FloatMap] | Exception = detector(photos)
            except Exception as error:  # the asker raises it
                answer = error
            asker.send(answer)
