"""The weights of HED: where they are found, and how three public layouts become one.

- ControlNetHED.pth (Apache-2.0; lllyasviel/Annotators on the Hugging Face hub): `norm`, `block1.convs.0.weight`, ...;
  RGB, and the edge is the sigmoid of the mean of the five sides.
- network-bsds500.pytorch of sniklaus/pytorch-hed: `netVggOne.0.weight`, ... (`moduleVggOne` in older files); BGR.
- hed_pretrained_bsds.caffemodel of s9xie/hed: layers `conv1_1`, ..., `score-dsn1`, ..., `new-score-weighting`; BGR.

Only numbers are read: no file can run code.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from pix2pix_data.cache_folder import cache_folder
from pix2pix_data.edges.caffemodel import read_caffemodel
from pix2pix_data.errors import CheckpointError, FormatError
from pix2pix_data.tensor_files import read_head, read_tensor_file

__all__ = ["NUM_CONVS", "find_weights", "load_state", "widths_of"]

NUM_CONVS = (2, 2, 3, 3, 3)
"""3x3 convolutions in each block of VGG16."""

_REPO, _FILE = "lllyasviel/Annotators", "ControlNetHED.pth"
_LICENCE = "Apache-2.0"
_KNOWN_FILES = (_FILE, "network-bsds500.pytorch", "hed_pretrained_bsds.caffemodel")
_TIMEOUT_S = 10
_MAX_BYTES = 2**30  # the largest layout has 56 MiB

_BGR_MEANS = (104.00698793, 116.66876762, 122.67891434)  # of ImageNet, as HED was trained
_NUMERALS = ("One", "Two", "Thr", "Fou", "Fiv")
_FIX = f"give --weights one of {', '.join(_KNOWN_FILES)}"


# --- where they are ---------------------------------------------------------------------------------------------


def find_weights() -> Path:
    """Return the weights in the cache; the first time, fetch them from the hub.

    A download counts as whole when it has the SHA-256 that the hub states for it, and loads.

    Raises
    ------
    CheckpointError
        If there are none, and the hub cannot be reached or gives something else.
    """
    folder = cache_folder()
    for name in _KNOWN_FILES:
        if (folder / name).is_file():
            return folder / name
    return _fetch(folder)


def _fetch(folder: Path) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    from pix2pix_data.console import say

    say(f"hed: fetching {_FILE} once, from huggingface.co/{_REPO} (licence: {_LICENCE}), into {folder}")
    try:
        # Asked first, since it fails at once without a network; the download itself tries again for half a minute.
        stated = get_hf_file_metadata(hf_hub_url(_REPO, _FILE), timeout=_TIMEOUT_S).etag or ""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="fetching-") as fresh:
            fetched = Path(hf_hub_download(_REPO, _FILE, local_dir=fresh, etag_timeout=_TIMEOUT_S))
            _check_digest(fetched, stated)
            load_state(fetched)
            return fetched.replace(folder / _FILE)
    except (CheckpointError, FormatError) as error:
        what = f"what the hub gave is not {_FILE} ({error.what})"
        raise CheckpointError(what, where=folder / _FILE, fix=_by_hand(folder)) from error
    except Exception as error:  # those of the hub, of its HTTP library, and of the disk
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        what = f"there are no HED weights yet, and they cannot be fetched ({reason})"
        raise CheckpointError(what, where=folder / _FILE, fix=_by_hand(folder)) from error


def _check_digest(path: Path, stated: str) -> None:
    """Hold a file against its entity tag, which is the SHA-256 of a large file on the hub."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if len(stated) == len(digest) and stated != digest:
        raise FormatError(
            "its checksum is not the one that the hub states", where=path, fix="remove the file, and fetch it again"
        )


def _by_hand(folder: Path) -> str:
    url = f"https://huggingface.co/{_REPO}/resolve/main/{_FILE}"
    return f"download {url} and put it at {folder / _FILE}, or anywhere and name it with --weights"


# --- from a file to tensors -------------------------------------------------------------------------------------


def load_state(path: Path) -> dict[str, Tensor]:
    """Read the weights of HED from any of the three layouts.

    Parameters
    ----------
    path : Path
        A PyTorch file, a safetensors file of the same names, or a caffemodel; told apart by content.

    Returns
    -------
    dict of str to Tensor, float32
        The state of `pix2pix_data.edges.hed.HED`: `offset`, `blocks.0.0.weight`, ..., `sides.0.weight`, ...,
        `fuse.weight`; for an RGB photo in 0..255.

    Raises
    ------
    FormatError
        If the file is cut, damaged, or no file of weights.
    CheckpointError
        If it holds code, or the weights of something else.
    """
    tensors = _read(path)
    state = _canonical(tensors, path)
    _check(state, path)
    return state


def widths_of(state: Mapping[str, Tensor]) -> list[int]:
    """Return the channels of the five blocks."""
    return [len(state[f"blocks.{block}.0.bias"]) for block in range(len(NUM_CONVS))]


def _read(path: Path) -> dict[str, Tensor]:
    head = read_head(path, max_bytes=_MAX_BYTES, fix=_FIX)
    if head.startswith((b"\n", b"\x12", b"\xa2\x06")):  # a Caffe net's name, or its first layer
        return _read_caffe(path)
    return read_tensor_file(path, max_bytes=_MAX_BYTES, fix=_FIX)


def _read_caffe(path: Path) -> dict[str, Tensor]:
    layers = {name: blobs for name, blobs in read_caffemodel(path).items() if not name.startswith("upsample")}
    tensors = {}
    for name, blobs in layers.items():
        for kind, blob in zip(("weight", "bias"), blobs, strict=False):
            tensors[f"{name}.{kind}"] = torch.from_numpy(blob)
    return tensors


# --- from a layout to the one that is used ----------------------------------------------------------------------


def _canonical(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    names = next((dict(names) for name, names in _layouts() if name in tensors), None)
    if names is None:
        shown = ", ".join(list(tensors)[:3]) or "nothing"
        raise CheckpointError(f"these are not the weights of HED (they begin with {shown})", where=path, fix=_FIX)
    _check_names(tensors, names, path)
    state = {ours: tensors[theirs].float() for ours, theirs in names.items()}
    for name in state:
        if name.endswith("bias"):
            state[name] = state[name].flatten()  # old Caffe files have (1, 1, 1, N)
    if "offset" in state:  # of ControlNet
        num_sides = len(NUM_CONVS)
        state["fuse.weight"] = torch.full((1, num_sides, 1, 1), 1 / num_sides)
        state["fuse.bias"] = torch.zeros(1)
        return state
    weight = state["blocks.0.0.weight"]
    state["blocks.0.0.weight"] = weight.flip(1) if weight.ndim == 4 else weight  # from BGR to RGB
    state["offset"] = torch.tensor(_BGR_MEANS[::-1]).view(1, 3, 1, 1)
    return state


def _layouts() -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    """Give, of each layout, a name that only it has, and its names by ours."""
    yield "norm", _controlnet_names()
    yield "conv1_1.weight", _caffe_names()
    for prefix in ("net", "module"):
        yield f"{prefix}VggOne.0.weight", _sniklaus_names(prefix)


def _check_names(tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path) -> None:
    for what, found in (("lack", set(names.values()) - set(tensors)), ("have", set(tensors) - set(names.values()))):
        if found:
            example = f"{min(found)}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
            unlike = "" if what == "lack" else ", which HED has not"
            raise CheckpointError(
                f"these are not the weights of HED: they {what} {example}{unlike}", where=path, fix=_FIX
            )


def _pairs(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    for kind in ("weight", "bias"):
        yield f"{ours}.{kind}", f"{theirs}.{kind}"


def _controlnet_names() -> Iterator[tuple[str, str]]:
    yield "offset", "norm"
    for b, num_convs in enumerate(NUM_CONVS):
        for c in range(num_convs):
            yield from _pairs(f"blocks.{b}.{c}", f"block{b + 1}.convs.{c}")
        yield from _pairs(f"sides.{b}", f"block{b + 1}.projection")


def _sniklaus_names(prefix: str) -> Iterator[tuple[str, str]]:
    for b, num_convs in enumerate(NUM_CONVS):
        for c in range(num_convs):
            # Each convolution is followed by a ReLU; all blocks but the first begin with a pooling.
            yield from _pairs(f"blocks.{b}.{c}", f"{prefix}Vgg{_NUMERALS[b]}.{2 * c + (b > 0)}")
        yield from _pairs(f"sides.{b}", f"{prefix}Score{_NUMERALS[b]}")
    yield from _pairs("fuse", f"{prefix}Combine.0")


def _caffe_names() -> Iterator[tuple[str, str]]:
    for b, num_convs in enumerate(NUM_CONVS):
        for c in range(num_convs):
            yield from _pairs(f"blocks.{b}.{c}", f"conv{b + 1}_{c + 1}")
        yield from _pairs(f"sides.{b}", f"score-dsn{b + 1}")
    yield from _pairs("fuse", "new-score-weighting")


def _check(state: Mapping[str, Tensor], path: Path) -> None:
    """Hold every shape against its neighbours', and the numbers against infinity."""
    inputs = 3
    expected: dict[str, tuple[int, ...]] = {"offset": (1, 3, 1, 1)}
    for b, width in enumerate(widths_of(state)):
        for c in range(NUM_CONVS[b]):
            expected |= {f"blocks.{b}.{c}.weight": (width, inputs, 3, 3), f"blocks.{b}.{c}.bias": (width,)}
            inputs = width
        expected |= {f"sides.{b}.weight": (1, width, 1, 1), f"sides.{b}.bias": (1,)}
    expected |= {"fuse.weight": (1, len(NUM_CONVS), 1, 1), "fuse.bias": (1,)}
    for name, shape in expected.items():
        found = tuple(state[name].shape)
        if found != shape:
            what = f"these are not the weights of HED: {name} has shape {found} instead of {shape}"
            raise CheckpointError(what, where=path, fix=_FIX)
        if not torch.isfinite(state[name]).all():
            raise FormatError(f"the weights are damaged: {name} is not finite", where=path, fix="download it again")
