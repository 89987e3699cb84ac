"""Programs of torch.export as ONNX, with facts inside, and with nothing of the machine that wrote them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from pix2pix_data.errors import MissingExtraError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["to_onnx"]


def to_onnx(
    program: Callable[[], torch.export.ExportedProgram], *, takes: str, gives: str, facts: Mapping[str, str]
) -> bytes:
    """Write a program of one input and one output as ONNX.

    Parameters
    ----------
    program : callable
        Traces it; not called where it cannot be written.
    takes, gives : str
        Names of the input and the output.
    facts : mapping of str to str
        Kept in the file.

    Returns
    -------
    bytes
        The content of the file.

    Raises
    ------
    MissingExtraError
        If onnx or onnxscript is missing.
    """
    try:
        import onnxscript  # noqa: F401 - the exporter stands on it, and tells its absence by a traceback
        from onnx.helper import set_model_props
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    with _quiet_exporter():
        written = torch.onnx.export(
            program(), (), input_names=[takes], output_names=[gives], dynamo=True, verbose=False
        )
    assert written is not None
    proto = _without_traces(written.model_proto)
    set_model_props(proto, dict(facts))
    content: bytes = proto.SerializeToString()
    return content


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep to ourselves what torch's exporter says of its own insides, such as that torchvision is not there."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _without_traces(proto: ModelProto) -> ModelProto:
    """Drop what the exporter tells of the program that it traced: names of this machine's files among them."""
    graph = proto.graph
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        del value.metadata_props[:]
    del graph.value_info[:], graph.metadata_props[:], proto.metadata_props[:]
    return proto
