"""What gave no pair, by reason: failures.jsonl for the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pix2pix_data.errors import ImageError
from pix2pix_data.images import read_photo
from pix2pix_data.report.markup import NOTHING, Html
from pix2pix_data.report.pictures import THUMBNAIL, embed

__all__ = ["REASONS_LISTED", "Reason", "Reject", "read_rejects"]

REASONS_LISTED = 20

_EXAMPLES_OF_A_REASON = 8
_MAX_THUMBNAILS = 24
_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Reject:
    """A source that gave no pair, what its reason says beyond the others', and its picture where that can be read."""

    source: str
    detail: str
    thumbnail: Html = NOTHING


@dataclass(slots=True)
class Reason:
    """Why sources gave no pair: what their reasons begin with, how many there are, and the first few."""

    name: str
    num_sources: int = 0
    examples: list[Reject] = field(default_factory=list)


def read_rejects(dataset: Path, photos: Path | None) -> list[Reason]:
    """Read failures.jsonl of a dataset, the most frequent reason first; none where there is no such file.

    Parameters
    ----------
    dataset : Path
    photos : Path or None
        The folder that the sources lie in, for their thumbnails; it need not be there.
    """
    reasons: dict[str, Reason] = {}
    for source, text in _lines(dataset / "failures.jsonl"):
        name, _, detail = text.partition(":")
        reason = reasons.setdefault(name, Reason(name))
        reason.num_sources += 1
        if len(reason.examples) < _EXAMPLES_OF_A_REASON:
            reason.examples.append(Reject(source, detail.strip()))
    ranked = sorted(reasons.values(), key=lambda reason: -reason.num_sources)
    if photos is not None:
        _add_thumbnails(ranked[:REASONS_LISTED], photos)
    return ranked


def _add_thumbnails(reasons: list[Reason], photos: Path) -> None:
    num_left = _MAX_THUMBNAILS
    for reason in reasons:
        for i, reject in enumerate(reason.examples):
            if num_left and (thumbnail := _thumbnail(photos, reject.source)):
                reason.examples[i] = replace(reject, thumbnail=thumbnail)
                num_left -= 1


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                yield str(record["source"])[:_LONGEST_TEXT], str(record["reason"])[:_LONGEST_TEXT]
            except (ValueError, TypeError, KeyError):
                yield f"line {number} of {path.name}", "a line that is no record"


def _thumbnail(photos: Path, source: str) -> Html:
    path = photos / source
    try:
        # A dataset may come from anyone: it must not pull other files of this machine into a page that is passed on.
        if not path.resolve().is_relative_to(photos.resolve()):
            return NOTHING
        photo, _ = read_photo(path, enough=(THUMBNAIL.longest_px, THUMBNAIL.longest_px))
        return embed(photo.rgb, "", THUMBNAIL)
    except (ImageError, OSError, ValueError):  # most were rejected because they cannot be read
        return NOTHING
