"""How a dataset came about, as far as its files say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Origin", "read_origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What the card and build.json of a dataset say; empty where they say nothing.

    Attributes
    ----------
    commands : str
        The command lines that made it.
    source : str
        Name of the folder of photos.
    facts : tuple of (str, str)
        Names and values to list.
    """

    commands: str = ""
    source: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def read_origin(dataset: Path) -> Origin:
    """Read where the dataset in a folder comes from."""
    commands = re.search(
        r"^## How it was made\n+```\n(.*?)\n```$", _text(dataset / "README.md"), re.DOTALL | re.MULTILINE
    )
    try:
        record = json.loads(_text(dataset / "build.json"))
        identity = record["identity"]
        source, options = identity["source"], identity["options"]
        facts = {
            "maker": identity["maker"],
            "photos": f"{source['name']} ({source['photos']:,} photos, fingerprint {source['fingerprint']})",
            "grouped by": options["group"],
            "seed of the splits": options["seed"],
            "made with": f"pix2pix-kit {identity['version']}",
            "other files, no pictures": ", ".join(record["others"][:5])
            + (", ..." if len(record["others"]) > 5 else ""),
        }
    except (ValueError, TypeError, KeyError):
        return Origin(commands[1] if commands else "")
    listed = tuple((name, str(value)) for name, value in facts.items() if value != "")
    return Origin(commands[1] if commands else "", str(source["name"]), listed)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
