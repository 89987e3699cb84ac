"""Plans by the million: texts side by side in Arrow columns, and an object only while one is looked at."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa

from pix2pix_data.arrow_arrays import array_of_bools, array_of_lists, array_of_texts
from pix2pix_data.pair import PairPlan

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Plans"]

_TEXT = pa.large_binary()  # not string: names of files may be in other encodings; large: 2 GiB are 10 million paths
_SCHEMA = pa.schema([("key", _TEXT), ("sources", pa.list_(_TEXT)), ("group", _TEXT)])
_CHUNK = 16_384


class Plans(Sequence[PairPlan]):
    """A sequence of plans that takes the bytes of their texts and 20 more for each, 8 for each file; slices share them.

    Examples
    --------
    >>> plans = Plans.of(PairPlan(key, (f"{key}.png",), key) for key in "abc")
    >>> len(plans), plans[1].key, [plan.key for plan in plans[1:]]
    (3, 'b', ['b', 'c'])
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @classmethod
    def of(cls, plans: Iterable[PairPlan]) -> Plans:
        """Gather plans, a few thousand objects at a time; what is gathered already stays as it is."""
        if isinstance(plans, Plans):
            return plans
        return cls(pa.Table.from_batches(map(_batch, _chunks(plans)), _SCHEMA))

    @classmethod
    def chained(cls, parts: Iterable[Plans]) -> Plans:
        """Return the plans of all parts, one part after the other; nothing is copied."""
        return cls(pa.concat_tables([pa.Table.from_batches([], _SCHEMA), *(part._table for part in parts)]))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> PairPlan: ...
    @overload
    def __getitem__(self, index: slice) -> Plans: ...
    def __getitem__(self, index: int | slice) -> PairPlan | Plans:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            assert step == 1, "plans are cut, not picked from"
            return Plans(self._table.slice(start, max(stop - start, 0)))
        position = range(len(self))[index]
        return next(iter(self[position : position + 1]))

    def __iter__(self) -> Iterator[PairPlan]:
        for batch in self._table.to_batches(max_chunksize=_CHUNK):
            keys, sources, groups = batch.columns
            files = [*map(_text, sources.flatten().to_pylist())]
            ends = itertools.accumulate(sources.value_lengths().to_pylist(), initial=0)
            for key, (start, end), group in zip(
                keys.to_pylist(), itertools.pairwise(ends), groups.to_pylist(), strict=True
            ):
                yield PairPlan(_text(key), tuple(files[start:end]), _text(group))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(PairPlan.__eq__, self, other))

    def __repr__(self) -> str:
        return f"Plans({len(self)})"

    def __reduce__(self) -> tuple[Callable[[Iterable[PairPlan]], Plans], tuple[list[PairPlan]]]:
        return Plans.of, (list(self),)  # a slice goes to its worker without the others' texts

    def groups(self) -> Iterator[str]:
        """Return the group of each plan, faster than by the plans."""
        for chunk in self._table["group"].chunks:
            for start in range(0, len(chunk), _CHUNK):
                yield from map(_text, chunk.slice(start, _CHUNK).to_pylist())

    def group_hashes(self, salt: str = "") -> npt.NDArray[np.uint64]:
        """Hash the group of each plan behind some salt, shape (N,).

        Of ten million groups two share a number once in 300,000 datasets; they are then one group.
        """
        texts = (f"{salt}{group}".encode() for group in self.groups())
        digests = (hashlib.blake2b(text, digest_size=16).digest() for text in texts)
        return np.fromiter((int.from_bytes(digest[:8]) for digest in digests), np.uint64, len(self))

    def where(self, wanted: npt.NDArray[np.bool_]) -> Plans:
        """Return some of the plans in their order, by a mask of shape (N,)."""
        return Plans(self._table.filter(array_of_bools(wanted)))

    def with_groups(self, groups: Iterable[str]) -> Plans:
        """Return the same plans in other groups."""
        column = pa.chunked_array([array_of_texts([*map(_bytes, part)], _TEXT) for part in _chunks(groups)], _TEXT)
        return Plans(self._table.set_column(2, _SCHEMA.field("group"), column))


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, _CHUNK)):
        yield chunk


def _batch(plans: Sequence[PairPlan]) -> pa.RecordBatch:
    arrays = [
        array_of_texts([_bytes(plan.key) for plan in plans], _TEXT),
        array_of_lists([[*map(_bytes, plan.sources)] for plan in plans], _TEXT),
        array_of_texts([_bytes(plan.group) for plan in plans], _TEXT),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
