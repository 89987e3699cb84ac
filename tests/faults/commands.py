"""The commands that are broken: how each is called, what it is given, and what it must leave behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import drawn

__all__ = ["COMMANDS", "Command"]

OUT = "out"
_SPLITS = ("--val", "4", "--test", "4", "--workers", "1", "--out", OUT)
_RUN = ("p2p-train", "tiny.toml")


@dataclass(frozen=True, slots=True)
class Command:
    """A command in a folder of its own.

    Attributes
    ----------
    name : str
    line : tuple of str
        What is typed.
    prepare : callable
        Writes what the user has, into the folder.
    needs : str or None
        The command whose result it works on, called `out` there and `NAME-out` here.
    what_is_read : str
        Glob of the user's files that may vanish or change while it runs; "" where there are none.
    kind : {"files", "run", "told", "push", "fetch"}
        What is compared: all files, weights, what was printed, what the hub holds, or all files made of a hub.
    weights : dict of str to int
        How many of 500 faults are of each way.
    """

    name: str
    line: tuple[str, ...]
    prepare: Callable[[Path], None]
    weights: dict[str, int]
    needs: str | None = None
    what_is_read: str = ""
    kind: str = "files"


def _build(maker: str, prepare: Callable[[Path], None], *line: str, read: str = "photos/*.*") -> Command:
    ways = {
        "kill": 8,
        "term": 6,
        "worker": 4,
        "full": 5,
        "read-only": 2,
        "vanish": 4,
        "change": 4,
        "clock": 3,
        "twice": 3,
        "first": 2,
    }
    return Command(f"build-{maker}", ("p2p-data", maker, *line, *_SPLITS), prepare, ways, what_is_read=read)


def _nothing(_: Path) -> None:
    """All that it needs was made by another command."""


_COMMANDS = (
    _build("edges", drawn.photos, "photos", "--size", "48"),
    _build("kmeans", drawn.photos, "photos", "--size", "48", "--colors", "4"),
    _build("colorize", drawn.photos, "photos", "--size", "48"),
    _build("combine", drawn.two_folders, "drawings", "photos", "--size", "48"),
    _build("inpaint", drawn.photos, "photos", "--size", "48", "--mask", "random"),
    _build("labels", drawn.labels, "labels", "photos", "--size", "48", "--palette", "classes.toml"),
    _build("daynight", drawn.cameras, "webcams", "--size", "48", "--align", "off", read="webcams/*/*.*"),
    Command(
        "import",
        ("p2p-data", "import", "pairs", "--workers", "1", "--out", OUT),
        drawn.side_by_side,
        {"kill": 5, "term": 4, "full": 4, "read-only": 1, "vanish": 2, "twice": 2, "clock": 1},
        what_is_read="pairs/*/*.png",
    ),
    Command(
        "check",
        ("p2p-data", "check", "colorize-out", "--json", "--workers", "1"),
        _nothing,
        {"kill": 4, "term": 3, "vanish": 3, "clock": 1, "twice": 1},
        needs="build-colorize",
        what_is_read="colorize-out/data/*.parquet",
        kind="told",
    ),
    Command(
        "push",
        ("p2p-data", "push", "colorize-out", "owner/pairs"),
        _nothing,
        {"kill": 6, "term": 4, "network": 12, "twice": 2, "clock": 1},
        needs="build-colorize",
        kind="push",
    ),
    Command(
        "fetch",
        ("p2p-data", "fetch", "owner/pairs", "--workers", "1", "--out", OUT),
        _nothing,
        {"kill": 6, "term": 4, "network": 12, "full": 4, "read-only": 1, "twice": 2, "first": 2},
        needs="build-colorize",
        kind="fetch",
    ),
    Command(
        "train",
        _RUN,
        drawn.recipe,
        {
            "kill": 16,
            "term": 12,
            "full": 8,
            "read-only": 2,
            "vanish": 3,
            "change": 2,
            "clock": 4,
            "twice": 4,
            "first": 5,
        },
        needs="build-edges",
        what_is_read="edges-out/data/*.parquet",
        kind="run",
    ),
    Command(
        "translate",
        ("p2p-model", "translate", "model", "photos", "--out", OUT),
        drawn.photos,
        {"kill": 8, "term": 5, "full": 5, "read-only": 2, "vanish": 4, "clock": 2, "twice": 3},
        needs="train",
        what_is_read="photos/*.*",
    ),
    Command(
        "evaluate",
        ("p2p-model", "evaluate", "model", "--on", "edges-out", "--features", "none", "--out", OUT),
        _nothing,
        {"kill": 7, "term": 5, "full": 5, "read-only": 1, "vanish": 2, "clock": 2, "twice": 2},
        needs="train",
        what_is_read="edges-out/data/*.parquet",
    ),
    Command(
        "export",
        ("p2p-model", "export", "model", "--out", "model.onnx"),
        _nothing,
        {"kill": 6, "term": 4, "full": 4, "read-only": 1, "clock": 1, "twice": 2},
        needs="train",
    ),
)
COMMANDS = {command.name: command for command in _COMMANDS}
