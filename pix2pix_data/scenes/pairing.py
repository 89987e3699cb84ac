"""Which photo of one state goes with which of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["choose_pairs"]


def choose_pairs(a_times: Sequence[float], b_times: Sequence[float], *, most_each: int) -> list[tuple[int, int]]:
    """Pair photos that are near in time, none more often than `most_each`.

    In each round every B, in its order, takes the nearest A that has room and is not its partner yet. So each B has
    one partner before any has two, season and framing are as alike as the photos allow, and the choice is the same
    each time.

    Parameters
    ----------
    a_times, b_times : sequences of float
        In any unit. Equal distances go to the earlier A.
    most_each : int
        Pairs that one photo may be in.

    Returns
    -------
    list of (index of A, index of B)
        Sorted by B, then A.

    Examples
    --------
    >>> choose_pairs([0, 10, 20], [1, 2], most_each=1)
    [(0, 0), (1, 1)]
    """
    uses: Counter[int] = Counter()
    chosen: set[tuple[int, int]] = set()
    for _ in range(most_each):
        for b, time in enumerate(b_times):
            free = [a for a in range(len(a_times)) if uses[a] < most_each and (a, b) not in chosen]
            if free:
                a = min(free, key=lambda a: (abs(a_times[a] - time), a))
                uses[a] += 1
                chosen.add((a, b))
    return sorted(chosen, key=lambda pair: pair[::-1])
