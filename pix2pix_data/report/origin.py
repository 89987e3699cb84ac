"""How a dataset came about, as far as its files say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from pix2pix_data.report.section import counted

__all__ = ["Origin", "read_origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the card and build.json of a dataset say; empty where they say nothing.

    Attributes
    ----------
    commands : tuple of str
        The command lines that made it.
    notes : tuple of str
        What these told of groups and splits.
    source : str
        Name of the folder of photos.
    facts : tuple of (str, str)
        Names and values to list.
    """

    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def read_origin(dataset: Path) -> Origin:
    """Read where the dataset in a folder comes from."""
    block = re.search(r"^## How it was made\n+```\n(.*?)\n```$", _text(dataset / "README.md"), re.DOTALL | re.MULTILINE)
    lines = block[1].splitlines() if block else []
    commands = tuple(line for line in lines if line.startswith("p2p-"))
    notes = tuple(line.strip() for line in lines if line not in commands)
    try:
        record = json.loads(_text(dataset / "build.json"))
        identity = record["identity"]
        source, options, others = identity["source"], identity["options"], record["others"]
        facts = {
            "maker": identity["maker"],
            "layout": identity["settings"].get("layout", ""),
            "photos": f"{source['name']} ({counted(source['photos'], 'photos')}, fingerprint {source['fingerprint']})",
            "grouped by": options.get("group", ""),
            "seed of the splits": options.get("seed", ""),
            "made with": f"pix2pix-kit {identity['version']}",
            "left aside": f"{counted(len(others), 'files')} that are no pictures, such as {others[0]}"
            if others
            else "",
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return Origin(commands, notes)
    listed = tuple((name, str(value)) for name, value in facts.items() if value != "")
    return Origin(commands, notes, str(source["name"]), listed)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
