"""What the three commands say: results to stdout, everything else to stderr, and errors in three parts."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pix2pix_data.errors import P2PError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ProgressLine", "be_quiet", "duration", "exit_with_errors_told", "help_text", "result", "say"]

_PLAIN_INTERVAL_S = 10.0  # off a terminal, one line of progress this often


class _Voice:
    quiet = False


def be_quiet() -> None:
    """Say nothing but errors from here on: another process says the same."""
    _Voice.quiet = True


def say(text: str) -> None:
    """Write a line for the reader to stderr."""
    if not _Voice.quiet:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def result(text: str) -> None:
    """Write a line that another program may read to stdout."""
    if not _Voice.quiet:
        print(text, flush=True)  # noqa: T201


def duration(seconds: float) -> str:
    """Say a duration as people do.

    Examples
    --------
    >>> duration(4.21), duration(75), duration(7322)
    ('4.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def help_text(summary: str, examples: Sequence[str]) -> str:
    """Write a command's help: what it does, and lines to copy."""
    lines = "".join(f"  {example}\n" for example in examples)
    return f"{summary}\n\n\b\nExamples:\n{lines}"  # \b keeps Typer from joining the lines


def exit_with_errors_told(command: Callable[[], object]) -> None:
    """Run a command line; a named error becomes three lines on stderr and exit code 1, Ctrl-C exit code 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console or file that lacks a letter gets ? in its place
            stream.reconfigure(errors="replace")
    # Pillow warns of harmless oddities in photos; what matters comes back as an ImageError.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        command()
    except P2PError as error:
        _Voice.quiet = False
        say(f"error: {error.what}")
        if error.where is not None:
            say(f"where: {error.where}")
        if error.fix is not None:
            say(f"to do: {error.fix}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except OSError as error:  # a full disk, a folder that may not be written to
        if isinstance(error, BrokenPipeError):  # `p2p-data ... | head`
            sys.stderr.close()
        else:
            _Voice.quiet = False
            say(f"error: {error.strerror or error}")
            if error.filename is not None:
                say(f"where: {error.filename}")
        sys.exit(1)


class ProgressLine:
    """One line of progress on stderr: a bar on a terminal, a plain line every ten seconds elsewhere.

    Parameters
    ----------
    what : str
        What is being done, such as "Making pairs".
    total : int
        How many units there are in all.
    unit : str
        Name of a unit in the plural, for the rate.
    done : int
        Units done before this run began; they do not count towards the rate.
    """

    def __init__(self, what: str, total: int, *, unit: str, done: int = 0) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.done = done
        self._note = ""
        self._done_before = done
        self._rich: Progress | None = None
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._start = self._last_line = time.monotonic()
        if sys.stderr.isatty() and not _Voice.quiet:
            self._rich = _terminal_bar()
            self._rich.start()
            self._rich.add_task(self.what, total=self.total, completed=self.done, tail="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    @property
    def rate(self) -> float:
        """Units per second since this line began."""
        return (self.done - self._done_before) / max(time.monotonic() - self._start, 1e-9)

    def set(self, done: int, note: str | None = None) -> None:
        """Say that `done` units are finished; `note` is a short text behind the line, such as the losses."""
        self.done = done
        self._note = self._note if note is None else note
        if self._rich is not None:
            self._rich.update(self._rich.task_ids[0], completed=done, tail=self._tail())
        elif time.monotonic() - self._last_line >= _PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            say(f"{self.what}: {self.done}/{self.total}, {self._tail()}")

    def advance(self, num_units: int = 1) -> None:
        """Say that `num_units` more are finished."""
        self.set(self.done + num_units)

    def _tail(self) -> str:
        if self.rate <= 0:
            return self._note
        left_s = (self.total - self.done) / self.rate
        text = f"{self.rate:.3g} {self.unit}/s, {duration(left_s)} left"
        return f"{text}, {self._note}" if self._note else text


def _terminal_bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[tail]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
