"""Distances that need torchmetrics: between the features of two sets of pictures, and LPIPS between two pictures."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pix2pix_data.errors import MissingExtraError, UsageError

__all__ = [
    "FEW_PICTURES",
    "LPIPS_SMALLEST_PX",
    "Lpips",
    "SetDistance",
    "check_torchmetrics",
    "set_distance",
    "small_sample_warning",
]

FEW_PICTURES = 2048
"""Below this many pictures the covariance of Inception's 2048 features is singular, and the distance far too large."""

LPIPS_SMALLEST_PX = 31
"""Shortest side that AlexNet's layers leave a pixel of."""

_KID_SUBSETS, _KID_SUBSET = 100, 1000  # Binkowski et al. 2018, arXiv:1801.01401, section 4; torchmetrics' defaults


@dataclass(frozen=True, slots=True)
class SetDistance:
    """How far two sets of pictures are apart.

    Attributes
    ----------
    frechet : float
        The Frechet distance of two normal distributions with the features' means and covariances: FID on Inception.
    kernel, kernel_spread : float
        The squared maximum mean discrepancy with a cubic kernel, without bias: KID on Inception. Its mean and standard
        deviation over subsets.
    num_made, num_real : int
        Pictures in the sets.
    subset : int
        Pictures in each subset.
    """

    frechet: float
    kernel: float
    kernel_spread: float
    num_made: int
    num_real: int
    subset: int


def check_torchmetrics() -> None:
    """Raise MissingExtraError if torchmetrics is not installed."""
    if importlib.util.find_spec("torchmetrics") is None:
        raise MissingExtraError("torchmetrics", "evaluate")


def set_distance(made: Tensor, real: Tensor, *, seed: int = 0) -> SetDistance:
    """Measure the distance between two sets of features by torchmetrics' FID and KID.

    Parameters
    ----------
    made, real : Tensor of shape (N, features) and (M, features), float32
        Two rows each, or more.
    seed : int
        Of the subsets of KID: 100 of 1000 rows, or of half of the smaller set where that has fewer than 2000.

    Raises
    ------
    UsageError
        If there are fewer than two rows.
    """
    check_torchmetrics()
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    fewest = min(len(made), len(real))
    if fewest < 2:
        raise UsageError(
            "a distance between sets of pictures needs two pictures in each",
            fix="evaluate more pairs, or give --features none",
        )
    subset = min(_KID_SUBSET, max(2, fewest // 2))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message=".*will save all extracted features")  # they are here already
        torch.manual_seed(seed)
        features = _AsTheyAre(made.shape[1])
        metrics: list[Any] = [
            FrechetInceptionDistance(features),
            KernelInceptionDistance(features, _KID_SUBSETS, subset),
        ]
        for metric in metrics:
            metric.update(real, real=True)
            metric.update(made, real=False)
        frechet, (kernel, spread) = (metric.compute() for metric in metrics)
    return SetDistance(float(frechet), float(kernel), float(spread), len(made), len(real), subset)


class _AsTheyAre(nn.Module):
    """Stands where torchmetrics wants a network: the features are computed once, for both distances."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def small_sample_warning(distance: SetDistance) -> str:
    """Say on how many pictures the distance stands, and what that means."""
    counts = f"{distance.num_made} made, {distance.num_real} real pictures"
    fewest = min(distance.num_made, distance.num_real)
    if fewest >= FEW_PICTURES:
        return counts
    return f"{counts}: so few make it larger than it is and noisy; compare it with the same count alone"


class Lpips:
    """The learned perceptual distance between pictures: torchmetrics' LPIPS on AlexNet.

    Raises
    ------
    MissingExtraError, UsageError
        If torchmetrics, or torchvision, which has AlexNet and fetches its weights once, is not installed.

    References
    ----------
    Zhang, Isola, Efros, Shechtman and Wang 2018, arXiv:1801.03924.
    """

    def __init__(self, device: torch.device) -> None:
        check_torchmetrics()
        if importlib.util.find_spec("torchvision") is None:
            fix = "pip install the torchvision that goes with your torch, or leave out --lpips"
            raise UsageError("LPIPS needs torchvision, which has AlexNet", where="--lpips", fix=fix)
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        metric: Any = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
        self._network, self._device = metric.net.to(device), device

    @torch.inference_mode()
    def __call__(self, made: Tensor, real: Tensor) -> Tensor:
        """Return the distance of each picture, (N,), of pixels uint8 (N, H, W, 3); 0 for the same picture."""
        first, second = (one.to(self._device).permute(0, 3, 1, 2).float() / 255 for one in (made, real))
        distances: Tensor = self._network(first, second, normalize=True)
        return distances.flatten().float().cpu()
