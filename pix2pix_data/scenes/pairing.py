"""Which photo of one state goes with which of the other."""

from __future__ import annotations

from bisect import bisect_left
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
    free = sorted((time, a) for a, time in enumerate(a_times))
    for _ in range(most_each):
        for b, time in enumerate(b_times):
            place = bisect_left(free, (time, 0))
            # B has fewer than `most_each` partners yet, so the nearest other is among so many on either side.
            near = free[max(0, place - most_each) : place + most_each]
            others = [(abs(a_time - time), a_time, a) for a_time, a in near if (a, b) not in chosen]
            if others:
                _, a_time, a = min(others)
                uses[a] += 1
                chosen.add((a, b))
                if uses[a] == most_each:
                    del free[bisect_left(free, (a_time, a))]
    return sorted(chosen, key=lambda pair: pair[::-1])
