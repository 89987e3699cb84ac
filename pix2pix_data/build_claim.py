"""Whether a folder may be built in: new, an unfinished build of the same plan, or one that may be replaced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pix2pix_data.atomic import write_json
from pix2pix_data.errors import BuildError
from pix2pix_data.pair import SPLITS

__all__ = ["claim", "is_complete"]


def is_complete(out: Path, state: Path, identity: dict[str, Any], *, overwrite: bool) -> bool:
    """Tell whether the very same dataset is complete; if not, the folder may be claimed.

    Parameters
    ----------
    out, state : Path
        The folder, and the one in it that holds the state of an unfinished build.
    identity : dict
        All that decides the bytes of the dataset.
    overwrite : bool
        What a build of something else wrote may be removed, and nothing else.

    Raises
    ------
    BuildError
        If it holds something else.
    """
    # In this order, since other jobs of the same build may begin or end it between two of these looks.
    was_free = _is_free(out)
    unfinished = _identity_in(state / "build.json")
    complete = _identity_in(out / "build.json")
    if complete is None and unfinished is None and not was_free:
        raise BuildError("the output holds other things", where=out, fix="choose another --out")
    found = complete or unfinished
    if found is not None and not overwrite and (differences := _differences(found, identity)):
        what = "holds a dataset built differently" if complete else "holds an unfinished other build"
        fix = "choose another --out, or --overwrite"
        raise BuildError(f"the output {what} ({'; '.join(differences)})", where=out, fix=fix)
    if complete is None or overwrite:
        return False
    shutil.rmtree(state, ignore_errors=True)
    return True


def claim(out: Path, state: Path, identity: dict[str, Any], *, overwrite: bool) -> None:
    """Write down what the folder is built for; with `overwrite`, remove what a build wrote before."""
    state.mkdir(parents=True, exist_ok=True)
    if overwrite and (_identity_in(out / "build.json") or _identity_in(state / "build.json")):
        _clear(out, state)
    write_json(state / "build.json", {"identity": identity})


def _identity_in(record: Path) -> dict[str, Any] | None:
    """Read which build a folder holds; None where the file is not there, or not one of ours."""
    try:
        identity = json.loads(record.read_text(encoding="utf-8"))["identity"]
        return identity if "maker" in identity and "format" in identity else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_free(out: Path) -> bool:
    """Tell whether a folder is new or empty, but for what a build killed in its first moment leaves."""
    if not out.exists():
        return True
    begun = out / ".build" / "lock"
    return out.is_dir() and all(path == begun or path.is_dir() for path in out.rglob("*") if not _is_part(path))


def _is_part(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == ".part"


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            found.append(f"{prefix}{name} was {before}, now {after}")
    return [one for one in found if not one.startswith("splits ")] or found  # which follow from the others


def _clear(out: Path, state: Path) -> None:
    """Remove what a build wrote, and nothing else; killed at any moment, it leaves an unfinished build."""
    if (out / "build.json").is_file():
        (out / "build.json").replace(state / "build.json")
    shards = (path for split in SPLITS for path in (out / "data").glob(f"{split}-*-of-*.parquet"))
    ours = (state / "maker.json", state / "closing.json", state / "splits.lock", out / "fixes.jsonl")
    for path in (*state.glob("*-of-*.json"), *ours, *shards):
        path.unlink(missing_ok=True)
