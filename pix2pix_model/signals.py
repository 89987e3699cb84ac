"""Ctrl-C and SIGTERM as a polite request: finish the step, save, then end."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["StopRequest"]


class StopRequest:
    """While it is entered, the first Ctrl-C or SIGTERM sets `asked`; a second one ends the process at once.

    Parameters
    ----------
    patient : bool
        Heed the first one alone: torchrun sends a SIGTERM after a Ctrl-C by itself, and kills what stays for 30 s.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.asked = False
        self._patient = patient
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers there alone
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            return
        self.asked = True
        if not self._patient:
            self._restore()
        # Not by print: it would fail if the signal came while a print is under way.
        again = "" if self._patient else " (again: stop without saving)"
        line = f"\n{signal.Signals(number).name}: saving, then stopping{again}\n"
        with suppress(OSError):
            os.write(2, line.encode())

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
