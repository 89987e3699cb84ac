"""Networks of others, as ONNX files: data that onnxruntime runs on the CPU, never code of the file's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_data.errors import CheckpointError, HubError, UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["InputRange", "OnnxNetwork", "find_onnx"]

InputRange: TypeAlias = Literal["imagenet", "unit", "signed", "bytes"]
"""What a network takes pixels as: ImageNet's mean and deviation removed, [0, 1], [-1, 1], or [0, 255]."""

_MEANS_AND_SPREADS: dict[InputRange, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),  # of torchvision's and most others' networks
    "unit": ((0.0,) * 3, (255.0,) * 3),
    "signed": ((127.5,) * 3, (127.5,) * 3),
    "bytes": ((0.0,) * 3, (1.0,) * 3),
}
_ON_HUB = "hub:"


def find_onnx(name: str) -> Path:
    """Find an ONNX file: a path, or hub:OWNER/NAME/FILE, which the Hugging Face hub's own cache keeps.

    Raises
    ------
    UsageError
        If there is no such file, or the name is another kind of file.
    HubError
        If the hub cannot be reached, or has no such file.
    """
    if not name.endswith(".onnx"):
        fix = "export the network to ONNX: files of Python objects (.pt, .pth, .pkl) may hold code, and are not loaded"
        raise UsageError("a network is given as an ONNX file", where=name, fix=fix)
    if not name.startswith(_ON_HUB):
        if not Path(name).is_file():
            raise UsageError("there is no such file", where=name, fix="give a path, or hub:OWNER/NAME/FILE.onnx")
        return Path(name)
    owner, _, rest = name.removeprefix(_ON_HUB).partition("/")
    repository, _, file = rest.partition("/")
    if not owner or not repository or not file:
        raise UsageError("this names no file on the hub", where=name, fix="write hub:OWNER/NAME/FILE.onnx")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(f"{owner}/{repository}", file))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        fix = "check the name and the network, or download the file and give its path"
        raise HubError(f"the network cannot be fetched: {reason}", where=name, fix=fix) from error


class OnnxNetwork:
    """A network that takes pictures (N, 3, H, W), RGB, float32; its first output is what it gives.

    Parameters
    ----------
    path : Path
    input_range : {"imagenet", "unit", "signed", "bytes"}

    Raises
    ------
    CheckpointError
        If the file cannot be run, or takes something else.
    """

    def __init__(self, path: Path, input_range: InputRange) -> None:
        import onnxruntime

        self.path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class for each of its reasons
            reason = str(error).strip().partition("\n")[0]
            raise CheckpointError(
                f"this is no network that onnxruntime runs: {reason}", where=path, fix="export it to ONNX anew"
            ) from error
        takes = self._session.get_inputs()
        shape = takes[0].shape if len(takes) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or takes[0].type != "tensor(float)":
            told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in takes)
            fix = "export it so that it takes one float32 input (N, 3, H, W)"
            raise CheckpointError(f"this network takes other input: {told}", where=path, fix=fix)
        self._name = takes[0].name
        self._one_by_one = shape[0] == 1
        height, width = shape[2:]
        self.size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
        """Height and width that it takes; None where it takes any."""
        self._means, self._spreads = (torch.tensor(part).view(1, 3, 1, 1) for part in _MEANS_AND_SPREADS[input_range])

    def __call__(self, pixels: Tensor, size: tuple[int, int] | None = None) -> npt.NDArray[np.float32]:
        """Run it on pixels, uint8 (N, H, W, 3), brought to the size that it takes, or to `size` where it takes any."""
        given = pixels.permute(0, 3, 1, 2).float().cpu()
        wanted = self.size or size or tuple(given.shape[2:])
        if tuple(given.shape[2:]) != wanted:
            given = F.interpolate(given, wanted, mode="bilinear", antialias=True)
        given = (given - self._means) / self._spreads
        parts = torch.split(given, 1) if self._one_by_one else (given,)
        try:
            outputs = [self._session.run(None, {self._name: part.numpy()})[0] for part in parts]
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            told = f"the network does not take pictures of {wanted[1]}x{wanted[0]}: {reason}"
            raise CheckpointError(
                told, where=self.path, fix="export it with free height and width, or evaluate at its --size"
            ) from error
        return torch.cat([torch.as_tensor(output) for output in outputs]).numpy()
