"""Arrow arrays from what Python and numpy hold, made of their buffers.

`pyarrow.array` does the same for anything, but asks pandas whether it knows it: where pandas is installed that takes
0.4 s and 46 MiB of each process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["array_of_bools", "array_of_lists", "array_of_texts"]


def array_of_texts(contents: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Make an array of `pa.binary()`, `pa.string()` or one of their large kinds, without nulls.

    Raises
    ------
    OverflowError
        If they have 2 GiB or more together, and the kind is not a large one.
    """
    is_large = kind in (pa.large_binary(), pa.large_string())
    ends = _ends(map(len, contents), len(contents), np.int64 if is_large else np.int32)
    return pa.Array.from_buffers(kind, len(contents), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(contents))])


def array_of_lists(lists: Sequence[Sequence[bytes]], kind: pa.DataType) -> pa.Array:
    """Make an array of lists of texts, each of the `kind` of `array_of_texts`."""
    ends = _ends(map(len, lists), len(lists), np.int32)
    texts = array_of_texts([text for texts in lists for text in texts], kind)
    return pa.Array.from_buffers(pa.list_(kind), len(lists), [None, pa.py_buffer(ends)], children=[texts])


def array_of_bools(mask: npt.NDArray[np.bool_]) -> pa.Array:
    """Make an array of `pa.bool_()` from a mask of shape (N,)."""
    bits = np.packbits(mask, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(mask), [None, pa.py_buffer(bits)])


def _ends(lengths: Iterable[int], num: int, dtype: type[np.int32 | np.int64]) -> npt.NDArray[np.int32 | np.int64]:
    """Return where each part ends, behind a 0."""
    ends = np.zeros(num + 1, np.int64)
    np.cumsum(np.fromiter(lengths, np.int64, num), out=ends[1:])
    if ends[-1] > np.iinfo(dtype).max:
        raise OverflowError(f"{ends[-1]:,} is more than offsets of {dtype.__name__} can say")
    return ends.astype(dtype)
