"""The folder of a run: its number, its lock, its recipe and where it was trained; and finding the one to continue.

    runs/0003-edges2shoes/
        recipe.toml        resolved; p2p-train takes it
        environment.json   the dataset, and for each start: step, versions, device and why it was chosen
        metrics.jsonl, tensorboard/, samples/, checkpoints/, model/

A run is finished when it has model/.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pix2pix_data.atomic import write_file
from pix2pix_data.console import say
from pix2pix_data.errors import CheckpointError, P2PError
from pix2pix_model.checkpoint import DataFacts
from pix2pix_model.recipe import Recipe, to_toml
from pix2pix_model.recipe_file import load_recipe

__all__ = ["RunDir", "find_unfinished", "follow_run", "make_run", "open_run"]

_NAME = re.compile(r"(\d{4,})-.+")
_SIDES = ("data.direction", "data.a_as", "data.b_as", "data.levels", "data.also")
_FIXED = ("generator", "discriminator", *_SIDES, "data.crop_size")  # the weights need them
_PACKAGES = ("pix2pix-kit", "torch", "numpy", "safetensors")


@dataclass(frozen=True, slots=True)
class RunDir:
    """A run folder that this process holds the lock of; the system frees it when the process ends, however it ends."""

    path: Path
    lock: FileLock

    @property
    def checkpoints_dir(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model_dir(self) -> Path:
        return self.path / "model"

    def record_start(self, recipe: Recipe, data: DataFacts, *, step: int, device_words: str) -> None:
        """Write recipe.toml, and add this start to environment.json; what it had finished is unfinished again.

        What a killed process left half written is removed: no other one is at work here while the lock is held.
        """
        for left in [*self.path.rglob(".*.part")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        path = self.path / "environment.json"
        starts = json.loads(path.read_text(encoding="utf-8"))["starts"] if path.is_file() else []
        starts.append(_environment(step, device_words))
        write_file(path, json.dumps({"dataset": data.model_dump(), "starts": starts}, indent=1) + "\n")
        write_file(self.path / "recipe.toml", to_toml(recipe))
        if self.model_dir.exists():
            shutil.rmtree(self.model_dir)


def make_run(runs_dir: Path, name: str) -> RunDir:
    """Make and lock a new run folder under the next free number, or take one whose run was killed before it began."""
    runs = sorted(_runs(runs_dir))
    for number, path in runs:
        if path.name == f"{number:04d}-{name}" and not _has_begun(path) and (run := _lock(path)) is not None:
            return run
    number = max((number for number, _ in runs), default=0) + 1
    while True:
        path = runs_dir / f"{number:04d}-{name}"
        try:
            path.mkdir(parents=True)
            if (run := _lock(path)) is not None:
                return run
        except FileExistsError:
            pass
        number += 1  # another process took it since


def _has_begun(path: Path) -> bool:
    return (path / "recipe.toml").is_file() and (path / "environment.json").is_file()


def open_run(path: Path, recipe: Recipe) -> RunDir:
    """Lock an existing run to continue it by `recipe`, which may be another one than before.

    Raises
    ------
    CheckpointError
        If it is no run, has other networks, or another process is training it.
    """
    if not (path / "recipe.toml").is_file():
        raise CheckpointError("this is no run", where=path, fix="give a folder that p2p-train made")
    before = load_recipe(path / "recipe.toml")
    if changed := [key for key in _FIXED if _setting(before, key) != _setting(recipe, key)]:
        fix = "start a new run with --new in place of --resume"
        raise CheckpointError(f"a run cannot change {', '.join(changed)} on its way", where=path, fix=fix)
    run = _lock(path)
    if run is None:
        raise CheckpointError("another process is training this run", where=path, fix="wait for it, or stop it")
    return run


def follow_run(path: Path) -> RunDir:
    """Return a run that another process of the same training holds the lock of."""
    return RunDir(path, FileLock(path / ".lock"))


def _setting(recipe: Recipe, key: str) -> object:
    return reduce(getattr, key.split("."), recipe)


def find_unfinished(runs_dir: Path, recipe: Recipe, fingerprint: str) -> RunDir | None:
    """Find and lock the newest run of this recipe on this dataset that was stopped before its end."""
    for _, path in sorted(_runs(runs_dir), reverse=True):
        if (path / "model").exists() or not _is_of(path, recipe, fingerprint):
            continue
        if (run := _lock(path)) is not None:
            return run
        say(f"{path} has this recipe too, and another process is training it: left alone")
    return None


def _runs(runs_dir: Path) -> Iterator[tuple[int, Path]]:
    for path in runs_dir.glob("*"):
        if (match := _NAME.fullmatch(path.name)) and path.is_dir():
            yield int(match[1]), path


def _is_of(path: Path, recipe: Recipe, fingerprint: str) -> bool:
    try:
        facts: dict[str, Any] = json.loads((path / "environment.json").read_text(encoding="utf-8"))
        return facts["dataset"]["fingerprint"] == fingerprint and load_recipe(path / "recipe.toml") == recipe
    except (OSError, ValueError, KeyError, P2PError):
        return False  # not written by this version, or stopped before anything was


def _lock(path: Path) -> RunDir | None:
    """Lock a run folder; returns None while another process holds it."""
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return RunDir(path, lock)


def _environment(step: int, device_words: str) -> dict[str, Any]:
    return {
        "step": step,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_words,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {package: version(package) for package in _PACKAGES},
    }
