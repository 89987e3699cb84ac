"""Named choices that anyone can add to: by decorator here, by entry point from another package."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
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

    Examples
    --------
    >>> colours = Registry[str]("colour", "example.colours")
    >>> _ = colours.register("red")("#f00")
    >>> colours.get("red")
    '#f00'
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._things: dict[str, T] = {}
        self._entry_points_read = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files a thing under `name`."""

        def add(thing: T) -> T:
            if name in self._things:
                raise ValueError(f"two {self.kind}s are called {name!r}")
            self._things[name] = thing
            return thing

        return add

    def names(self) -> list[str]:
        """Return all names, in the order of registration."""
        self._read_entry_points()
        return list(self._things)

    def get(self, name: str) -> T:
        """Return the thing called `name`; UsageError names the nearest one otherwise."""
        self._read_entry_points()
        if name in self._things:
            return self._things[name]
        guess = nearest(name, self._things)
        hint = f"did you mean {guess!r}?" if guess else f"choose from {', '.join(self._things)}"
        raise UsageError(f"no {self.kind} is called {name!r}", fix=hint)

    def _read_entry_points(self) -> None:
        if self._entry_points_read:
            return
        self._entry_points_read = True
        for entry in entry_points(group=self.group):
            if entry.name not in self._things:
                self._things[entry.name] = entry.load()
