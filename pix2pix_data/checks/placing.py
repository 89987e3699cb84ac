"""Findings from how the sides lie on each other: shifted, mirrored, or not related at all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Literal

import numpy as np

from pix2pix_data.checks.alignment import FLIPS, REACH_PX, Peak, Surfaces, peak_of, reduction
from pix2pix_data.findings import Finding, Severity
from pix2pix_data.mends import MirrorSide, ShiftBack

if TYPE_CHECKING:
    from pix2pix_data.checks.look import PairLook

__all__ = ["placing_findings"]

# Measured on facades, Cityscapes, published and our own edges of shoes, and edges, k-means, gray and holes of BSDS.
_COMMON_PX = 1.25  # clean sets lie at most 0.7 px apart in the mean
_PAIR_PX = 3.0
_SURE = 5.0  # deviations
_NO_BETTER = 0.9  # of its height: as high as that without a shift, a peak elsewhere says nothing
_FLIP_REACH = slice(REACH_PX - 8, REACH_PX + 9)
_FLIP_RISE = 1.3  # a facade is nearly its own mirror image
_FEWEST_TO_RELATE = 20
_UNRELATED, _RELATED = 3.0, 4.0  # height of the mean peak; clean sets reach 11 and more, shuffled ones 2.3 at most
_ONE_BY_CHANCE = 5.0  # height that one surface reaches; of a mean, by the root of their number less
_MANY = 0.2  # share of pairs from which it is an error


def placing_findings(
    looks: Sequence[PairLook], surfaces: Surfaces | None, num_surfaces: int, *, drawn: Literal["A", "B"] = "A"
) -> list[Finding]:
    """Find shifted and mirrored sides, of all pairs together and of single ones.

    Parameters
    ----------
    looks : sequence of PairLook
    surfaces : ndarray of shape (4, 129, 129) or None
        Sum of the pairs' correlation surfaces.
    num_surfaces : int
        How many pairs that is.
    drawn : {"A", "B"}
        The side to mirror back: not the photos, which would lose by a new encoding. Which one was mirrored, none tells.
    """
    if surfaces is None:
        return []
    means = surfaces / num_surfaces
    peak = peak_of(means[0])
    flipped = means[1:, _FLIP_REACH, _FLIP_REACH].max(axis=(1, 2))
    chance = _ONE_BY_CHANCE / np.sqrt(num_surfaces)
    sure = _RELATED + chance
    if max(peak.height, flipped.max()) < _UNRELATED + chance:
        return _unrelated(looks) if num_surfaces >= _FEWEST_TO_RELATE else []
    if flipped.max() >= max(sure, _FLIP_RISE * peak.height):
        return _all_mirrored(looks, FLIPS[1 + int(flipped.argmax())], drawn)
    common = _centre(means[0], peak)
    off = _off(looks, common)
    is_shifted = common.height >= sure and common.length_px >= _COMMON_PX
    found = _all_shifted(looks, common, steady=len(off) <= _MANY * len(looks)) if is_shifted else []
    return found + _some_mirrored(looks) + _some_shifted(looks, off)


def _centre(surface: Surfaces, peak: Peak) -> Peak:
    """Refine a peak of the mean by the centre of what stands within 8 px of it, above 0.6 of its height."""
    row, column = REACH_PX + round(peak.down), REACH_PX + round(peak.right)
    rows, columns = (np.arange(max(0, i - 8), min(2 * REACH_PX + 1, i + 9)) for i in (row, column))
    weight = np.clip(surface[np.ix_(rows, columns)] - 0.6 * peak.height, 0, None)
    right = float((weight.sum(axis=0) * columns).sum() / weight.sum()) - REACH_PX
    down = float((weight.sum(axis=1) * rows).sum() / weight.sum()) - REACH_PX
    return Peak(right, down, peak.height)


def _all_shifted(looks: Sequence[PairLook], common: Peak, *, steady: bool) -> list[Finding]:
    scales = [reduction(look.width, look.height) for look in looks]
    scale = median(scales)
    back = ShiftBack(round(scale * common.right), round(scale * common.down))
    is_one_shift = steady and max(scales) == min(scales)
    where = f"{_side(scale * common.right, 'right', 'left')} and {_side(scale * common.down, 'down', 'up')}"
    return [
        Finding(
            "shifted-sides",
            "error",
            f"in the dataset as a whole, B is shifted against A: {where}",
            len(looks),
            _examples(looks),
            "the generator learns to move what it sees, and blurs what it cannot place",
            "make A again from B, or find where one side lost or got a border (HED pads by 35 px)",
            (back,) if is_one_shift else (),
        )
    ]


def _all_mirrored(looks: Sequence[PairLook], flip: str, drawn: Literal["A", "B"]) -> list[Finding]:
    return [
        Finding(
            "mirrored-sides",
            "error",
            f"in the dataset as a whole, B is mirrored against A: {flip}",
            len(looks),
            _examples(looks),
            "nothing in A lies where it belongs in B",
            "mirror one side back, or make A again from B",
            (MirrorSide(drawn, flip),),
        )
    ]


def _unrelated(looks: Sequence[PairLook]) -> list[Finding]:
    return [
        Finding(
            "unrelated-sides",
            "warning",
            "edges of A and B have nothing to do with each other in the dataset as a whole",
            len(looks),
            _examples(looks),
            "where A does not say what B shows, the generator learns an average; often files were paired by position",
            "look at the pairs; match by name with: p2p-data combine A B",
        )
    ]


def _some_mirrored(looks: Sequence[PairLook]) -> list[Finding]:
    mirrored = [look for look in looks if _is_mirrored(look)]
    if not mirrored:
        return []
    return [
        Finding(
            "mirrored-pairs",
            _severity(mirrored, looks),
            "B fits A better mirrored",
            len(mirrored),
            _examples(mirrored),
            "nothing in A lies where it belongs in B",
            "look at these pairs, and mirror one side back or leave them out; symmetric scenes may be sound",
        )
    ]


def _off(looks: Sequence[PairLook], common: Peak) -> list[tuple[float, PairLook]]:
    """Find pairs that are shifted otherwise than most, the farthest first, with how far in their own pixels."""
    off = []
    for look in looks:
        if (placing := look.placing) is None or _is_mirrored(look):
            continue
        peak = placing.peak
        away = float(np.hypot(peak.right - common.right, peak.down - common.down))
        if away >= _PAIR_PX and peak.height >= max(_SURE, placing.at_zero / _NO_BETTER):
            off.append((away * reduction(look.width, look.height), look))
    return sorted(off, key=lambda one: -one[0])


def _some_shifted(looks: Sequence[PairLook], off: Sequence[tuple[float, PairLook]]) -> list[Finding]:
    if not off:
        return []
    shifted = [look for _, look in off]
    return [
        Finding(
            "shifted-pairs",
            _severity(shifted, looks),
            f"B is shifted against A, unlike in most pairs, by {_range(off[-1][0], off[0][0])} px",
            len(off),
            _examples(shifted),
            "the generator learns to blur what it cannot place",
            "look at these pairs, and make them again or leave them out; a few may be sound",
        )
    ]


def _is_mirrored(look: PairLook) -> bool:
    placing = look.placing
    return placing is not None and placing.flip_height >= max(_SURE, placing.peak.height / _NO_BETTER)


def _severity(some: Sequence[PairLook], looks: Sequence[PairLook]) -> Severity:
    return "error" if len(some) > _MANY * len(looks) else "warning"


def _examples(looks: Sequence[PairLook]) -> tuple[tuple[str, ...], ...]:
    return tuple((look.name,) for look in looks[:10])


def _range(least: float, most: float) -> str:
    return f"{most:.0f}" if round(least) == round(most) else f"{least:.0f} to {most:.0f}"


def _side(pixels: float, plus: str, minus: str) -> str:
    return f"{abs(pixels):.1f} px {plus if pixels >= 0 else minus}"
