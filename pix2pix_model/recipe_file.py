"""From a recipe file and `--set` to a checked recipe; all faults are told at once, with the names that were meant."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pix2pix_data.errors import RecipeError
from pix2pix_data.registry import nearest
from pix2pix_model.recipe import Recipe
from pix2pix_model.shipped import shipped_as, shipped_recipes

__all__ = ["load_recipe", "read_settings"]

_KEYS = {
    f"{section}.{key}": field.annotation
    for section, section_field in Recipe.model_fields.items()
    if isinstance(section_field.annotation, type) and issubclass(section_field.annotation, BaseModel)
    for key, field in section_field.annotation.model_fields.items()
} | {"name": str}


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : Path
        A TOML file; only `data.path` is required in it. A line `base = "other.toml"` at its head says which recipe it
        changes: all that it does not say is as there.
    overrides : sequence of str
        Each "section.key=value" replaces one setting; the value is read as TOML where it is TOML, else as text.

    Returns
    -------
    Recipe

    Raises
    ------
    RecipeError
        Naming every fault of file and overrides, each by its dotted key, with the nearest valid name.
    """
    settings, faults = read_settings(path, overrides)
    settings.setdefault("name", path.stem)
    try:
        recipe = Recipe.model_validate(settings)
        faults += _unknown_networks(recipe.generator.name, recipe.discriminator.name)
    except ValidationError as error:
        faults += [_fault(detail) for detail in error.errors(include_url=False)]
        faults += _unknown_networks(_name_of(settings, "generator"), _name_of(settings, "discriminator"))
    if faults:
        num_faults = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
        text = "\n".join([f"the recipe has {num_faults}", *(f"  {fault}" for fault in faults)])
        raise RecipeError(text, where=path, fix="correct these; p2p-train RECIPE --dry-run shows all settings")
    return recipe


def read_settings(path: Path, overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Read what a recipe, the recipes that it stands on, and `overrides` say, unchecked; and which overrides are none.

    Raises
    ------
    RecipeError
        If a file cannot be read, or recipes stand on each other.
    """
    settings = _read_with_base(path, ())
    return settings, list(_override(settings, overrides))


def _read_with_base(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    settings = _read_toml(path)
    if "base" not in settings:
        return settings
    base_path = _base(path, settings.pop("base"))
    above = (*above, path.resolve())
    if base_path.resolve() in above:
        raise RecipeError(
            f"the recipe stands on itself, by base = {base_path.name!r}",
            where=path,
            fix="name another recipe as its base, or none",
        )
    below = _read_with_base(base_path, above)
    below.pop("name", None)
    for key, value in settings.items():
        both_are_sections = isinstance(value, dict) and isinstance(below.get(key), dict)
        below[key] = below[key] | value if both_are_sections else value
    return below


def _base(path: Path, name: object) -> Path:
    """Return the file that `base` names: one beside `path`, or a recipe that ships with p2p."""
    if not isinstance(name, str):
        raise RecipeError(
            f"base: should be the file or the name of a recipe, not {name!r}",
            where=path,
            fix="write base = and a name of p2p-train --list",
        )
    beside = path.parent / name
    base_path = beside if beside.is_file() else shipped_as(Path(name))
    if base_path is None:
        fix = _where_recipes_are(beside)
        raise RecipeError(f"base: there is no such recipe as {name!r}", where=path, fix=fix)
    return base_path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"the recipe is not TOML: {error}", where=path, fix="correct that line") from error
    except UnicodeDecodeError as error:
        raise RecipeError("the recipe is not UTF-8 text", where=path, fix="save it as UTF-8") from error
    except OSError as error:
        raise RecipeError("there is no such recipe", where=path, fix=_where_recipes_are(path)) from error


def _where_recipes_are(path: Path) -> str:
    shipped = [recipe.name for recipe in shipped_recipes()]
    names = {known.name: str(known) for known in sorted(path.parent.glob("*.toml"))}
    names |= {name.rpartition("/")[2]: name for name in shipped} | {name: name for name in shipped}
    if guess := nearest(path.name, names) or nearest(path.stem, names):
        return f"did you mean {names[guess]}?"
    return (
        f"the recipes that ship with p2p are {', '.join(name for name in shipped if '/' not in name)}; "
        'one of your own needs two lines only: [data] and path = "your-dataset"'
    )


def _override(settings: dict[str, Any], overrides: Iterable[str]) -> Iterator[str]:
    """Put each override into `settings`; yields what cannot be put there."""
    for override in overrides:
        key, equals, text = override.partition("=")
        *sections, name = (part.strip() for part in key.split("."))
        if not equals or len(sections) > 1 or not name:
            yield f"--set {override}: should be section.key=value, such as train.epochs=20"
            continue
        if not sections and name == "base":
            yield f"--set {override}: the base of a recipe is said at the head of its file"
            continue
        target = settings.setdefault(sections[0], {}) if sections else settings
        if isinstance(target, dict):  # otherwise the file has a value where a section should be: told with its faults
            target[name] = _value(".".join([*sections, name]), text.strip())


def _value(key: str, text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    # A folder or a run may be called 2024 or true.
    return text if _KEYS.get(key) in (str, Path) and not isinstance(value, str) else value


def _fault(detail: Any) -> str:
    """Say one of pydantic's errors in our words."""
    key = ".".join(str(part) for part in detail["loc"])
    given = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            guess = _meant(key)
            return f"{key}: no such {'section' if isinstance(given, dict) else 'setting'}" + (
                f"; did you mean {guess}?" if guess else f"; choose from {', '.join(_siblings(key))}"
            )
        case "missing" if key == "data":
            return 'data.path: is required, such as data.path = "shoes-edges"'
        case "missing":
            return f"{key}: is required"
        case "model_type" | "model_attributes_type":
            return f"{key}: should be a section of settings, not {given!r}"
        case "literal_error":
            names = [name.strip("'") for name in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            guess = nearest(str(given), names)
            hint = f"; did you mean {guess!r}?" if guess else ""
            return f"{key}: should be {detail['ctx']['expected']}, not {given!r}{hint}"
        case "value_error":
            return f"{key}: {detail['ctx']['error']}"
        case "string_pattern_mismatch":
            return f"{key}: should be letters, digits, dots, dashes and underscores, not {given!r}"
    return f"{key}: {detail['msg'].replace('Input should', 'should')}, not {given!r}"


def _siblings(key: str) -> list[str]:
    section = key.rpartition(".")[0]
    if not section:
        return [*Recipe.model_fields, "base"]
    return [name for name in _KEYS if name.startswith(f"{section}.")]


def _meant(key: str) -> str | None:
    """Find the setting that a wrong key was meant to be: in another section, or misspelt in this one."""
    name = key.rpartition(".")[2]
    elsewhere = [known for known in _KEYS if known.endswith(f".{name}")]
    return elsewhere[0] if elsewhere else nearest(key, _siblings(key)) or nearest(key, _KEYS)


def _name_of(settings: dict[str, Any], section: str) -> str | None:
    """Return the network named in unchecked settings, None where it is left out or no text."""
    found = settings.get(section)
    name = found.get("name") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _unknown_networks(generator: str | None, discriminator: str | None) -> Iterator[str]:
    if generator in (None, "unet") and discriminator in (None, "patchgan"):
        return  # known without torch, which takes seconds to import
    from pix2pix_model.nets import DISCRIMINATORS, GENERATORS

    for section, name, known in (
        ("generator", generator, GENERATORS.names()),
        ("discriminator", discriminator, DISCRIMINATORS.names()),
    ):
        if name is not None and name not in known:
            guess = nearest(name, known)
            hint = f"did you mean {guess!r}?" if guess else f"choose from {', '.join(known)}"
            yield f"{section}.name: no {section} is called {name!r}; {hint}"
