"""A trial: a command is disturbed, given again, and what it leaves is held against what an undisturbed one left."""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import COMMANDS, Command
from compare import Left, difference, files_in, left_by
from sandbox import Ended, Process, Starter, mounted, num_bytes_in

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from hub_state import OWNER_TOKEN, Hub
from loopback_hub import Handler, Server
from ways import WAYS, Trial

__all__ = ["Outcome", "Reference", "make_reference", "try_once"]

_REPO = "owner/pairs"
_MUST_BITE = ("kill", "term", "first", "full", "clock")
_ATTEMPTS = 6
_ENOUGH_S = 300.0


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a command leaves that nothing disturbs, when it first writes, and the bytes that it writes."""

    left: Left
    ended: Ended
    first_write_s: float
    needed: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What a command is given and what it leaves, run as the very program and as a fork."""

    command: Command
    given: Path
    result: Path
    whole: Undisturbed
    fork: Undisturbed

    @property
    def left(self) -> Left:
        return self.whole.left

    @property
    def code(self) -> int:
        return self.whole.ended.code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fault; the fields of a line of the log."""

    number: int
    command: str
    way: str
    told: str
    ended: str
    again: str
    is_lost: bool
    is_hung: bool
    is_unclear: bool
    what: str

    @property
    def is_well(self) -> bool:
        return not (self.is_lost or self.is_hung or self.is_unclear)


def make_reference(command: Command, references: Mapping[str, Reference], scratch: Path, starter: Starter) -> Reference:
    """Run a command twice undisturbed: the very program, and as a fork; both must leave the same."""
    given = scratch / command.name / "given"
    given.mkdir(parents=True)
    command.prepare(given)
    if command.needs is not None:
        _bring(references[command.needs], references, given)
    result = scratch / command.name / "result"
    whole = _undisturbed(command, given, None, scratch / command.name / "disk", result)
    fork = _undisturbed(command, given, starter, scratch / command.name / "disk", None)
    if what := difference(whole.left, fork.left):
        sys.exit(f"{command.name} is not the same twice, undisturbed: {what}")
    return Reference(command, given, result, whole, fork)


def _undisturbed(
    command: Command, given: Path, starter: Starter | None, disk: Path, result: Path | None
) -> Undisturbed:
    with _place(disk, given, None) as folder, _hub_for(command, folder) as hub:
        before = num_bytes_in(folder)
        process = Process(command.line, folder, environment(folder, hub), starter)
        first_write_s = _first_write(process, folder, given)
        ended = process.end(_ENOUGH_S)
        if ended.code not in (0, 3) or not ended.is_clear or ended.hung:
            sys.exit(f"{command.name} does not even end well undisturbed: {ended.words}\n{ended.err}")
        left = left_by(command.kind, folder, ended, _held(hub))
        if result is not None:
            shutil.copytree(folder, result)
        return Undisturbed(left, ended, min(first_write_s, ended.seconds), num_bytes_in(folder) - before)


def _bring(needed: Reference, references: Mapping[str, Reference], given: Path) -> None:
    """Put the result of another command where one finds what it works on."""
    if needed.command.kind == "run":
        (run,) = (needed.result / "runs").iterdir()
        shutil.copytree(run / "model", given / "model")
        _bring(references[needed.command.needs or ""], references, given)
    else:
        maker = needed.command.name.removeprefix("build-")
        shutil.copytree(needed.result / "out", given / f"{maker}-out", dirs_exist_ok=True)


def _first_write(process: Process, folder: Path, given: Path) -> float:
    start, before = time.monotonic(), {path.relative_to(given) for path in given.rglob("*")}
    while process.is_running():
        if any(path.relative_to(folder) not in before for path in folder.rglob("*") if path.name != "home"):
            break
        time.sleep(0.01)
    return time.monotonic() - start


def try_once(number: int, seed: int, reference: Reference, way: str, scratch: Path, starter: Starter) -> Outcome:
    """Disturb a command in the way that (seed, number) say, again at an earlier moment where that was too late."""
    rng = random.Random(f"{seed} {number}")
    share = rng.random()
    for attempt in range(_ATTEMPTS):
        outcome, had_ended = _tried(number, reference, way, share, rng, scratch / f"{number}-{attempt}", starter)
        if not had_ended or way not in _MUST_BITE or not outcome.is_well:
            break
        share *= 0.7
    return outcome


def _tried(
    number: int, reference: Reference, way: str, share: float, rng: random.Random, place: Path, starter: Starter
) -> tuple[Outcome, bool]:
    command = reference.command
    # The very first run: nothing is in a cache, and the program itself is started.
    cache, expected = (None, reference.whole) if way == "first" else (reference.result / "home", reference.fork)
    with _place(place, reference.given, cache) as folder, _hub_for(command, folder) as hub:
        trial = Trial(
            command,
            folder,
            environment(folder, hub),
            expected.ended.seconds,
            expected.first_write_s,
            expected.needed,
            share,
            rng,
            None if way == "first" else starter,
            hub,
        )
        ended = WAYS[way](trial)
        had_ended = ended.code == reference.code
        again = last = ended
        if not had_ended or way in ("vanish", "change"):
            again = last = trial.start().end(trial.limit_s)
            if way in ("vanish", "change") and again.code == 1 and "--overwrite" in again.err:
                # It was made of what was there, and is not replaced unless one says so.
                line = (*command.line, "--overwrite")
                last = Process(line, folder, trial.environment, starter).end(trial.limit_s)
        left = left_by(command.kind, folder, last, _held(hub))
        what = difference(left, reference.left)
        was_done = "error: the output folder is not empty" in last.err or "is there already" in last.err
        if last.code != reference.code and not (was_done and not what):
            what = f"given again: {last.words}; {what}"
        what = what or _harmed(folder, reference.given) or _half_pushed(hub, reference)
        unclear = next((one for one in (ended, again, last) if not one.is_clear), None)
        outcome = Outcome(
            number,
            command.name,
            way,
            ", ".join(trial.told),
            ended.words,
            "" if again is ended else again.words,
            is_lost=bool(what),
            is_hung=any(one.hung for one in (ended, again, last)),
            is_unclear=unclear is not None,
            what=what or ("" if unclear is None else unclear.err[-1500:]),
        )
    shutil.rmtree(place, ignore_errors=True)
    return outcome, had_ended


def _harmed(folder: Path, given: Path) -> str:
    """Name a file of the user's that is not as it was."""
    now = files_in(folder)
    changed = [name for name, content in files_in(given).items() if now.get(name) != content]
    return f"{changed[0]} of the user's was changed" if changed else ""


def _half_pushed(hub: Hub | None, reference: Reference) -> str:
    """Name a commit that shows a part of a dataset."""
    if hub is None or reference.command.kind != "push" or _REPO not in hub.repos:
        return ""
    whole = [set(reference.left), {".gitattributes"}]
    return next(
        (f"commit {oid} is half" for oid, files in hub.repos[_REPO].commits.items() if set(files) not in whole), ""
    )


# --- where it happens ---------------------------------------------------------------------------------------------


@contextmanager
def _place(place: Path, given: Path, cache: Path | None) -> Iterator[Path]:
    """Give a folder on a disk of its own, with what the user has and what was kept by earlier runs."""
    with mounted(place) as folder:
        shutil.copytree(given, folder, dirs_exist_ok=True)
        if cache is None:
            (folder / "home").mkdir()
        else:
            shutil.copytree(cache, folder / "home")
        yield folder


def environment(folder: Path, hub: Hub | None) -> dict[str, str]:
    """Return the variables of a command: its caches lie in the folder, and it speaks to no network."""
    ours = {
        "HOME": str(folder / "home"),
        "HF_HOME": str(folder / "home" / "hf"),
        "HF_TOKEN": OWNER_TOKEN,
        "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9",
        "HF_HUB_OFFLINE": "0" if hub else "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
    }
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    kept.pop("P2P_CACHE", None)
    return kept | ours


@contextmanager
def _hub_for(command: Command, folder: Path) -> Iterator[Hub | None]:
    """Give the hub that a command speaks to, if it does; it holds a dataset where that is to be fetched."""
    if command.kind not in ("push", "fetch"):
        yield None
        return
    hub = Hub()
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    if command.kind == "fetch":
        dataset = folder / "colorize-out"
        hub.create(_REPO, {name: content for name, content in files_in(dataset).items() if name != "report.html"})
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _held(hub: Hub | None) -> dict[str, bytes] | None:
    return None if hub is None or _REPO not in hub.repos else hub.head(_REPO)


def order(names: list[str]) -> list[str]:
    """Return commands with all that they need, what is needed first."""
    found: list[str] = []
    for name in names:
        needs = COMMANDS[name].needs
        found += [*(order([needs]) if needs else []), name]
    return list(dict.fromkeys(found))
