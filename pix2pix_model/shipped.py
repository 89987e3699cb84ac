"""The recipes that ship with p2p: their names, their files, and what each says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ShippedRecipe", "find_recipe", "notes_of", "shipped_as", "shipped_recipes"]

_NOTE = re.compile(r"([A-Z][a-z]+): +(.*)")


@dataclass(frozen=True, slots=True)
class ShippedRecipe:
    """A recipe that ships with p2p.

    Attributes
    ----------
    name : str
        What `p2p-train` takes, such as "facades" or "ablations/patch-16".
    path : Path
    """

    name: str
    path: Path

    @property
    def title(self) -> str:
        """What it is for: the first sentence of its first comment, without a full stop."""
        return notes_of(self.path.read_text(encoding="utf-8"))["Title"].split(". ")[0].rstrip(".")


def shipped_recipes() -> list[ShippedRecipe]:
    """Return all of them, those of the paper's ablations last."""
    package = Path(__file__).parent
    folders = [package / "recipes", package.parent / "recipes"]  # of an installed wheel; of a checkout
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    names = {file: file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.toml")}
    recipes = [ShippedRecipe(name, file) for file, name in names.items()]
    return sorted(recipes, key=lambda recipe: ("/" in recipe.name, recipe.name))


def find_recipe(path: Path) -> Path:
    """Return the file that is meant: `path`, or the recipe of that name that ships with p2p.

    "recipes/facades.toml" and "facades" mean the shipped one wherever there is no such file, so that the commands of
    the README work from any folder, also beside a dataset that is called "facades".
    """
    return path if path.is_file() else shipped_as(path) or path


def shipped_as(path: Path) -> Path | None:
    """Return the file of the shipped recipe that "facades", "facades.toml" or "recipes/facades.toml" names, or None."""
    name = (path.with_suffix("") if path.suffix == ".toml" else path).as_posix().removeprefix("recipes/")
    return next((shipped.path for shipped in shipped_recipes() if shipped.name == name), None)


def notes_of(text: str) -> dict[str, str]:
    """Return what the comment at the head of a recipe says.

    Parameters
    ----------
    text : str
        Of the file. Its first lines are comments: a sentence on what the recipe is for, then notes such as
        "# Cost:     80,000 steps", which may go on in further lines.

    Returns
    -------
    dict of str to str
        The first sentence as "Title", and each note by its name, in their order.
    """
    notes: dict[str, str] = {}
    name = "Title"
    for line in _head(text):
        if found := _NOTE.fullmatch(line):
            name, line = found.groups()
        notes[name] = f"{notes.get(name, '')} {line}".strip()
    return notes


def _head(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()
