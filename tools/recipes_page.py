"""Write the tables of docs/recipes.md from the recipes and from the models that check them.

    python tools/recipes_page.py            # writes what has changed since

A table stands between <!-- NAME --> and <!-- /NAME -->; what is around them is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pix2pix_model.recipe import Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.references import REFERENCES
from pix2pix_model.shipped import ShippedRecipe, notes_of, shipped_recipes

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
_MARKED = re.compile(r"<!-- (\w+) -->\n.*?<!-- /\1 -->", re.DOTALL)
_BOUNDS = {"minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}"}


def updated(page: str) -> str:
    """Return a page with its tables as they should be.

    Raises
    ------
    KeyError
        If it asks for a table that there is not.
    """
    tables = {"recipes": recipes_table, "ablations": ablations_table, "settings": settings, "references": references}
    return _MARKED.sub(lambda found: f"<!-- {found[1]} -->\n\n{tables[found[1]]()}\n\n<!-- /{found[1]} -->", page)


def recipes_table() -> str:
    """Return the table of the recipes that ship, but for the ablations."""
    rows = []
    for shipped in shipped_recipes():
        if "/" not in shipped.name:
            notes = _notes(shipped)
            rows.append([_linked(shipped), shipped.title, notes["Source"], notes["Expected"], notes["Cost"]])
    return _table(["recipe", "what", "source", "expected", "cost"], rows)


def ablations_table() -> str:
    """Return the table of the ablations, each with what it changes of the recipe that it stands on."""
    base = _settings_of(load_recipe(next(one.path for one in shipped_recipes() if one.name == "cityscapes")))
    rows = []
    for shipped in shipped_recipes():
        if "/" in shipped.name:
            said = _settings_of(load_recipe(shipped.path))
            changes = [f"`{key} = {_toml(value)}`" for key, value in said.items() if value != base[key]]
            rows.append([_linked(shipped), ", ".join(changes) or "nothing", _notes(shipped)["Expected"]])
    return _table(["recipe", "changes of `cityscapes`", "expected"], rows)


def settings() -> str:
    """Return a table for each section: every setting with its default, what it may be, and what it means."""
    schema = Recipe.model_json_schema()
    parts = []
    for section, field in Recipe.model_fields.items():
        model: Any = field.annotation
        if section == "name":
            continue
        properties = schema["$defs"][model.__name__]["properties"]
        rows = [[f"`{key}`", _default(one), _may_be(one), one["description"]] for key, one in properties.items()]
        table = _table(["setting", "default", "may be", "what"], rows)
        parts.append(f"### [{section}]\n\n{model.__doc__}\n\n{table}")
    return "\n\n".join(parts)


def references() -> str:
    """Return the table of what the authors' two codes do differently."""
    torch, pytorch = REFERENCES["torch"], REFERENCES["pytorch"]
    rows = [[f"`{key}`", f"`{_toml(torch[key])}`", f"`{_toml(pytorch[key])}`"] for key in torch]
    return _table(["setting", "torch", "pytorch"], rows)


def _notes(shipped: ShippedRecipe) -> dict[str, str]:
    return notes_of(shipped.path.read_text(encoding="utf-8"))


def _linked(shipped: ShippedRecipe) -> str:
    return f"[`{shipped.name}`](../recipes/{shipped.name}.toml)"


def _settings_of(recipe: Recipe) -> dict[str, Any]:
    sections = recipe.model_dump(mode="json", exclude={"name"}).items()
    return {f"{section}.{key}": value for section, keys in sections for key, value in keys.items()}


def _default(one: Mapping[str, Any]) -> str:
    if "default" not in one:
        return "required"
    value = one["default"]
    if "$ref" in one and value[0] == value[1]:  # a square
        value = value[0]
    return f"`{_toml(value)}`"


def _may_be(one: Mapping[str, Any]) -> str:
    if "$ref" in one:
        return "pixels, or [height, width]"
    if choices := one.get("enum", one.get("items", {}).get("enum")):
        listed = ", ".join(f"`{_toml(choice)}`" for choice in choices)
        return f"a list of {listed}" if "items" in one else listed
    if "prefixItems" in one:
        return f"a list of {len(one['prefixItems'])} whole numbers"
    if one["type"] == "array":
        return "a list of texts"
    if one["type"] == "boolean":
        return "`true`, `false`"
    kind = {"integer": "whole number", "number": "number", "string": "text"}[one["type"]]
    bounds = " ".join(_BOUNDS[name].format(one[name]) for name in _BOUNDS if name in one)
    return f"{kind} {bounds}".strip()


def _toml(value: object) -> str:
    """Write a value as TOML writes it, for those that JSON writes alike; 200.0 is as good as 200."""
    return json.dumps(value)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def lines() -> Iterator[str]:
        yield _row(head)
        yield _row("---" for _ in head)
        yield from map(_row, rows)

    return "\n".join(lines())


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main() -> None:
    before = PAGE.read_text(encoding="utf-8")
    after = updated(before)
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
