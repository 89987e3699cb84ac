"""Palettes as people keep them: what one holds, palette.json, and the names given in a TOML file.

Loads no pixels and no imaging library.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pix2pix_data.errors import FormatError

__all__ = [
    "MAX_COLORS",
    "Color",
    "Names",
    "Palette",
    "fingerprint",
    "from_hex",
    "palette_json",
    "read_names",
    "read_palette",
    "to_hex",
    "with_names",
]

MAX_COLORS = 256
"""Labels are bytes."""

Color: TypeAlias = tuple[int, int, int]
Names: TypeAlias = tuple[str, ...] | dict[str, str]
"""Names in the palette's order; or by colour (#rrggbb) or number."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours, what they are called, and how much of the pictures each one covers.

    Attributes
    ----------
    colors : tuple of (int, int, int)
        sRGB, each in [0, 255]; no two are the same. The position of a colour is its label.
    shares : tuple of float
        Part of the sampled pixels that has each colour, in [0, 1]; empty where nothing was sampled.
    names : tuple of str
        One for each colour, or empty.
    note : str
        How the palette came about, for its reader.
    """

    colors: tuple[Color, ...]
    shares: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    note: str = ""

    def name_of(self, label: int) -> str:
        """Return the name of a label; its number where nobody has named it."""
        return self.names[label] if self.names else f"color {label}"


def to_hex(color: Color) -> str:
    """Write a colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def from_hex(text: str) -> Color | None:
    """Read #rrggbb; None where the text is something else.

    Examples
    --------
    >>> from_hex("#80ff00"), from_hex("red")
    ((128, 255, 0), None)
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def palette_json(palette: Palette) -> str:
    """Write palette.json: for each colour its name, #rrggbb and share."""
    entries: list[dict[str, Any]] = []
    for i, color in enumerate(palette.colors):
        entries.append({"name": palette.name_of(i), "color": to_hex(color)})
        if palette.shares:
            entries[-1]["share"] = palette.shares[i]
    written = {"note": palette.note} if palette.note else {}
    return json.dumps({**written, "colors": entries}, indent=1, ensure_ascii=False) + "\n"


def read_palette(path: Path) -> Palette:
    """Read palette.json; or the colours of a TOML file whose table `names` is by colour.

    Raises
    ------
    FormatError
        If the file is neither, or holds a colour twice, or more than 256.
    """
    if path.suffix.lower() == ".toml":
        names = read_names(path)
        pairs = list(names.items()) if isinstance(names, dict) else []
        if not pairs or any(from_hex(key) is None for key, _ in pairs):
            raise FormatError("these names do not say which colours they are of", where=path, fix='"#rrggbb" = "name"')
        return _checked([(key, name) for key, name in pairs], path)
    try:
        written = json.loads(_text(path))
        entries, note = written["colors"], str(written.get("note", ""))
        palette = _checked([(entry["color"], entry.get("name", f"color {i}")) for i, entry in enumerate(entries)], path)
        shares = tuple(float(entry["share"]) for entry in entries if "share" in entry)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fix = 'it should read {"colors": [{"name": "sky", "color": "#rrggbb"}, ...]}'
        raise FormatError("this is no palette.json", where=path, fix=fix) from error
    return replace(palette, shares=shares if len(shares) == len(palette.colors) else (), note=note)


def read_names(path: Path) -> Names:
    """Read names from TOML: a list `names` in the palette's order, or a table `names` by #rrggbb or number.

    Raises
    ------
    FormatError
        If the file is not TOML, or has no such list or table of texts.
    """
    try:
        names = tomllib.loads(_text(path)).get("names")
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"this is not TOML: {error}", where=path, fix="correct that line") from error
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    if isinstance(names, dict) and names and all(isinstance(name, str) for name in names.values()):
        return {key.lower(): name for key, name in names.items()}
    raise FormatError(
        "there are no names in this file", where=path, fix='names = ["road", "sky"], or a table [names] by "#rrggbb"'
    )


def with_names(palette: Palette, names: Names, where: Path) -> Palette:
    """Name the colours of a palette; those without a new name keep theirs.

    Raises
    ------
    FormatError
        If there are more names than colours, or a name for a colour that the palette does not have.
    """
    named = [palette.name_of(i) for i in range(len(palette.colors))]
    if not isinstance(names, Mapping):
        if len(names) > len(named):
            raise FormatError(
                f"there are {len(names)} names for {len(named)} colours",
                where=where,
                fix="leave out those beyond the colours",
            )
        return replace(palette, names=(*names, *named[len(names) :]))
    label_of = {to_hex(color): i for i, color in enumerate(palette.colors)}
    label_of |= {str(i): i for i in range(len(named))}
    for key, name in names.items():
        if key not in label_of:
            there = ", ".join(to_hex(color) for color in palette.colors[:8])
            more = ", ..." if len(named) > 8 else ""
            raise FormatError(f"the palette has no colour {key!r}", where=where, fix=f"it has {there}{more}")
        named[label_of[key]] = name
    return replace(palette, names=tuple(named))


def fingerprint(path: Path) -> str:
    """Name a file by its content: where it lies on this machine tells nobody else anything."""
    return f"{path.name} sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def _checked(entries: Sequence[tuple[str, str]], path: Path) -> Palette:
    colors: list[Color] = []
    for text, _ in entries:
        color = from_hex(text)
        if color is None:
            raise FormatError(f"{text!r} is no colour", where=path, fix="write colours as #rrggbb")
        if color in colors:
            raise FormatError(f"the colour {text} is there twice", where=path, fix="give each class its own colour")
        colors.append(color)
    if not 1 <= len(colors) <= MAX_COLORS:
        raise FormatError(
            f"a palette has 1 to {MAX_COLORS} colours, this one {len(colors)}",
            where=path,
            fix="leave out or merge classes",
        )
    return Palette(tuple(colors), names=tuple(str(name) for _, name in entries))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(
            f"the file cannot be read: {error}", where=path, fix="name a palette.json or a TOML file in UTF-8"
        ) from error
