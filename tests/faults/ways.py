"""The ways to break a command. Each runs it once, disturbed, sets right what it broke, and says how it ended."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from commands import Command
from drawn import other_picture
from sandbox import Ended, Process, Starter, fill, set_read_only, set_size

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from hub_state import CUT, Hub

__all__ = ["WAYS", "Trial"]

_TEN_YEARS_S = 10 * 365 * 24 * 3600
_REQUESTS = {
    "push": ("repos/create", "/tree/", "preupload", "objects/batch", "PUT /lfs/", "/commit/", ""),
    "fetch": ("GET /api/", "/tree/", "HEAD .*resolve", "GET .*resolve", ""),
}


@dataclass(slots=True)
class Trial:
    """One command in its folder, about to be disturbed.

    Attributes
    ----------
    command : Command
    folder : Path
        On a disk of its own.
    environment : dict of str to str
    seconds, first_write_s : float
        How long the command takes undisturbed, and when it first writes.
    needed : int
        Bytes that it writes then.
    share : float
        In [0, 1]: when, or how much room there is.
    rng : random.Random
    starter : Starter or None
    hub : Hub or None
        The one that the command speaks to.
    told : list of str
        What was done to it, for the reader.
    """

    command: Command
    folder: Path
    environment: Mapping[str, str]
    seconds: float
    first_write_s: float
    needed: int
    share: float
    rng: random.Random
    starter: Starter | None
    hub: Hub | None = None
    told: list[str] = field(default_factory=list)

    @property
    def limit_s(self) -> float:
        # Where the hub stays away, the hub's client and ours try again for 130 s before they say so.
        return (240 if self.hub is not None else 60) + 20 * self.seconds

    def start(self, *options: str, shift: Sequence[float] = (), **environment: str) -> Process:
        line = (*self.command.line, *options)
        return Process(line, self.folder, {**self.environment, **environment}, self.starter, shift=shift)

    def moment_s(self) -> float:
        """Choose when: most often after the first file is written, where something is at stake."""
        first = 0.9 * self.first_write_s if self.rng.random() < 0.8 else 0.0
        return first + self.share * (self.seconds - first)

    def wait(self) -> float:
        """Wait for the chosen moment."""
        moment_s = self.moment_s()
        self.told.append(f"after {moment_s:.2f} of {self.seconds:.2f} s")
        time.sleep(moment_s)
        return moment_s

    def a_file(self) -> Path:
        """Choose a file of the user's that the command reads."""
        path = self.rng.choice(sorted(self.folder.glob(self.command.what_is_read)))
        self.told.append(path.name)
        return path


def _signalled(trial: Trial, number: signal.Signals) -> Ended:
    process = trial.start()
    trial.wait()
    process.signal(number)
    return process.end(trial.limit_s)


def kill(trial: Trial) -> Ended:
    """SIGKILL at a random moment."""
    return _signalled(trial, signal.SIGKILL)


def term(trial: Trial) -> Ended:
    """SIGTERM at a random moment."""
    return _signalled(trial, signal.SIGTERM)


def worker(trial: Trial) -> Ended:
    """SIGKILL to one of two worker processes, as the kernel does where memory runs out; or to the one they work for."""
    process = trial.start("--workers", "2")
    process.wait_for_worker(trial.limit_s)
    time.sleep(trial.share * trial.seconds)
    if trial.rng.random() < 0.6:
        trial.told.append("a worker" if process.kill_worker(trial.rng) else "no worker was left")
    else:
        trial.told.append("the one they work for")
        process.signal(signal.SIGKILL)
    return process.end(trial.limit_s)


def full(trial: Trial) -> Ended:
    """The disk is full after a part of what it writes."""
    fill(trial.folder, trial.share, trial.needed)
    trial.told.append(f"room for {trial.share:.2f} of {trial.needed} bytes")
    ended = trial.start().end(trial.limit_s)
    set_size(trial.folder, None)
    return ended


def read_only(trial: Trial) -> Ended:
    """Nobody may write to the folder that it writes to."""
    set_read_only(trial.folder, read_only=True)
    ended = trial.start().end(trial.limit_s)
    set_read_only(trial.folder, read_only=False)
    return ended


def vanish(trial: Trial) -> Ended:
    """A file that it reads goes away, and comes back when it has ended."""
    path = trial.a_file()
    process = trial.start()
    trial.wait()
    away = trial.folder / "home" / "away"
    path.rename(away)
    ended = process.end(trial.limit_s)
    away.rename(path)
    return ended


def change(trial: Trial) -> Ended:
    """A file that it reads becomes another, or half of itself, and is itself again when it has ended."""
    path = trial.a_file()
    content = path.read_bytes()
    process = trial.start()
    trial.wait()
    if path.suffix == ".png" and trial.rng.random() < 0.5:
        other_picture(path, trial.rng.randrange(1000))
    else:
        path.write_bytes(content[: trial.rng.randrange(len(content))])
    ended = process.end(trial.limit_s)
    path.write_bytes(content)
    return ended


def clock(trial: Trial) -> Ended:
    """The clock jumps by up to ten years; killed then, and what it left has times of the future or the past."""
    shift, after_s = trial.rng.randint(-_TEN_YEARS_S, _TEN_YEARS_S), trial.rng.random() * trial.seconds
    process = trial.start(shift=(shift, after_s))
    trial.told.append(f"{shift / 86400:+.0f} days after {after_s:.2f} s")
    trial.wait()
    process.signal(signal.SIGKILL)
    ended = process.end(trial.limit_s)
    read = {*trial.folder.glob(trial.command.what_is_read)} if trial.command.what_is_read else set()
    for path in trial.folder.rglob("*"):
        if path not in read:
            other = time.time() + trial.rng.randint(-_TEN_YEARS_S, _TEN_YEARS_S)
            os.utime(path, (other, other))
    return ended


def network(trial: Trial) -> Ended:
    """The hub answers with an error, breaks off, sends other bytes, or cannot be reached; once, twice, or for good."""
    assert trial.hub is not None
    requests = _REQUESTS[trial.command.kind]
    request, times = trial.rng.choice(requests), trial.rng.choice((1, 1, 1, 2, 2, 3, 4, 99))
    status = trial.rng.choice((CUT, CUT, 429, 500, 503))
    how = trial.rng.random()
    if how < 0.1:
        trial.told.append("out of reach")
        return trial.start(HF_ENDPOINT="http://127.0.0.1:9").end(trial.limit_s)
    if how < 0.2 and trial.command.kind == "fetch":
        trial.told.append("other bytes")
        trial.hub.garble_next()
    else:
        carried_out = trial.rng.random() < 0.3
        trial.told.append(f"{status or 'cut'} x {times} at {request or 'any request'}{', carried out' * carried_out}")
        trial.hub.fail(request, status, times=times, after=carried_out)
    ended = trial.start().end(trial.limit_s)
    trial.hub.mend()
    return ended


def twice(trial: Trial) -> Ended:
    """The same command is given again while it is at work; told of is the one that ends worse."""
    first = trial.start()
    trial.wait()
    second = trial.start()
    both = [first.end(trial.limit_s), second.end(trial.limit_s)]
    return max(both, key=lambda one: (one.hung, not one.is_clear, one.code))


def first(trial: Trial) -> Ended:
    """SIGKILL at a random moment of the very first run: nothing is in any cache, and nothing imported."""
    return _signalled(trial, signal.SIGKILL)


WAYS: dict[str, Callable[[Trial], Ended]] = {
    "kill": kill,
    "term": term,
    "worker": worker,
    "full": full,
    "read-only": read_only,
    "vanish": vanish,
    "change": change,
    "clock": clock,
    "network": network,
    "twice": twice,
    "first": first,
}
