from __future__ import annotations

import pytest
import torch

from pix2pix_data.errors import UsageError
from pix2pix_model.device import choose_device

NO_GPU = pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has a GPU"
)


def test_the_cpu_runs_in_float32_and_says_why():
    device = choose_device("cpu")
    assert (device.torch_device.type, device.precision) == ("cpu", "float32")
    assert "CPU" in device.words
    assert "as asked for" in device.words


@pytest.mark.parametrize(
    ("precision", "has_unit", "expected"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("bf16", True, False),
    ],
)
@pytest.mark.parametrize("unit", ["amx_bf16", "avx512_bf16"])
def test_a_cpu_that_multiplies_in_bf16_is_known(monkeypatch, precision, unit, has_unit, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {unit: has_unit})
    assert choose_device("cpu", precision).would_gain_by_bf16 is expected


def test_a_torch_that_cannot_tell_is_taken_as_one_that_does_not(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not choose_device("cpu").would_gain_by_bf16


@NO_GPU
def test_without_a_gpu_the_cpu_is_chosen():
    assert "no GPU was found" in choose_device().words


@NO_GPU
def test_a_missing_device_is_an_error_that_names_the_setting():
    with pytest.raises(UsageError, match=r"train\.device.*found: cpu"):
        choose_device("cuda")


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(UsageError, match=r"train\.precision"):
        choose_device("cpu", "fp16")


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "fp16")])
def test_cuda_takes_bf16_where_it_is_there(monkeypatch, has_bf16, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)
    assert choose_device().precision == expected
