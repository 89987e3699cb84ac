"""Which picture of one side belongs to which of the other, by their names; loads no pixels."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2pix_data.errors import UsageError
from pix2pix_data.listing import Listing, list_photos, to_utf8
from pix2pix_data.pair import Failed

__all__ = ["Matches", "SideNames", "match_folders", "match_one_folder"]

_ENDING = r"(.*?)[-_. ](?:real[-_])?(?:%s)"
_ENDING_OF_A = re.compile(_ENDING % "a|before|(?:condition|edge|input|label|mask|seg|sketch|source)s?", re.IGNORECASE)
_ENDING_OF_B = re.compile(_ENDING % "b|after|(?:image|output|photo|target)s?", re.IGNORECASE)
_MOST_HELPED, _MOST_COMPARED = 1000, 50  # names for which, and among which, the nearest is looked for: all take hours


@dataclass(frozen=True, slots=True)
class SideNames:
    """How the pictures of a side are named.

    Attributes
    ----------
    called : str
        What the user is told that the side is, such as "A".
    pattern : str or None
        The name of a picture, with its suffix or without, in which `*` stands for what it shares with its partner.
    """

    called: str
    pattern: str | None = None

    def shared(self, path: Path, ending: re.Pattern[str]) -> str | None:
        """Return the part of a name that the partner has too; None where the name fits neither pattern nor ending."""
        if self.pattern is None:
            found = ending.fullmatch(path.stem)
        else:
            before, _, after = self.pattern.partition("*")
            expression = re.compile(re.escape(before) + "(.*)" + re.escape(after), re.IGNORECASE)
            found = expression.fullmatch(path.stem) or expression.fullmatch(path.name)
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Matches:
    """What belongs together, and everything else.

    Attributes
    ----------
    pairs : list of (key, path of A, path of B)
        In the order of the keys, which are all different.
    failed : list of Failed
        Pictures without a partner, or with more than one that it could be.
    others : tuple of Path
        Files that are no pictures.
    """

    pairs: list[tuple[str, Path, Path]]
    failed: list[Failed]
    others: tuple[Path, ...]

    def require_pairs(self, fix: str) -> None:
        """Raise UsageError with the reason of the first picture where there is no pair; `fix` says what to do."""
        if not self.pairs:
            first = self.failed[0]
            what = f"no two of {len(self.failed)} pictures belong together by their names"
            raise UsageError(f"{what}: {first.reason}", where=first.source, fix=fix)


@dataclass(frozen=True, slots=True)
class _Named:
    """A picture: its key in its folder, its path there, what of its name is meant to match, and what may if need be."""

    path: Path
    key: str
    shown: str
    name: str
    shared: str


_READINGS: tuple[Callable[[_Named], str], ...] = (
    lambda one: unicodedata.normalize("NFC", one.name),  # macOS writes an accent as a letter of its own
    lambda one: _folded(one.name),
    lambda one: _folded(one.shared),
)
"""What two pictures must have in common, the strictest first."""


def match_folders(folder_a: Path, folder_b: Path, a: SideNames, b: SideNames) -> Matches:
    """Match the pictures of two folders by their paths below them, whatever their suffixes.

    Equal names belong together; then those that differ in upper and lower case; then those that are equal but for a
    usual ending of their side, such as `1_A` and `1_B`, or `1_label` and `1`. With a pattern, what it says they share
    takes the place of the name.

    Raises
    ------
    FormatError
        If a folder is missing, or has no picture.
    UsageError
        If both are one folder, or one lies in the other.
    """
    one, other = folder_a.resolve(), folder_b.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        what = f"{a.called} and {b.called} are the same folder" if one == other else "one folder lies in the other"
        raise UsageError(what, where=folder_b, fix=f"name a folder of {a.called} and another of {b.called}")
    listing_a, listing_b = list_photos(folder_a), list_photos(folder_b)
    side_a, misfits_a = _side(listing_a, folder_a, a, _ENDING_OF_A)
    side_b, misfits_b = _side(listing_b, folder_b, b, _ENDING_OF_B)
    pairs, failed = _pair_up(side_a, side_b, a.called, b.called)
    return Matches(pairs, misfits_a + misfits_b + failed, listing_a.others + listing_b.others)


def match_one_folder(folder: Path, a: SideNames, b: SideNames) -> Matches:
    """Match the pictures of one folder, whose names tell the sides apart: by their usual endings, or by two patterns.

    A name that fits both patterns is of the side with the longer one.

    Raises
    ------
    FormatError
        If the folder is missing, or has no picture.
    """
    listing = list_photos(folder)
    sides: tuple[list[_Named], list[_Named]] = ([], [])
    misfits = []
    first, second = (0, 1) if len(a.pattern or "") >= len(b.pattern or "") else (1, 0)
    for key, path in listing.named():
        for i in (first, second):
            shared = (a, b)[i].shared(path, (_ENDING_OF_A, _ENDING_OF_B)[i])
            if shared is not None:
                sides[i].append(_named(path, folder, key, shared, shared))
                break
        else:
            misfits.append(Failed(key, str(path), f"its name says neither {a.called} nor {b.called}"))
    pairs, failed = _pair_up(*sides, a.called, b.called)
    return Matches(pairs, misfits + failed, listing.others)


def _side(
    listing: Listing, folder: Path, side: SideNames, ending: re.Pattern[str]
) -> tuple[list[_Named], list[Failed]]:
    """Name the pictures of a folder; those that do not fit its pattern fail."""
    named, misfits = [], []
    for key, path in listing.named():
        shared = side.shared(path, ending)
        if side.pattern is None:
            named.append(_named(path, folder, key, path.stem, path.stem if shared is None else shared))
        elif shared is not None:
            named.append(_named(path, folder, key, shared, shared))
        else:
            misfits.append(Failed(key, str(path), f"its name does not fit {side.pattern}"))
    return named, misfits


def _named(path: Path, folder: Path, key: str, name: str, shared: str) -> _Named:
    below = path.relative_to(folder)
    name, shared = (to_utf8((below.parent / one).as_posix()) for one in (name, shared))
    return _Named(path, key, to_utf8(below.as_posix()), name, shared)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _pair_up(
    side_a: list[_Named], side_b: list[_Named], a: str, b: str
) -> tuple[list[tuple[str, Path, Path]], list[Failed]]:
    """Pair what has a name in common with exactly one of the other side; say of all others why not."""
    names_of_b = {one.name for one in side_b}
    pairs, failed = [], []
    for reading in _READINGS:
        called: dict[str, tuple[list[_Named], list[_Named]]] = defaultdict(lambda: ([], []))
        for i, side in enumerate((side_a, side_b)):
            for one in side:
                called[reading(one)][i].append(one)
        for of_a, of_b in called.values():
            if len(of_a) == len(of_b) == 1:
                shortened = reading is _READINGS[-1] and of_b[0].shared not in names_of_b
                pairs.append((of_b[0].shared if shortened else of_b[0].name, of_a[0].path, of_b[0].path))
            elif of_a and of_b:
                told = " and ".join(f"{one.shown} in {side}" for side, ones in ((a, of_a), (b, of_b)) for one in ones)
                failed += [_failed(one, f"more than one pair could be made: of {told}") for one in (*of_a, *of_b)]
        side_a = [one for one in side_a if not all(called[reading(one)])]
        side_b = [one for one in side_b if not all(called[reading(one)])]
    for alone, partners, where in ((side_a, side_b, b), (side_b, side_a, a)):
        failed += _without_partner(alone, partners, where)
    return sorted(pairs), failed


def _without_partner(alone: Sequence[_Named], partners: Sequence[_Named], where: str) -> list[Failed]:
    """Say of pictures that the other side has none of their name; and which one there may be meant."""
    with_numbers = defaultdict(list)  # names of other numbers are other pictures, however near they look
    for one in partners:
        with_numbers[_numbers(one)].append(one.shown)
    failed = []
    for i, one in enumerate(alone):
        candidates = with_numbers[_numbers(one)][:_MOST_COMPARED] if i < _MOST_HELPED else []
        near = difflib.get_close_matches(one.shown, candidates, n=1)
        suggestion = f": the nearest is {near[0]}" if near else ""
        failed.append(_failed(one, f"no picture of this name in {where}{suggestion}"))
    return failed


def _numbers(one: _Named) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall("[0-9]+", one.name))


def _failed(one: _Named, reason: str) -> Failed:
    return Failed(one.key, str(one.path), reason)
