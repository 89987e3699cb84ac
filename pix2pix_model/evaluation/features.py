"""Networks that see what pictures have in common: the features that distances between sets of pictures are told in."""

from __future__ import annotations

import hashlib
import importlib.util
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_data.errors import CheckpointError, UsageError
from pix2pix_model.evaluation.distances import check_torchmetrics
from pix2pix_model.evaluation.onnx_network import InputRange, OnnxNetwork, find_onnx

__all__ = ["FeatureNetwork", "load_features"]


class FeatureNetwork(Protocol):
    """A network that turns pictures into vectors.

    Attributes
    ----------
    name : str
        What its features are called in every table.
    is_inception : bool
        True for the one network on whose features the distances are called FID and KID.
    """

    name: str
    is_inception: bool

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return the features of pixels, uint8 (N, H, W, 3), as float32 (N, features) on the CPU."""


def load_features(name: str, *, device: torch.device, input_range: InputRange = "imagenet") -> FeatureNetwork:
    """Load the feature network of a name.

    Parameters
    ----------
    name : str
        "lite0" (a package carries its weights), "inception" (torchmetrics fetches its weights once), an ONNX file, or
        hub:OWNER/NAME/FILE.onnx.
    device : torch.device
        Where it runs; ONNX files run on the CPU.
    input_range : {"imagenet", "unit", "signed", "bytes"}
        What an ONNX file takes pixels as.

    Raises
    ------
    MissingExtraError, UsageError, CheckpointError, HubError
        If a package is missing, or the file cannot be had or used.
    """
    if name == "lite0":
        return _Lite0(device)
    if name == "inception":
        return _Inception(device)
    return _OnnxFeatures(name, input_range)


class _Lite0:
    name, is_inception = "EfficientNet-Lite0", False

    def __init__(self, device: torch.device) -> None:
        from pix2pix_model.evaluation.lite0 import load_lite0

        self._network, self._device = load_lite0().to(device), device

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        photos = pixels.to(self._device).permute(0, 3, 1, 2).float()
        size_px = self._network.size_px
        if photos.shape[2:] != (size_px, size_px):
            photos = F.interpolate(photos, (size_px, size_px), mode="bilinear", antialias=True)
        features: Tensor = self._network((photos - 127) / 128)
        return features.float().cpu()


class _Inception:
    name, is_inception = "Inception v3 (FID's own)", True

    def __init__(self, device: torch.device) -> None:
        # torch-fidelity without torchvision would break the import of torchmetrics itself.
        check_torchmetrics()
        missing = [one for one in ("torchvision", "torch_fidelity") if importlib.util.find_spec(one) is None]
        if missing:
            fix = "pip install both, with the torchvision that goes with your torch; or leave --features at lite0"
            raise UsageError(f"Inception needs {' and '.join(missing)}", where="--features inception", fix=fix)
        from torchmetrics.image.fid import NoTrainInceptionV3

        self._network = NoTrainInceptionV3("inception-v3-compat", ["2048"]).to(device)
        self._device = device

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        features: Tensor = self._network(pixels.to(self._device).permute(0, 3, 1, 2).contiguous())
        return features.float().cpu()


class _OnnxFeatures:
    is_inception = False

    def __init__(self, name: str, input_range: InputRange) -> None:
        path = find_onnx(name)
        self._network = OnnxNetwork(path, input_range)
        self.name = f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"

    def __call__(self, pixels: Tensor) -> Tensor:
        features = torch.from_numpy(self._network(pixels)).float()
        if features.ndim == 4:
            features = features.mean((2, 3))  # maps of features
        if features.ndim != 2:
            shape = tuple(features.shape)
            raise CheckpointError(
                f"this network gives no vectors but {shape}",
                where=self._network.path,
                fix="export the network up to the layer before its classes",
            )
        return features
