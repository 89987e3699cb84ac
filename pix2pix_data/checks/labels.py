"""Label maps: colours that JPEG or a resize has smeared, the share of each class, and a palette.json of other ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from pix2pix_data.findings import Finding
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.mends import SnapLabels
from pix2pix_data.palette_file import MAX_COLORS, Color, Palette, to_hex

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.checks.sides import Counts

__all__ = ["guess_palette", "label_findings"]

_NEAR_LEVELS = 20  # from the middle of a bin of 8 levels to a colour that JPEG moved by 16
_TOLD = 0.97  # share of the flat pixels that a palette must explain to be that of the labels
_RAREST_GUESSED = 0.001
_RARE = 0.005


def label_findings(
    looks: Sequence[PairLook], side: Literal["A", "B"], flat_counts: Counts, palette: Palette | None
) -> list[Finding]:
    """Find what is wrong with the labels of one side.

    Parameters
    ----------
    looks : sequence of PairLook
    side : {"A", "B"}
        The side that holds labels.
    flat_counts : ndarray of shape (32768,)
        Its flat pixels by colour, 5 bits for each channel.
    palette : Palette or None
        That of palette.json.
    """
    name, guessed = guess_palette(flat_counts)
    found = []
    if palette is not None and (share := _share_told(flat_counts, palette.colors)) < _TOLD:
        found.append(
            Finding(
                "palette-mismatch",
                "error",
                f"palette.json is not that of {side}: {1 - share:.0%} of the pixels have none of its colours",
                len(looks),
                why="what is painted in these colours later, the model has never seen",
                fix="put the palette.json there that the pairs were made with, or make the pairs again",
            )
        )
        palette = None
    found += _smeared(looks, side, name)
    found += _class_shares(side, flat_counts, palette or guessed, len(looks))
    return found


def guess_palette(flat_counts: Counts) -> tuple[str, Palette]:
    """Find the classes of labels: a published set whose colours they have, or else their frequent colours.

    Returns
    -------
    (str, Palette)
        The set's name, or "".
    """
    for name, palette in LABEL_PALETTES.items():
        if _share_told(flat_counts, palette.colors) >= _TOLD:
            return name, palette
    left, total = flat_counts.copy(), max(int(flat_counts.sum()), 1)
    centres = _bin_centres()
    colors: list[Color] = []
    while len(colors) < MAX_COLORS:
        peak = int(left.argmax())
        near = np.abs(centres - centres[peak]).max(axis=1) <= _NEAR_LEVELS
        if left[near].sum() < _RAREST_GUESSED * total:
            break
        left[near] = 0
        red, green, blue = centres[peak].tolist()
        colors.append((red, green, blue))
    return "", Palette(tuple(colors), names=tuple(map(to_hex, colors)))


def _smeared(looks: Sequence[PairLook], side: Literal["A", "B"], name: str) -> list[Finding]:
    counts = {look.name: (look.a if side == "A" else look.b).num_colors for look in looks}
    smeared = sorted((key for key, num in counts.items() if num > MAX_COLORS), key=lambda key: -counts[key])
    if not smeared:
        return []
    known = f" --palette {name}" if name else ""
    return [
        Finding(
            "smeared-labels",
            "warning",
            f"the labels of {side} have up to {counts[smeared[0]]:,} colours in one picture: "
            "JPEG or a resize has mixed them",
            len(smeared),
            tuple((key,) for key in smeared[:10]),
            "a mixture of two classes looks like a third, and the model learns from the smear where the borders are",
            f"p2p-data labels LABELS PHOTOS{known}, with a folder for each side",
            (SnapLabels(side, tuple(smeared), name),),
        )
    ]


def _class_shares(side: str, flat_counts: Counts, palette: Palette, num_pairs: int) -> list[Finding]:
    shares = _shares(flat_counts, palette.colors)
    order = np.argsort(-shares, kind="stable")
    there = [f"{palette.name_of(i)} {shares[i]:.1%}" for i in order.tolist() if shares[i] > 0]
    rare = [palette.name_of(i) for i in order.tolist() if 0 < shares[i] < _RARE]
    if not there:
        return []
    shown = ", ".join(there[:6]) + (f", ... {there[-1]}" if len(there) > 6 else "")
    return [
        Finding(
            "class-shares",
            "note",
            f"{side} has {len(there)} classes: {shown}",
            num_pairs,
            why=f"{len(rare)} have less than {_RARE:.1%} of the pixels, and are learnt last" if rare else "",
        )
    ]


def _bin_centres() -> npt.NDArray[np.int64]:
    bins = np.arange(1 << 15)
    return np.stack([bins >> 10, (bins >> 5) & 31, bins & 31], axis=1) * 8 + 4


def _distances(colors: Sequence[Color]) -> npt.NDArray[np.int64]:
    """Return the largest difference in any channel between bins and colours, of shape (32768, n)."""
    return np.stack([np.abs(_bin_centres() - np.array(color)).max(axis=1) for color in colors], axis=1)


def _share_told(flat_counts: Counts, colors: Sequence[Color]) -> float:
    told = _distances(colors).min(axis=1) <= _NEAR_LEVELS
    return float(flat_counts[told].sum() / max(int(flat_counts.sum()), 1))


def _shares(flat_counts: Counts, colors: Sequence[Color]) -> npt.NDArray[np.float64]:
    nearest = _distances(colors).argmin(axis=1)
    counts = np.bincount(nearest, weights=flat_counts, minlength=len(colors))
    return np.asarray(counts / max(int(flat_counts.sum()), 1))
