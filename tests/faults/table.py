"""What became of the faults, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trials import Outcome

__all__ = ["table"]

_WORDS = {
    "kill": "SIGKILL at a random moment",
    "term": "SIGTERM at a random moment",
    "worker": "SIGKILL to a worker process",
    "full": "disk full",
    "read-only": "read-only folder",
    "vanish": "a file vanishes while it is read",
    "change": "a file changes while it is read",
    "clock": "the clock jumps, and SIGKILL",
    "network": "network faults",
    "twice": "the same command twice at once",
    "first": "SIGKILL in the very first run",
}


def table(outcomes: Sequence[Outcome]) -> str:
    """Write Markdown: faults x tries x losses x hangs, by way and by command."""
    by_way = _rows(outcomes, list(_WORDS), lambda one: one.way)
    by_command = _rows(outcomes, sorted({one.command for one in outcomes}), lambda one: one.command)
    head = "tries | losses | hangs | unclear ends |\n|---|--:|--:|--:|--:|\n"
    return f"| fault | {head}{by_way}\n| command | {head}{by_command}"


def _rows(outcomes: Sequence[Outcome], names: Sequence[str], name_of: Callable[[Outcome], str]) -> str:
    lines = [_row(_WORDS.get(name, name), [one for one in outcomes if name_of(one) == name]) for name in names]
    return "\n".join([*filter(None, lines), _row("all", outcomes)]) + "\n"


def _row(name: str, some: Sequence[Outcome]) -> str:
    counts = (len(some), *(sum(map(count, some)) for count in (_lost, _hung, _unclear)))
    return f"| {name} | {' | '.join(map(str, counts))} |" if some else ""


def _lost(one: Outcome) -> bool:
    return one.is_lost


def _hung(one: Outcome) -> bool:
    return one.is_hung


def _unclear(one: Outcome) -> bool:
    return one.is_unclear
