"""Sets that grow together: who belongs with whom, through any number of steps."""

from __future__ import annotations

from array import array

__all__ = ["DisjointSets"]


class DisjointSets:
    """The numbers below `num_items`, each in a set of its own until it is joined to another.

    Examples
    --------
    >>> sets = DisjointSets(4)
    >>> sets.join(3, 1)
    >>> sets.roots()
    [0, 1, 2, 1]
    """

    def __init__(self, num_items: int) -> None:
        self._parents = array("q", range(num_items))  # 8 bytes each, a list of numbers takes 36

    def root(self, item: int) -> int:
        """Return the smallest number of the set that `item` is in."""
        parents = self._parents
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        one, other = self.root(one), self.root(other)
        self._parents[max(one, other)] = min(one, other)

    def roots(self) -> list[int]:
        """Return the root of each number."""
        return [self.root(item) for item in range(len(self._parents))]
