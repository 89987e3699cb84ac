"""Where a model runs and in which precision: chosen by itself, and said in words."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from pix2pix_data.errors import UsageError
from pix2pix_model.recipe import DeviceName, PrecisionName

__all__ = ["Device", "choose_device"]

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_SPOKEN = {"float32": "float32", "bf16": "bf16 (losses in float32)", "fp16": "fp16 with a loss scaler"}


@dataclass(frozen=True, slots=True)
class Device:
    """A chosen device.

    Attributes
    ----------
    torch_device : torch.device
    precision : {"float32", "bf16", "fp16"}
        Of the convolutions; losses, weights and optimisers stay in float32.
    words : str
        Which device, which precision, and why.
    """

    torch_device: torch.device
    precision: str
    words: str

    @property
    def would_gain_by_bf16(self) -> bool:
        """Whether this is a CPU that could multiply in bf16, by AMX or AVX-512, and does not.

        A step at the paper's size takes two fifths to half of the time by AMX, and two thirds by AVX-512.
        """
        if self.torch_device.type != "cpu" or self.precision != "float32":
            return False
        capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions lack it
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which networks run in the chosen precision."""
        dtype = _DTYPES.get(self.precision, torch.float32)
        return torch.autocast(self.torch_device.type, dtype=dtype, enabled=self.precision != "float32")


def choose_device(device: DeviceName = "auto", precision: PrecisionName = "auto") -> Device:
    """Choose a device and a precision, or check those asked for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"}
        "auto" takes a CUDA GPU, else Apple's MPS, else the CPU.
    precision : {"auto", "float32", "bf16", "fp16"}
        "auto" takes bf16 on a GPU that has it, fp16 on an older one, float32 elsewhere.

    Raises
    ------
    UsageError
        If what was asked for is not there.
    """
    kind, reason = _choose_kind(device)
    chosen = _choose_precision(kind, precision)
    names = {"cpu": f"the CPU ({torch.get_num_threads()} threads)", "mps": "the Apple GPU (MPS)"}
    name = torch.cuda.get_device_name() if kind == "cuda" else names[kind]
    return Device(torch.device(kind), chosen, f"{name} in {_SPOKEN[chosen]}, {reason}")


def _choose_kind(device: DeviceName) -> tuple[str, str]:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        kind = next(kind for kind, is_there in there.items() if is_there)
        return kind, "as no GPU was found" if kind == "cpu" else "the fastest device found"
    if not there[device]:
        found = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise UsageError(f"there is no {device} device here", where="train.device", fix=f'use "auto"; found: {found}')
    return device, "as asked for"


def _choose_precision(kind: str, precision: PrecisionName) -> str:
    if precision == "auto":
        if kind != "cuda":
            return "float32"  # CPUs without bf16 units are 4 to 6 times slower in it, and MPS autocast is uneven
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if precision == "fp16" and kind == "cpu":
        raise UsageError("fp16 needs a GPU", where="train.precision", fix='use "auto" or "float32"')
    return precision
