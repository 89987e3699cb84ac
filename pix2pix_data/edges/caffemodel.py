"""A reader of .caffemodel files: the arrays of each layer, and nothing else.

Such a file is one protobuf message. Of its wire format (protobuf.dev/programming-guides/encoding) and of caffe.proto
(BVLC Caffe 1.0) this knows just what leads to the learned arrays. Nothing in a file can make it do more than read:
every length is held against what is left of the file, and the depth is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from pix2pix_data.errors import FormatError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["read_caffemodel"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10

# Field numbers of caffe.proto. A net has its layers in one of two forms: (field of the net, (name, blobs) within).
_LAYER_FORMS: Final = {100: (1, 7), 2: (4, 6)}
_LEGACY_DIMS: Final = (1, 2, 3, 4)  # num, channels, height, width; before blobs had a shape
_DATA, _SHAPE, _DOUBLE_DATA = 5, 7, 8
_SHAPE_DIM = 1
_MAX_DIMS = 8

_Field = tuple[int, int, int | memoryview]
"""Field number, wire type, and a varint's value or the bytes."""


class _Damaged(ValueError):
    """Says what is wrong in the bytes; the file is known further up."""


def read_caffemodel(path: Path) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Read the learned arrays of a Caffe net.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of list of ndarray, float32
        By layer name, the layer's blobs in order (weight, then bias), of the shapes in the file; layers without any
        are left out.

    Raises
    ------
    FormatError
        If the file is cut, damaged, or no caffemodel.
    """
    layers: dict[str, list[npt.NDArray[np.float32]]] = {}
    try:
        for number, kind, value in _fields(memoryview(path.read_bytes())):
            if number in _LAYER_FORMS and kind == _BYTES and isinstance(value, memoryview):
                name, blobs = _layer(value, *_LAYER_FORMS[number])
                if blobs:
                    layers[name] = blobs
    except _Damaged as error:
        raise FormatError(
            f"this caffemodel is cut or damaged ({error})", where=path, fix="download it again"
        ) from error
    return layers


def _layer(message: memoryview, name_field: int, blobs_field: int) -> tuple[str, list[npt.NDArray[np.float32]]]:
    name, blobs = "", []
    for number, _, value in _fields(message):
        if isinstance(value, memoryview) and number == name_field:
            name = bytes(value[:200]).decode("utf-8", "replace")
        elif isinstance(value, memoryview) and number == blobs_field:
            blobs.append(_blob(value))
    return name, blobs


def _blob(message: memoryview) -> npt.NDArray[np.float32]:
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    parts: list[npt.NDArray[np.float32]] = []
    for number, kind, value in _fields(message, run_of=_DATA):
        if number in _LEGACY_DIMS and isinstance(value, int):
            legacy[number] = value
        elif number == _SHAPE and isinstance(value, memoryview):
            shape = list(_dims(value))
        elif number in (_DATA, _DOUBLE_DATA) and isinstance(value, memoryview):
            parts.append(_floats(value, "<f4" if number == _DATA else "<f8", kind))
    values = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    dims = shape if shape is not None else [legacy.get(number, 0) for number in _LEGACY_DIMS]
    if len(dims) > _MAX_DIMS or math.prod(dims) != values.size:  # exact integers: no overflow
        raise _Damaged(f"{values.size} numbers for an array of shape {tuple(dims[:_MAX_DIMS])}")
    return values.reshape(dims)


def _floats(value: memoryview, form: str, kind: int) -> npt.NDArray[np.float32]:
    if kind == _BYTES and len(value) % np.dtype(form).itemsize:
        raise _Damaged("a list of numbers ends within a number")
    return np.frombuffer(value, form).astype(np.float32)


def _dims(message: memoryview) -> Iterator[int]:
    for number, _, value in _fields(message):
        if number != _SHAPE_DIM:
            continue
        if isinstance(value, int):
            yield value
            continue
        position = 0
        while position < len(value):
            dim, position = _varint(value, position)
            yield dim


def _fields(message: memoryview, *, run_of: int | None = None) -> Iterator[_Field]:
    """Walk through the fields of a message; unpacked floats of field `run_of` come as one field."""
    position = 0
    while position < len(message):
        tag, start = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise _Damaged("a field without a number")
        if kind == _VARINT:
            number_value, position = _varint(message, start)
            yield number, kind, number_value
            continue
        if kind == _FIXED32 and number == run_of and start == position + 1:
            run = _run(message, position)
            if len(run):
                position += 5 * len(run)
                yield number, kind, memoryview(run[:, 1:].tobytes())
                continue
        if kind == _BYTES:
            length, start = _varint(message, start)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise _Damaged(f"a field of unknown kind {kind}")
        position = start + length
        if position > len(message):
            raise _Damaged("a field is longer than what is left of it")
        yield number, kind, message[start:position]


def _run(message: memoryview, position: int) -> npt.NDArray[np.uint8]:
    """View the records that begin with the byte at `position`, each of it and a float; unpacked lists are long."""
    num_records = (len(message) - position) // 5
    records = np.frombuffer(message, np.uint8, 5 * num_records, position).reshape(-1, 5)
    others = np.flatnonzero(records[:, 0] != message[position])
    return records[: others[0]] if len(others) else records


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read a varint; return it and where the next thing begins."""
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if position + index >= len(message):
            raise _Damaged("it ends within a number")
        byte = message[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise _Damaged("a number of more than ten bytes")
