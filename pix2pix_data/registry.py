"""Named choices that anyone can add to: by decorator here, by entry point from another package."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from pix2pix_data.errors import UsageError

T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` was probably meant to be, or None."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return matches[0] if matches else None


class Registry(Generic[T]):
    """A table from names to things of one kind.

    Parameters
    ----------
    kind : str
        What the things are, in the singular, for error messages.
    group : str
        Entry-point group through which other packages add things; read on first use.
    package : str
        Where a module registers a thing of its own name; it is imported when that thing is asked for.
    modules : iterable of str
        The names of those modules.

    Examples
    --------
    >>> colours = Registry[str]("colour", "example.colours")
    >>> _ = colours.register("red")("#f00")
    >>> colours.get("red")
    '#f00'
    """

    def __init__(self, kind: str, group: str, package: str = "", modules: Iterable[str] = ()) -> None:
        self.kind = kind
        self.group = group
        self._package = package
        self._modules = tuple(modules)
        self._things: dict[str, T] = {}
        self._entry_points: dict[str, EntryPoint] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files a thing under `name`."""

        def add(thing: T) -> T:
            if name in self._things:
                raise ValueError(f"two {self.kind}s are called {name!r}")
            self._things[name] = thing
            return thing

        return add

    def names(self) -> list[str]:
        """Return all names, those of other packages last; imports nothing."""
        return list(dict.fromkeys([*self._modules, *self._things, *self._added()]))

    def get(self, name: str) -> T:
        """Return the thing called `name`; UsageError names the nearest one otherwise."""
        if name not in self._things:
            if name in self._modules:
                import_module(f"{self._package}.{name}")
            elif name in self._added():
                self._things[name] = self._added()[name].load()
            else:
                guess = nearest(name, self.names())
                hint = f"did you mean {guess!r}?" if guess else f"choose from {', '.join(self.names())}"
                raise UsageError(f"no {self.kind} is called {name!r}", fix=hint)
        return self._things[name]

    def _added(self) -> dict[str, EntryPoint]:
        if self._entry_points is None:
            self._entry_points = {entry.name: entry for entry in entry_points(group=self.group)}
        return self._entry_points
