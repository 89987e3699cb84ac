"""What a command leaves behind, in a form that two runs of it can be compared by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sandbox import Ended

__all__ = ["Left", "difference", "files_in", "left_by", "runs_in"]

Left = Mapping[str, object]
_SPEEDS = ("images_per_s", "data_share")  # of metrics.jsonl: the only words in it that depend on the clock
_CACHE = "home"


def files_in(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, but for that of the caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != _CACHE
    }


def runs_in(folder: Path) -> dict[str, object]:
    """Return all that the runs below a folder end in and that must not depend on how often they were stopped.

    Each is to be the same as every other, so the runs have no names here; unfinished ones are named.
    """
    found: dict[str, object] = {}
    for run in sorted(folder.glob("runs/*")):
        if not (run / "model").is_dir():
            found[f"unfinished {run.name}"] = sorted(path.name for path in run.iterdir())
            continue
        pointers = [run / "checkpoints" / name for name in ("last", "best")]
        steps = {pointer.read_text().strip() for pointer in pointers}
        kept = {
            path.relative_to(run).as_posix(): path.read_bytes()
            for path in sorted(run.rglob("*"))
            if path.is_file() and (path.parent.name in steps or path.is_relative_to(run / "model") or path in pointers)
        }
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        logged = [{name: value for name, value in line.items() if name not in _SPEEDS} for line in lines]
        parts = [path.relative_to(run).as_posix() for path in run.rglob("*.part")]
        for name, value in {**kept, "metrics.jsonl": logged, "half written": parts}.items():
            if found.setdefault(name, value) != value:
                found[f"{name} of {run.name}"] = value
    return found


def left_by(kind: str, folder: Path, ended: Ended, hub_holds: Mapping[str, bytes] | None) -> Left:
    """Return what a command of this kind has left: files, weights, what it printed, or what the hub holds."""
    if kind == "told":
        return {"told": ended.out}
    if kind == "push":
        return dict(hub_holds or {})
    return runs_in(folder) if kind == "run" else files_in(folder)


def difference(one: Left, other: Left) -> str:
    """Name what differs, "" where nothing does."""
    missing = [f"{name} is missing" for name in other if name not in one]
    more = [f"{name} is left over" for name in one if name not in other]
    changed = [f"{name} differs" for name in one if name in other and one[name] != other[name]]
    return "; ".join((*missing, *more, *changed)[:4])
