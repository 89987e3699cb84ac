"""What a side holds - strokes, labels, gray or photos - and the findings that follow from it.

All of it is seen on the middle of a picture, at most 512 pixels wide and high, in its own pixels: enlarging or reducing
would make colours that the file does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

import cv2
import numpy as np

from pix2pix_data.findings import Finding
from pix2pix_data.mends import LeaveOut
from pix2pix_data.photo_prints import print_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.checks.look import PairLook
    from pix2pix_data.pair import RGB, BoolMap

    Counts: TypeAlias = npt.NDArray[np.int64]

__all__ = ["BLANK_LEVELS", "Kind", "SideLook", "about_side", "kind_of", "look_at_side", "side_findings"]

Kind: TypeAlias = Literal["strokes", "labels", "gray pictures", "photos", "blank pictures"]

MIDDLE_PX = 512
FLAT_LEVELS = 8
"""Grey levels between the neighbours of a flat pixel; as in label_colors."""

BLANK_LEVELS = 8  # between the darkest and the brightest pixel; JPEG moves even one colour a little
_COLORFUL_LEVELS = 12  # between channels; JPEG moves even gray a little
_TONE_LEVELS = 40  # from black or white
_SHARE_TOLD = 0.99
_GRAY = 0.01  # share of colourful pixels up to which a picture is gray
_TWO_TONE = 0.9  # share of black and white pixels from which a gray picture is a drawing; shoes on white have 0.7
_MOST_CLASS_COLORS = 56
"""Colours, 5 bits a channel, that 90 % of the flat pixels beside the commonest colour have in a set of label maps.

Measured: 9 on facades, 21 on Cityscapes, JPEG smear included; their photos have 659 and 103, shoes on white 548.
"""


@dataclass(frozen=True, slots=True)
class SideLook:
    """What is measured on one side of a pair.

    Attributes
    ----------
    digest : bytes
        Of size and pixels: equal for equal pictures alone.
    print : bytes
        Its print (photo_prints), 24 x 24 gray pixels.
    is_blank : bool
        The whole picture has one colour.
    entropy : float
        Of the colours of its flat pixels, with 5 bits for each channel, in bits, [0, 15].
    colorful, flat, two_tone, light : float
        Shares of pixels, in [0, 1]: with colour; without an edge; nearly black or white; of the latter, white.
    num_colors : int
        Different colours.
    num_flat_colors : int
        Colours, in 5 bits for each channel, that 99 % of the flat pixels have.
    """

    digest: bytes
    print: bytes
    is_blank: bool
    entropy: float
    colorful: float
    flat: float
    two_tone: float
    light: float
    num_colors: int
    num_flat_colors: int


def look_at_side(picture: RGB) -> tuple[SideLook, Counts]:
    """Measure one side.

    Parameters
    ----------
    picture : ndarray of shape (H, W, 3), uint8

    Returns
    -------
    (SideLook, ndarray of shape (32768,))
        And its flat pixels counted by colour, 5 bits for each channel, red on top.
    """
    seen = middle(picture)
    red, green, blue = cv2.split(seen)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    dark, light = (np.count_nonzero(tone) / red.size for tone in (high <= _TONE_LEVELS, low >= 255 - _TONE_LEVELS))
    flat_counts = _flat_counts(seen)
    frequent = flat_counts[flat_counts > 0]
    shares = frequent / max(int(frequent.sum()), 1)
    look = SideLook(
        digest=_digest(picture),
        print=print_of(picture).tobytes(),
        is_blank=_is_blank(seen) and _is_blank(picture),
        entropy=float(-(shares * np.log2(shares)).sum()),
        colorful=np.count_nonzero(high - low > _COLORFUL_LEVELS) / red.size,
        flat=int(frequent.sum()) / red.size,
        two_tone=dark + light,
        light=light / max(dark + light, 1e-9),
        num_colors=num_colors(seen),
        num_flat_colors=num_telling(frequent, _SHARE_TOLD),
    )
    return look, flat_counts


def _digest(picture: RGB) -> bytes:
    digest = hashlib.blake2b(f"{picture.shape}".encode(), digest_size=8)
    for rows in np.array_split(picture, max(1, len(picture) // MIDDLE_PX)):  # a copy of a large picture takes memory
        digest.update(np.ascontiguousarray(rows).data)
    return digest.digest()


def _is_blank(picture: RGB) -> bool:
    return all(np.ptp(channel) <= BLANK_LEVELS for channel in cv2.split(picture))


def is_flat(picture: RGB) -> BoolMap:
    """Tell which pixels are on no edge: no channel differs by more than 8 grey levels in the 3 x 3 around them."""
    square = np.ones((3, 3), np.uint8)
    red, green, blue = cv2.split(cv2.subtract(cv2.dilate(picture, square), cv2.erode(picture, square)))
    return np.asarray(cv2.max(cv2.max(red, green), blue) <= FLAT_LEVELS)


def num_colors(picture: RGB) -> int:
    """Count the different colours of a picture."""
    wide = picture.astype(np.int32)
    codes = np.sort(((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]).ravel())
    return 1 + int(np.count_nonzero(np.diff(codes)))


def middle(picture: RGB) -> RGB:
    """Cut out the middle, at most 512 pixels wide and high; a copy in one piece."""
    height, width = picture.shape[:2]
    top, left = max(0, height - MIDDLE_PX) // 2, max(0, width - MIDDLE_PX) // 2
    return np.ascontiguousarray(picture[top : top + MIDDLE_PX, left : left + MIDDLE_PX])


def _flat_counts(picture: RGB) -> Counts:
    red, green, blue = (channel.astype(np.int32) for channel in cv2.split(picture >> 3))
    return np.bincount(((red << 10) | (green << 5) | blue)[is_flat(picture)], minlength=1 << 15)


def num_telling(counts: Counts, share: float) -> int:
    """Count the most frequent values that make up a share of all."""
    if not counts.sum():
        return 0
    return int(np.searchsorted(np.cumsum(np.sort(counts)[::-1]), share * counts.sum()) + 1)


# --- all pairs ----------------------------------------------------------------------------------------------------


def kind_of(sides: Sequence[SideLook], flat_counts: Counts) -> Kind:
    """Tell what a side holds from what was measured on its pictures, and the colours of all their flat pixels."""
    drawn = [side for side in sides if not side.is_blank]
    if len(drawn) < len(sides) / 2:
        return "blank pictures"
    if median(side.colorful for side in drawn) < _GRAY:
        return "strokes" if median(side.two_tone for side in drawn) >= _TWO_TONE else "gray pictures"
    others = np.sort(flat_counts)[:-1]
    has_classes = 0 < num_telling(others, 0.9) <= _MOST_CLASS_COLORS
    return "labels" if has_classes and median(side.flat for side in drawn) >= 0.25 else "photos"


def about_side(kind: Kind, sides: Sequence[SideLook]) -> str:
    """Say in words what a side holds."""
    if kind == "strokes":
        on_white = median(side.light for side in sides) >= 0.5
        return f"strokes, {'black on white' if on_white else 'white on black'}"
    return kind


def side_findings(looks: Sequence[PairLook], kind_a: Kind, kind_b: Kind) -> list[Finding]:
    """Find photos on A, sides that are the same, and blank ones."""
    return [*_direction(looks, kind_a, kind_b), *_identical(looks), *_blank(looks)]


def _direction(looks: Sequence[PairLook], kind_a: Kind, kind_b: Kind) -> list[Finding]:
    if kind_a != "photos" or kind_b not in ("strokes", "labels", "gray pictures"):
        return []
    return [
        Finding(
            "photos-on-a",
            "note",
            f"A, the left side, holds photos and B holds {kind_b}",
            len(looks),
            why=f"trained as it is, the model makes {kind_b} from photos",
            fix=f"to make photos from {kind_b}, train with: --set data.direction=BtoA (or p2p-data check --fix --swap)",
        )
    ]


def _identical(looks: Sequence[PairLook]) -> list[Finding]:
    same = [look for look in looks if look.a.digest == look.b.digest and not look.a.is_blank]
    if not same:
        return []
    return [
        Finding(
            "identical-sides",
            "error" if len(same) > len(looks) / 2 else "warning",
            "A is the same picture as B",
            len(same),
            tuple((look.name,) for look in same[:10]),
            "there is nothing to learn but to copy",
            "leave these pairs out; gray photos do this to colorize",
            (LeaveOut(tuple((look.name, "A is the same picture as B") for look in same)),),
        )
    ]


def _blank(looks: Sequence[PairLook]) -> list[Finding]:
    blank = [look for look in looks if look.a.is_blank or look.b.is_blank]
    if not blank:
        return []
    num_a, num_b = sum(look.a.is_blank for look in blank), sum(look.b.is_blank for look in blank)
    return [
        Finding(
            "blank-sides",
            "error" if len(blank) > len(looks) / 2 else "warning",
            f"a side has one colour alone (A: {num_a}, B: {num_b})",
            len(blank),
            tuple((look.name,) for look in blank[:10]),
            "a blank condition asks for any picture, a blank target for none",
            "leave these pairs out",
            (LeaveOut(tuple((look.name, "a side has one colour alone") for look in blank)),),
        )
    ]
