"""Weight files of HED that must be refused: cut, damaged, of something else, or with code in them."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pix2pix_data.edges.caffemodel import read_caffemodel
from pix2pix_data.edges.hed_weights import load_state
from pix2pix_data.errors import CheckpointError, FormatError

sys.path.insert(0, str(Path(__file__).parent))
from hed_files import (
    LAYOUTS,
    caffe_bytes,
    controlnet_tensors,
    message,
    varint,
    write_weights,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So small a network spends its time on waking threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cut_file_is_refused(tmp_path, layout, share):
    path = write_weights(tmp_path, layout)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises((FormatError, CheckpointError), match=path.name):
        load_state(path)


class Intruder:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "whole"])
def test_code_in_a_file_is_refused_and_never_run(tmp_path, form):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    content = controlnet_tensors() | {"norm": Intruder(trace)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(Intruder(trace)))
    elif form == "whole":
        torch.save(Intruder(trace), path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises((CheckpointError, FormatError)) as caught:
        load_state(path)
    assert not trace.exists()
    assert form == "pickle" or "nothing of it was run" in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg.pth")
    with pytest.raises(CheckpointError, match="begin with features"):
        load_state(tmp_path / "vgg.pth")


def test_missing_further_misshapen_and_infinite_weights_are_named(tmp_path):
    good = controlnet_tensors()
    faults = {
        "lack block3.convs.1.bias": {name: value for name, value in good.items() if name != "block3.convs.1.bias"},
        "have block6.convs.0.bias": good | {"block6.convs.0.bias": torch.zeros(1)},
        r"blocks.1.0.weight has shape \(5, 3, 3, 3\)": good | {"block2.convs.0.weight": torch.zeros(5, 3, 3, 3)},
        "blocks.0.0.bias is not finite": good | {"block1.convs.0.bias": torch.full((4,), torch.nan)},
    }
    for told, tensors in faults.items():
        torch.save(tensors, tmp_path / "faulty.pth")
        with pytest.raises((CheckpointError, FormatError), match=told):
            load_state(tmp_path / "faulty.pth")


@pytest.mark.parametrize(("content", "kind"), [(b"<!doctype html>", "a web page"), (b"", "an empty file")])
def test_what_is_no_weight_file_is_named(tmp_path, content, kind):
    (tmp_path / "hed.pth").write_bytes(content)
    with pytest.raises(FormatError, match=kind):
        load_state(tmp_path / "hed.pth")


def test_damaged_caffemodel_never_raises_anything_else(tmp_path):
    content, random = caffe_bytes(), np.random.default_rng(0)
    path = tmp_path / "damaged.caffemodel"
    for _ in range(150):
        damaged = bytearray(content[: 2000 + int(random.integers(3000))])
        for position in random.integers(0, len(damaged), 20):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(FormatError):
            read_caffemodel(path)


def test_shape_that_promises_more_than_there_is_takes_no_memory(tmp_path):
    blob = message(7, message(1, varint(2**40) + varint(2**40))) + message(5, b"\0" * 8)
    (tmp_path / "huge").write_bytes(message(100, message(1, b"conv1_1") + message(7, blob)))
    with pytest.raises(FormatError, match="2 numbers for an array"):
        read_caffemodel(tmp_path / "huge")
