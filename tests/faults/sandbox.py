"""Where a command is broken: folders on small disks that fill up or turn read-only, and processes that are watched.

Disks are mounts, in a mount namespace of this program's own: they vanish with it, whatever happens to it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Ended",
    "Process",
    "Starter",
    "enter_own_mounts",
    "fill",
    "mounted",
    "num_bytes_in",
    "set_read_only",
    "set_size",
]

_LARGE = 1 << 30
_PAGE = 4096
_OWN = "P2P_FAULTS_OWN_MOUNTS"
_POLL_S = 0.02
_LEAVE_S = 20.0  # how long the processes of a command that has ended may stay


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, or minus the signal; what it printed; whether it had to be ended."""

    code: int
    out: str
    err: str
    seconds: float
    hung: bool = False

    @property
    def is_clear(self) -> bool:
        """Say whether a person can tell what happened: no traceback, and where it failed, an error in words."""
        return "Traceback" not in self.err and (self.code != 1 or "error: " in self.err)

    @property
    def words(self) -> str:
        lines = [line for line in self.err.splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "")
        name = signal.Signals(-self.code).name if self.code < 0 else f"exit code {self.code}"
        return f"{'hung, ' if self.hung else ''}{name}{f': {said}' if self.code > 0 else ''}"


class Starter:
    """A process that starts commands as forks of itself, see starter.py; one for each thread.

    Parameters
    ----------
    programs : iterable of str
        Those that it will start.
    """

    def __init__(self, programs: Iterable[str]) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("starter.py"), *programs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def answer(self) -> int:
        """Read the next answer; the first one says that all is imported."""
        assert self._popen.stdout is not None
        return int(self._popen.stdout.readline())

    def ask(self, **request: object) -> int:
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(request).encode() + b"\n")
        self._popen.stdin.flush()
        return self.answer()

    def close(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()


class Process:
    """A command at work, in a group of its own.

    Parameters
    ----------
    line : sequence of str
        The command as it is typed; its first word is one of the three that pip installs.
    folder : Path
    environment : mapping of str to str
    starter : Starter or None
        None runs the very program, imports and all.
    shift : sequence of float
        By how many seconds the clock jumps, and after how many.
    """

    def __init__(
        self,
        line: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        starter: Starter | None,
        *,
        shift: Sequence[float] = (),
    ) -> None:
        self._starter = starter
        self._said = tempfile.TemporaryDirectory(prefix="p2p-said-")
        self._out, self._err = (Path(self._said.name) / name for name in ("out", "err"))
        for path in (self._out, self._err):
            path.touch()  # a command that is killed at once has not
        self._start = time.monotonic()
        self._popen: subprocess.Popen[bytes] | None = None
        if starter is not None:
            self.pid = starter.ask(
                line=line,
                folder=str(folder),
                environment=environment,
                out=str(self._out),
                err=str(self._err),
                shift=shift,
            )
            return
        with self._out.open("wb") as out, self._err.open("wb") as err:
            program = Path(sys.executable).with_name(line[0])
            self._popen = subprocess.Popen(
                [program, *line[1:]],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def is_running(self) -> bool:
        return _facts(self.pid) is not None

    def signal(self, number: signal.Signals) -> None:
        if self.is_running():  # and if it ends here, its id is not given away before `end` has asked for its code
            os.kill(self.pid, number)

    def workers(self) -> list[int]:
        """Find its worker processes; another child looks after semaphores, and does no work."""
        return [pid for pid in _group(self.pid) if "spawn_main" in _told(pid)]

    def wait_for_worker(self, limit_s: float) -> None:
        """Wait until there is one, or the command has ended."""
        until = time.monotonic() + limit_s
        while self.is_running() and not self.workers() and time.monotonic() < until:
            time.sleep(_POLL_S)

    def kill_worker(self, rng: random.Random) -> bool:
        """Kill a worker process; tells whether there was one."""
        workers = self.workers()
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
        return bool(workers)

    def end(self, limit_s: float) -> Ended:
        """Wait for the command and all that it started; what stays too long is killed, and called hung."""
        until = self._start + limit_s
        while self.is_running() and time.monotonic() < until:
            time.sleep(_POLL_S)
        seconds, hung = time.monotonic() - self._start, self.is_running()
        until = time.monotonic() + _LEAVE_S
        while not hung and _group(self.pid):
            hung = time.monotonic() > until
            time.sleep(_POLL_S)
        for pid in _group(self.pid):
            os.kill(pid, signal.SIGKILL)
        if self._starter is not None:
            code = self._starter.ask(wait=self.pid)
        else:
            assert self._popen is not None
            code = self._popen.wait()
        out, err = (path.read_text("utf-8", "replace") for path in (self._out, self._err))
        self._said.cleanup()
        return Ended(code, out, err, seconds, hung)


def _facts(pid: int) -> tuple[int, int] | None:
    """Return the parent and the group of a living process; None of one that has ended."""
    try:
        state, parent, group = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state in "ZX" else (int(parent), int(group))


def _told(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return ""


def _group(leader: int) -> list[int]:
    """Find the living processes of a group."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if (facts := _facts(pid)) is not None and facts[1] == leader]


# --- disks --------------------------------------------------------------------------------------------------------


def enter_own_mounts() -> None:
    """Go on in a mount namespace of our own, as root or as one who may be root there; a named error if neither may."""
    if os.environ.get(_OWN):
        return
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    line = ["unshare", *as_root, "--mount", "--propagation", "private"]
    try:
        subprocess.run([*line, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit("disks cannot be mounted here, which faults of disks need: run it as root, or allow user namespaces")
    os.execvpe("unshare", [*line, sys.executable, *sys.argv], os.environ | {_OWN: "1"})


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Give a folder on a disk of its own."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_LARGE}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def set_size(folder: Path, num_bytes: int | None) -> None:
    """Let the disk of a folder hold so many bytes; None is enough of them."""
    size = _LARGE if num_bytes is None else max(1, num_bytes // _PAGE) * _PAGE
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def set_read_only(folder: Path, *, read_only: bool) -> None:
    """Let nobody write to a folder, its owner and root included; or let them again."""
    if read_only:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    else:
        subprocess.run(["umount", folder], check=True)


def num_bytes_in(folder: Path) -> int:
    """Count the bytes that the disk of a folder holds."""
    facts = os.statvfs(folder)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


def fill(folder: Path, share: float, needed: int) -> None:
    """Leave room on the disk of a folder for a share of what a command needs."""
    set_size(folder, num_bytes_in(folder) + int(share * needed))
