"""What is stored of a pair that comes from elsewhere: its own bytes where they hold pixels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pix2pix_data.dataset import EncodedPair
from pix2pix_data.errors import ImageError
from pix2pix_data.images import Photo, decode_photo, encode_jpeg, encode_png
from pix2pix_data.layouts.found import RawPair
from pix2pix_data.listing import to_utf8
from pix2pix_data.pair import Failed, Pair

__all__ = ["Side", "StoredPair", "decode_sides", "encode_side", "store_pair"]

Side: TypeAlias = tuple[Photo, bytes]
"""A picture, and its file; `plain` says whether that may be kept."""


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair as it will be stored, and what its sides are stored as: "their own bytes", "PNG" or "JPEG"."""

    pair: EncodedPair
    kinds: tuple[str, str]


def store_pair(raw: RawPair, *, swap: bool, jpeg: bool) -> StoredPair | Failed:
    """Decode a pair, and keep the bytes of its sides where they are PNG or JPEG and hold pixels alone.

    What holds more (a place, a comment, a profile, an EXIF turn, transparency), or is of another format, is stored as
    the pixels that one sees; so are both halves of a side-by-side picture. That is PNG, so that no pixel changes.

    Parameters
    ----------
    raw : RawPair
    swap : bool
        Make A of B, and B of A.
    jpeg : bool
        Store B as JPEG of quality 95 where its bytes cannot be kept.

    Returns
    -------
    StoredPair, or Failed
        Where a side cannot be decoded, or the sides differ in size.
    """
    try:
        a, b = decode_sides(raw.pair)
        if swap:
            a, b = b, a
        kind_a, file_a = encode_side(a, jpeg=False)
        kind_b, file_b = encode_side(b, jpeg=jpeg)
    except ImageError as error:
        return Failed(raw.pair.key, raw.source, error.what)
    key, group = to_utf8(raw.pair.key), to_utf8(raw.pair.group)  # JSON may hold halves of characters
    return StoredPair(EncodedPair(key, group, file_a, file_b), (kind_a, kind_b))


def decode_sides(pair: EncodedPair) -> tuple[Side, Side]:
    """Decode both sides, each with its file; ImageError if that cannot be done, or they differ in size."""
    if pair.b is None:
        whole = pair.decode()
        return (Photo(whole.a, plain=False), b""), (Photo(whole.b, plain=False), b"")
    a, b = decode_photo(pair.a), decode_photo(pair.b)
    Pair(pair.key, a.rgb, b.rgb, pair.group)
    return (a, pair.a), (b, pair.b)


def encode_side(side: Side, *, jpeg: bool) -> tuple[str, bytes]:
    """Return what a side is stored as, in words, and the file."""
    photo, content = side
    if photo.plain:
        return "their own bytes", content
    return ("JPEG", encode_jpeg(photo.rgb)) if jpeg else ("PNG", encode_png(photo.rgb))
