"""Files of weights that others made: PyTorch's and safetensors, read without running anything that is in them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pix2pix_data.errors import CheckpointError, FormatError

__all__ = ["read_head", "read_tensor_file"]

_HEAD_BYTES = 64


def read_head(path: Path, *, max_bytes: int, fix: str) -> bytes:
    """Return the first bytes of a file, which tell its kind.

    Raises
    ------
    CheckpointError
        If it cannot be opened.
    FormatError
        If it has more than `max_bytes`.
    """
    try:
        num_bytes = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(f"the weights cannot be read: {error.strerror}", where=path, fix=fix) from error
    if num_bytes > max_bytes:
        raise FormatError(f"this is too large to be such weights ({num_bytes:,} bytes)", where=path, fix=fix)
    return head


def read_tensor_file(path: Path, *, max_bytes: int, fix: str) -> dict[str, Tensor]:
    """Read a table of tensors: a state_dict that `torch.save` wrote, in its new or its old format, or safetensors.

    Parameters
    ----------
    path : Path
        Told apart by content, whatever its name.
    max_bytes : int
        A larger file is refused before it is read.
    fix : str
        What the errors advise, such as which files would do.

    Returns
    -------
    dict of str to Tensor
        On the CPU, in the types of the file. All together they are no larger than the file.

    Raises
    ------
    CheckpointError
        If the file cannot be opened, or holds code or objects; none of it is run.
    FormatError
        If it is cut, damaged, or no file of weights.
    """
    head = read_head(path, max_bytes=max_bytes, fix=fix)
    if head.startswith((b"PK", b"\x80")):
        tensors = _read_pytorch(path, fix)
    elif head[8:9] == b"{":
        tensors = _read_safetensors(path)
    else:
        raise FormatError(f"this is {_kind_of(head)}", where=path, fix=f"download it again, or {fix}")
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) > path.stat().st_size:
        # A view may repeat one number for ever: a small file would fill the memory of whoever copies its tensors.
        raise FormatError("this file claims more weights than it has", where=path, fix="do not trust it")
    return tensors


def _kind_of(head: bytes) -> str:
    kinds = {
        b"<": "a web page",
        b"version https://git-lfs": "a Git LFS pointer, not the file itself",
        b"\x1f\x8b": "gzip",
        b"\x04\x00\x00\x00": "a file of Torch 7, which only that can read",
    }
    if not head:
        return "an empty file"
    return next((kind for start, kind in kinds.items() if head.lstrip().startswith(start)), "no file of weights")


def _read_pytorch(path: Path, fix: str) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        if "GLOBAL" in str(error) or "weights_only" in str(error):
            what = "this file holds code or objects, not only weights; nothing of it was run"
            raise CheckpointError(what, where=path, fix=f"do not trust it; {fix}") from error
        raise FormatError("this PyTorch file is cut or damaged", where=path, fix="download it again") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(map(_is_plain, content.values())):
        raise CheckpointError("this PyTorch file holds no table of weights", where=path, fix=fix)
    return {str(name): value for name, value in content.items()}


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        fix = "download it again"
        raise FormatError(f"this safetensors file is cut or damaged: {error}", where=path, fix=fix) from error
    return tensors
