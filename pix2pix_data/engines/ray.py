"""Run shard functions on a Ray cluster, whose nodes all see the same folders."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pix2pix_data import __version__
from pix2pix_data.console import say
from pix2pix_data.errors import BuildError, MissingExtraError, UsageError

if TYPE_CHECKING:
    import ray

    from pix2pix_data.engines import ShardFunction, Task, Tick

__all__ = ["RayEngine", "check_node"]

_MAX_LOSSES = 5  # of workers or nodes under one shard; more often it is the shard that kills them
_IN_FLIGHT_PER_CPU = 2  # as many wait for a processor as run: none idles, and the scheduler holds few
_POLL_S = 1.0
_KNOCK_S = 10.0


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Each shard is a Ray task of one processor, and of one GPU where its maker wants one and the cluster has some.

    Ray runs a task again when its worker or node is lost. What a shard raises ends the build, as it does locally.

    Parameters
    ----------
    folders : tuple of Path
        What every node must see at the same path.

    References
    ----------
    Ray, "Task fault tolerance" and "GPU support": a process that held a GPU ends with its task, unless max_calls is 0.
    """

    folders: tuple[Path, ...]

    @classmethod
    def connected(cls, address: str, folders: tuple[Path, ...]) -> Self:
        """Be a driver of a cluster until this process ends.

        Parameters
        ----------
        address : str
            "auto" for the cluster of this machine, HOST:PORT of its head, or ray://HOST:PORT of its client server.
        folders : tuple of Path

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        UsageError
            If there is no such cluster.
        """
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do by itself; it warns of it
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("ray", "ray") from error
        try:
            _knock(address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
        except (OSError, RuntimeError, ValueError) as error:
            fix = "start one with `ray start --head`, or name its head with --address HOST:6379"
            raise UsageError("there is no Ray cluster", where=address, fix=fix) from error
        resources = ray.cluster_resources()
        say(f"Ray: {resources.get('CPU', 0):.0f} processors and {resources.get('GPU', 0):.0f} GPUs")
        return cls(folders)

    @property
    def num_beside(self) -> int:
        return 1  # on each node the makers hold what they need by themselves

    def run(self, function: ShardFunction[Task], tasks: Sequence[Task], *, tick: Tick, on_gpu: bool = False) -> None:
        """Run `function` on every task.

        Raises
        ------
        BuildError
            If a node does not see the folders or has another version of this package, or workers keep dying.
        """
        import ray

        gpus = 1 if on_gpu and ray.cluster_resources().get("GPU") else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=_MAX_LOSSES, max_calls=0)(_run_task)
        here = (str(Path.cwd()), tuple(str(folder.resolve()) for folder in self.folders))
        waiting = iter(tasks)
        running: dict[ray.ObjectRef[Any], Task] = {}
        try:
            while True:
                room = _IN_FLIGHT_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1))) - len(running)
                for task in islice(waiting, max(room, 0)):
                    running[remote.remote(function, task, here, __version__)] = task
                if not running:
                    return
                done, _ = ray.wait(list(running), timeout=_POLL_S)
                for one in done:
                    tick(_outcome(one, running.pop(one)))
        finally:
            for one in running:  # at an error or Ctrl-C
                ray.cancel(one, force=True)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for minutes, and then end the process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


def _outcome(done: ray.ObjectRef[Any], task: object) -> int:
    """Return how many pairs of a task have an outcome, or raise what it raised."""
    import ray

    try:
        outcome: int | Exception = ray.get(done)
    except ray.exceptions.RayError as error:
        raise BuildError(
            f"a shard was lost {_MAX_LOSSES + 1} times with the worker or node that made it",
            where=str(task),
            fix="look for a node without enough memory, then run the same command: what is made stays",
        ) from error
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


# --- on a node --------------------------------------------------------------------------------------------------


def _run_task(
    function: ShardFunction[Any], task: object, here: tuple[str, tuple[str, ...]], version: str
) -> int | Exception:
    """Run one task; what it raises is given back, as Ray would wrap it in an error of its own."""
    import warnings

    import cv2

    cv2.setNumThreads(1)  # Ray counts processors, and OMP_NUM_THREADS=1 is its own doing
    warnings.filterwarnings("ignore", module=r"PIL\.")
    num_pairs = 0

    def tick(num: int) -> None:
        nonlocal num_pairs
        num_pairs += num

    try:
        check_node(*here, version)
        function(task, tick)
    except Exception as error:
        return error
    return num_pairs


def check_node(folder: str, folders: Sequence[str], version: str) -> None:
    """Go to the folder that paths start from, if this node can make shards of the build.

    Raises
    ------
    BuildError
        If a folder is not there, or this package is not of that version.
    """
    node = socket.gethostname()
    if version != __version__:
        raise BuildError(
            f"pix2pix-kit is {__version__} on {node}, and {version} where the build was started",
            fix="install one version on all nodes",
        )
    for needed in (folder, *folders):
        if not Path(needed).exists():
            raise BuildError(
                f"{node} does not see what the build needs",
                where=needed,
                fix="share the folders of photos and of the dataset among all nodes, at the same paths",
            )
    os.chdir(folder)
