"""Which photos are copies of each other: re-encoded, resized, cut by a little, mirrored, brighter or darker.

A photo's code is the signs of the 63 lowest coefficients of its print's cosine transform (a perceptual hash). Photos
that agree in a third of the code, but for its weakest bits, are compared; each photo is looked up whole and cut in nine
places, among the others and their mirror images. What is alike in code is held against each other print by print.
docs/splits.md has the method in words and what it catches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from pix2pix_data.disjoint_sets import DisjointSets
from pix2pix_data.photo_prints import PRINT_PX
from pix2pix_data.print_likeness import likeness, window

if TYPE_CHECKING:
    import numpy.typing as npt

    from pix2pix_data.photo_prints import Prints

    Codes: TypeAlias = npt.NDArray[np.uint64]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Indices: TypeAlias = npt.NDArray[np.int64]

__all__ = ["MIN_LIKENESS", "codes_of", "find_near_duplicates"]

MIN_LIKENESS = 0.93
"""Of prints that count as copies: those cut by 5 % lie above, different photos mostly far below; see docs/splits.md."""

_MAX_BITS = 10  # that two codes may differ in
_CUT = 0.93  # side of the nine cuts: between the whole photo and a cut of 10 %
_NUM_BANDS, _BAND_BITS = 3, 21
_NUM_BITS = _NUM_BANDS * _BAND_BITS
_BELOW_BAND = np.uint64(_NUM_BITS - _BAND_BITS)  # bits of a turned code
_WORTH_A_TABLE = 1 << 16  # codes: all of it takes two thirds of the time with a table, but that is 8 MiB a band
_WEAK_BITS = 3  # tried both ways in each band
_SUBSETS = [list(bits) for num in range(_WEAK_BITS + 1) for bits in combinations(range(_WEAK_BITS), num)]
_MAX_BUCKET = 128  # compared at once; of more photos with one band in common, those nearest in code
_CHUNK = 512  # photos at once: what is made of them, 12 MiB, hardly leaves the processor's cache
_DEAD_ZONE = 2.0  # coefficients this small (in gray levels) have no sign: a symmetric photo is its own mirror image
_FREQUENCIES = sorted(
    ((row, column) for row in range(9) for column in range(9) if row or column),
    key=lambda f: (f[0] ** 2 + f[1] ** 2, f),
)[:_NUM_BITS]
_ROWS, _COLUMNS = np.array([f for band in range(_NUM_BANDS) for f in _FREQUENCIES[band::_NUM_BANDS]]).T
_MIRRORED = np.where(_COLUMNS % 2 == 1, -1, 1).astype(np.float32)  # what mirroring does to each coefficient


@dataclass(frozen=True, slots=True)
class _Band:
    """All codes in the order of one third of their bits: photos that agree in it lie side by side."""

    codes: Codes  # (2 N,), turned so that the band is on top, sorted
    entries: npt.NDArray[np.int32]  # (2 N,), position of each among photos and then mirror images
    starts: npt.NDArray[np.int32] | None  # (2 ** 21 + 1,), where each value of the band begins, of many codes

    def range_of(self, values: Codes) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
        """Return where the codes with each value of the band begin and end."""
        following = values + np.uint64(1)
        if self.starts is None:
            first, behind = (np.searchsorted(self.codes, some << _BELOW_BAND) for some in (values, following))
            return first, behind
        return self.starts[values], self.starts[following]


def find_near_duplicates(prints: Prints) -> Indices:
    """Group photos by their prints.

    Parameters
    ----------
    prints : ndarray of shape (N, 24, 24), uint8

    Returns
    -------
    ndarray of shape (N,), int64
        For each photo the first one of its group.

    Notes
    -----
    Time grows with the number of photos, but for such as look alike in code: of those, 128 are compared at once.
    Equal prints are one. Memory is about 100 bytes for each photo, beside the prints.
    """
    if len(prints) == 0:
        return np.empty(0, np.int64)
    distinct, which = _distinct(prints)
    groups = _Groups(prints[distinct])
    with threadpool_limits(1):  # products of matrices this small take longer on many threads
        for found in _candidates(groups.prints):
            groups.compare(found)
        groups.flush()
    first = distinct[
        np.array(groups.sets.roots(), np.int64)
    ]  # roots are the smallest of their set, and `distinct` grows
    return np.asarray(first[which])


def codes_of(prints: Prints) -> tuple[Codes, Codes]:
    """Compute the 63-bit codes of prints and of their mirror images."""
    codes = np.empty((2, len(prints)), np.uint64)
    for start in range(0, len(prints), _CHUNK):
        coefficients = _coefficients(prints[start : start + _CHUNK], cuts=False)[:, 0]
        codes[:, start : start + _CHUNK] = _packed(coefficients), _packed(coefficients * _MIRRORED)
    return codes[0], codes[1]


# --- codes --------------------------------------------------------------------------------------------------------


def _distinct(prints: Prints) -> tuple[Indices, Indices]:
    """Return where each different print stands first, in order, and for each print which of these it is."""
    digests = b"".join(hashlib.blake2b(one.tobytes(), digest_size=8).digest() for one in prints)
    _, first, which = np.unique(np.frombuffer(digests, np.uint64), return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[which]


def _cosines(offset: float, scale: float) -> Floats:
    """Return the (9, 24) transform of one side of a window."""
    frequency, position = np.arange(9)[:, None], np.arange(PRINT_PX)[None]
    cosines = np.cos(np.pi * frequency * (2 * position + 1) / (2 * PRINT_PX)) * np.sqrt(2 / PRINT_PX)
    cosines[0] /= np.sqrt(2)
    return np.asarray(cosines @ window(offset, scale, PRINT_PX), np.float32)


_SIDES = np.concatenate([_cosines(0, 1), *(_cosines(offset, _CUT) for offset in (0, 0.5, 1))])  # (36, 24)
_WINDOWS = [(0, 0), *((down, across) for down in (1, 2, 3) for across in (1, 2, 3))]  # the whole first
_PLACES = np.array([(9 * across + _COLUMNS) * len(_SIDES) + 9 * down + _ROWS for down, across in _WINDOWS])  # (10, 63)


def _coefficients(prints: Prints, *, cuts: bool) -> Floats:
    """Transform the whole of each print, and nine cuts; returns (N, 1 or 10, 63)."""
    sides = _SIDES if cuts else _SIDES[:9]
    places = _PLACES if cuts else _COLUMNS[None] * 9 + _ROWS
    pixels = prints.astype(np.float32)
    across = (pixels.reshape(-1, PRINT_PX) @ sides.T).reshape(len(pixels), PRINT_PX, -1)
    turned = np.ascontiguousarray(across.swapaxes(1, 2))
    both = turned.reshape(-1, PRINT_PX) @ sides.T  # two large products take a fifth of the time of many small ones
    return np.asarray(np.take(both.reshape(len(pixels), -1), places, axis=1))


def _packed(coefficients: Floats) -> Codes:
    bits = np.packbits(coefficients > _DEAD_ZONE, axis=-1, bitorder="little")  # (..., 8)
    return np.asarray(np.ascontiguousarray(bits).view(np.uint64)[..., 0])


def _weak_bits(coefficients: Floats) -> Codes:
    """Return masks of the bits of each band that change first, (..., 3, 2): those of its smallest coefficients."""
    bands = coefficients.reshape(*coefficients.shape[:-1], _NUM_BANDS, _BAND_BITS)
    # Positive floats are in the order of their bit patterns; the last five bits make room for the position.
    ranked = bands.view(np.uint32) & np.uint32(0x7FFFFFE0)
    ranked |= np.arange(_BAND_BITS, dtype=np.uint32)
    masks = []
    for _ in range(_WEAK_BITS):
        weakest = ranked.min(axis=-1)
        np.putmask(ranked, ranked == weakest[..., None], np.uint32(0xFFFFFFFF))
        masks.append(np.uint64(1) << (weakest & np.uint32(31)).astype(np.uint64))
    return np.stack(masks, axis=-1)


# --- candidates ---------------------------------------------------------------------------------------------------


def _candidates(prints: Prints) -> Iterator[npt.NDArray[np.int64]]:
    """Look each photo up among the others and their mirror images.

    Yields
    ------
    ndarray of shape (M, 3), int64
        Two photos, the smaller first, and whether one is to be mirrored; the same ones may come again.
    """
    entries = np.concatenate(codes_of(prints))
    bands = [_band(entries, i) for i in range(_NUM_BANDS)]
    for start in range(0, len(prints), _CHUNK):
        coefficients = _coefficients(prints[start : start + _CHUNK], cuts=True)  # (M, 10, 63)
        codes = _packed(coefficients)
        weak_bits = _weak_bits(coefficients)
        photos = np.repeat(np.arange(start, start + len(codes)), codes.shape[1])
        for i, band in enumerate(bands):
            turned = _turned(codes.reshape(-1), i)
            weak = weak_bits[:, :, i].reshape(-1, _WEAK_BITS) << _BELOW_BAND
            for changed in _SUBSETS:
                flipped = turned ^ np.bitwise_or.reduce(weak[:, changed], axis=1)
                yield _look_up(band, turned, flipped, photos, len(prints))


def _band(codes: Codes, index: int) -> _Band:
    turned = _turned(codes, index)
    order = np.argsort(turned, kind="stable")
    turned = turned[order]
    starts = None
    if len(codes) >= _WORTH_A_TABLE:
        values = np.arange((1 << _BAND_BITS) + 1, dtype=np.uint64)
        starts = np.searchsorted(turned, values << _BELOW_BAND).astype(np.int32)
    return _Band(turned, order.astype(np.int32), starts)


def _turned(codes: Codes, band: int) -> Codes:
    """Turn the bits round until a band has the highest 21 of the 63."""
    up = np.uint64((_NUM_BITS - _BAND_BITS * (band + 1)) % _NUM_BITS)
    mask = np.uint64((1 << _NUM_BITS) - 1)
    return ((codes << up) | (codes >> (np.uint64(_NUM_BITS) - up))) & mask


def _look_up(band: _Band, codes: Codes, changed: Codes, photos: Indices, num_photos: int) -> npt.NDArray[np.int64]:
    """Find the entries with the same band as `changed` and nearly the same bits as `codes`."""
    starts, ends = band.range_of(changed >> _BELOW_BAND)
    if (crowded := np.flatnonzero(ends - starts > _MAX_BUCKET)).size:
        nearest = np.searchsorted(band.codes, changed[crowded]) - _MAX_BUCKET // 2
        starts[crowded] = np.clip(nearest, starts[crowded], ends[crowded] - _MAX_BUCKET)
        ends[crowded] = starts[crowded] + _MAX_BUCKET
    counts = ends - starts
    asking = np.repeat(np.arange(len(codes)), counts)
    places = np.arange(len(asking)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
    near = np.bitwise_count(codes[asking] ^ band.codes[places]) <= _MAX_BITS
    ones, entries = photos[asking[near]], band.entries[places[near]]
    others, mirrored = entries % num_photos, entries // num_photos
    found = np.stack([np.minimum(ones, others), np.maximum(ones, others), mirrored], axis=1)
    return np.asarray(found[ones != others])


# --- comparison ---------------------------------------------------------------------------------------------------


class _Groups:
    """Compares candidates, many at once, and joins those that are alike; what is joined already is passed over."""

    def __init__(self, prints: Prints) -> None:
        self.prints = prints
        self.sets = DisjointSets(len(prints))
        self._root_seen = np.arange(len(prints))  # the root that each photo had when it was last compared
        self._waiting: list[npt.NDArray[np.int64]] = []

    def compare(self, found: npt.NDArray[np.int64]) -> None:
        self._waiting.append(self._apart(found))
        if sum(map(len, self._waiting)) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        found = np.concatenate(self._waiting)
        self._waiting.clear()
        num = len(self.prints)
        for packed in _portions(np.unique((found[:, 0] * num + found[:, 1]) * 2 + found[:, 2]), _CHUNK // 2):
            pair, mirrored = np.divmod(packed, 2)
            self._join_alike(self._apart(np.stack([*np.divmod(pair, num), mirrored], axis=1)))

    def _apart(self, found: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.asarray(found[self._root_seen[found[:, 0]] != self._root_seen[found[:, 1]]])

    def _join_alike(self, found: npt.NDArray[np.int64]) -> None:
        ones, others = self.prints[found[:, 0]], self.prints[found[:, 1]]
        mirrored = found[:, 2] == 1
        others[mirrored] = others[mirrored][:, :, ::-1]
        joined = found[likeness(ones, others) >= MIN_LIKENESS, :2]
        for one, other in joined.tolist():
            self.sets.join(one, other)
        for photo in np.unique(joined).tolist():
            self._root_seen[photo] = self.sets.root(photo)


def _portions(values: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
