"""What one side of a dataset is made of, so that more of it can be drawn: a palette, lines of a width, gray, photos.

Read from build.json and palette.json where they say it, else from the pictures themselves.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from pix2pix_data.edges.thinning import thin
from pix2pix_data.errors import FormatError
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.palette_file import Color, Palette, from_hex, read_palette, to_hex

if TYPE_CHECKING:
    from pix2pix_data.dataset import EncodedPair, PairDataset
    from pix2pix_data.pair import RGB, BoolMap

__all__ = ["Kind", "NamedColor", "SideFacts", "side_facts", "spread_pairs"]

Kind: TypeAlias = Literal["segments", "lines", "gray", "photo"]

_NUM_PICTURES = 24
_MOST_SEEN_PX = 768
_MOST_COLORS = 40  # more are no classes that a person tells apart
_SPREAD, _TIGHT = 24, 4
"""Grey levels, in any channel, from a class's colour to those that JPEG makes of it at a border, and inside."""
_FEWEST_TIGHT = 0.3
"""Of the pixels beside those of the most frequent colour, which may be a photo's white background: photos of streets,
shoes and houses have 0.07 to 0.15, their label maps 0.5 and more after JPEG."""
_FEWEST_KNOWN = 0.75  # 0.8 of the pixels of facades, and 0.9 of those of Cityscapes, have a class's colour after JPEG
_RAREST = 2e-4
_GRAY_SPREAD, _GRAY_SHARE = 8, 0.995  # JPEG gives gray a little colour
_DARK, _LIGHT = 64, 192
_MOST_BETWEEN = 0.15  # of the pixels of a line drawing are neither dark nor light
_MOST_INK = 0.3
_WIDEST_LINE_PX = 8


class NamedColor(BaseModel):
    """A colour that one can draw with.

    `share` is the part of the sampled pixels that have it, in [0, 1]; None where it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    color: str = Field(pattern="^#[0-9a-f]{6}$")
    share: float | None = None


class SideFacts(BaseModel):
    """What pictures of a side hold.

    Attributes
    ----------
    kind : {"segments", "lines", "gray", "photo"}
    colors : tuple of NamedColor
        Of segments the palette; of lines the paper and the ink.
    line_px : int or None
        Width of lines.
    maker, settings
        What made the side, where it was derived from photos or read from label maps; "" where that is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    colors: tuple[NamedColor, ...] = ()
    line_px: int | None = None
    maker: str = ""
    settings: dict[str, JsonValue] = {}

    @property
    def rgb_colors(self) -> tuple[Color, ...]:
        """The colours as numbers."""
        return tuple(color for one in self.colors if (color := from_hex(one.color)) is not None)


@functools.lru_cache(maxsize=4)
def side_facts(dataset: PairDataset, side: Literal["A", "B"]) -> SideFacts:
    """Find out what a side of a dataset holds.

    Parameters
    ----------
    dataset : PairDataset
    side : {"A", "B"}

    Returns
    -------
    SideFacts

    Raises
    ------
    ImageError, FormatError
        If palette.json or a picture is damaged.
    """
    maker, settings = _made_by(dataset) if side == "A" else ("", {})
    if maker == "edges":
        return _lines(
            inverted=bool(settings.get("invert")), width=_whole(settings.get("width")), maker=(maker, settings)
        )
    palette_path = dataset.path / "palette.json"
    if side == "A" and palette_path.is_file() and settings.get("paint") != "mean":
        return SideFacts(kind="segments", colors=_named(read_palette(palette_path)), maker=maker, settings=settings)
    if maker == "colorize":
        return SideFacts(kind="gray", maker=maker, settings=settings)
    pairs = (encoded.decode() for encoded in spread_pairs(dataset))
    pictures = [_middle(pair.a if side == "A" else pair.b) for pair in pairs]
    return _seen(pictures).model_copy(update={"maker": maker, "settings": settings})


def spread_pairs(dataset: PairDataset, num: int = _NUM_PICTURES, split: str = "train") -> list[EncodedPair]:
    """Read some pairs, spread evenly over a split."""
    total = dataset.num_pairs[split]
    wanted = {i * total // num for i in range(num)}
    return list(dataset.encoded_pairs(split, wanted))


def _made_by(dataset: PairDataset) -> tuple[str, dict[str, Any]]:
    """Read the maker and its settings from build.json; nothing where the dataset was not built by us."""
    path = dataset.path / "build.json"
    try:
        identity = json.loads(path.read_text(encoding="utf-8")).get("identity", {})
        return str(identity.get("maker", "")), dict(identity.get("settings", {}))
    except FileNotFoundError:
        return "", {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise FormatError(
            f"this is no record of a build: {error}",
            where=path,
            fix="build the dataset again; or remove the file, which makes it one of others",
        ) from error


def _lines(*, inverted: bool, width: int, maker: tuple[str, dict[str, Any]] = ("", {})) -> SideFacts:
    paper, ink = ("#000000", "#ffffff") if inverted else ("#ffffff", "#000000")
    colors = (NamedColor(name="paper", color=paper), NamedColor(name="line", color=ink))
    return SideFacts(kind="lines", colors=colors, line_px=width, maker=maker[0], settings=maker[1])


def _named(palette: Palette) -> tuple[NamedColor, ...]:
    shares = palette.shares or (None,) * len(palette.colors)
    return tuple(
        NamedColor(name=palette.name_of(i), color=to_hex(color), share=shares[i])
        for i, color in enumerate(palette.colors)
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 1


# --- looking at pictures ------------------------------------------------------------------------------------------


def _seen(pictures: Sequence[RGB]) -> SideFacts:
    """Tell what pictures hold by their pixels."""
    if all(map(_is_gray, pictures)):
        grays = [picture[:, :, 1] for picture in pictures]
        between = np.mean([((gray > _DARK) & (gray < _LIGHT)).mean() for gray in grays])
        share_dark = float(np.mean([(gray < 128).mean() for gray in grays]))
        inverted = share_dark > 0.5
        if between < _MOST_BETWEEN and min(share_dark, 1 - share_dark) < _MOST_INK:
            width = _line_width([(gray >= 128) if inverted else (gray < 128) for gray in grays])
            if width <= _WIDEST_LINE_PX:
                return _lines(inverted=inverted, width=width)
        elif between >= _MOST_BETWEEN:
            return SideFacts(kind="gray")
    peaks = _peaks(pictures)
    first, *others = peaks
    left = 1 - first.share
    if len(peaks) > 1 and sum(peak.tight for peak in others) < _FEWEST_TIGHT * left:
        return SideFacts(kind="photo")
    return SideFacts(kind="segments", colors=_classes(peaks))


def _middle(picture: RGB) -> RGB:
    """Cut the middle out of a large picture: it tells enough, and dozens of them stay small."""
    top, left = (max(0, side - _MOST_SEEN_PX) // 2 for side in picture.shape[:2])
    return picture[top : top + _MOST_SEEN_PX, left : left + _MOST_SEEN_PX].copy()


def _is_gray(picture: RGB) -> bool:
    spread = picture.max(axis=2).astype(np.int16) - picture.min(axis=2)
    return bool((spread <= _GRAY_SPREAD).mean() >= _GRAY_SHARE)


def _line_width(drawings: Sequence[BoolMap]) -> int:
    """Return the median width of strokes: what their middle's distance to the paper says, to a pixel, and their area.

    A stroke w px wide has w px of ink to each pixel of its middle where it runs along an axis, and 1.41 w on a
    diagonal; 1.2 lies between.
    """
    middles = [thin(drawing) for drawing in drawings]
    depths = np.concatenate(
        [
            cv2.distanceTransform(drawing.astype(np.uint8), cv2.DIST_L2, 5)[middle]
            for drawing, middle in zip(drawings, middles, strict=True)
        ]
    )
    if not depths.size:
        return 1
    narrowest = round(2 * float(np.median(depths)) - 1)
    ink_to_middle = sum(int(drawing.sum()) for drawing in drawings) / len(depths)
    return max(1, min(max(round(ink_to_middle / 1.2), narrowest), narrowest + 1))


@dataclass(frozen=True, slots=True)
class _Peak:
    """A frequent colour; `share` of the pixels are near it, `tight` of them so near that they have it."""

    color: Color
    share: float
    tight: float


def _peaks(pictures: Sequence[RGB]) -> list[_Peak]:
    """Find the most frequent colour, then the most frequent of those that are not near it, and so on."""
    weights = np.array([1 << 16, 1 << 8, 1], np.int32)
    codes = np.concatenate([(picture.astype(np.int32) @ weights).ravel() for picture in pictures])
    found, counts = np.unique(codes, return_counts=True)
    colors = np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=1)
    shares = counts / counts.sum()
    peaks: list[_Peak] = []
    while len(peaks) < _MOST_COLORS and shares.any():
        peak = colors[shares.argmax()]
        distance = np.abs(colors - peak).max(axis=1)
        near = distance <= _SPREAD
        color = (int(peak[0]), int(peak[1]), int(peak[2]))
        peaks.append(_Peak(color, float(shares[near].sum()), float(shares[distance <= _TIGHT].sum())))
        shares[near] = 0
    return peaks


def _classes(peaks: Sequence[_Peak]) -> tuple[NamedColor, ...]:
    """Tell classes from what JPEG mixed of them, and name them where a well-known set has just these colours."""
    for known in LABEL_PALETTES.values():
        shares = dict.fromkeys(range(len(known.colors)), 0.0)
        for peak in peaks:
            label, distance = _nearest(peak.color, known.colors)
            shares[label] += peak.share if distance <= _TIGHT else 0
        if sum(shares.values()) >= _FEWEST_KNOWN:
            return tuple(
                NamedColor(name=known.name_of(label), color=to_hex(known.colors[label]), share=round(share, 6))
                for label, share in shares.items()
                if share
            )
    clear = [peak for peak in peaks if peak.tight >= peak.share / 2 and peak.share >= _RAREST]
    return tuple(
        NamedColor(name=f"color {i}", color=to_hex(peak.color), share=round(peak.share, 6))
        for i, peak in enumerate(clear)
    )


def _nearest(color: Color, colors: Sequence[Color]) -> tuple[int, int]:
    """Return which colour is nearest, and its distance in grey levels of the channel that differs most."""
    distances = np.abs(np.array(colors, np.int64) - np.array(color)).max(axis=1)
    return int(distances.argmin()), int(distances.min())
