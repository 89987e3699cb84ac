"""How far made pictures are from real ones, and how sharp they are: one number for each picture of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_data.errors import ImageError

__all__ = ["MS_SSIM_SMALLEST_PX", "SSIM_SMALLEST_PX", "l1", "ms_ssim", "psnr", "sharpness", "ssim"]

SSIM_SMALLEST_PX = 11
"""Side of the Gaussian window of SSIM (Wang et al. 2004, section III.B)."""

_SIGMA_PX = 1.5  # of that window
_K1, _K2 = 0.01, 0.03  # Wang et al. 2004, section III.C
_MS_WEIGHTS = (
    0.0448,
    0.2856,
    0.3001,
    0.2363,
    0.1333,
)  # of five scales, the finest first: Wang et al. 2003, section 3.2

MS_SSIM_SMALLEST_PX = SSIM_SMALLEST_PX * 2 ** (len(_MS_WEIGHTS) - 1)
"""Shortest side that MS-SSIM takes: 176 px, halved four times, are the 11 px of the window."""


def l1(made: Tensor, real: Tensor, *, data_range: float = 255) -> Tensor:
    """Return the mean absolute difference of each picture, as a part of the data range.

    The L1 loss of training is twice this, since networks see pixels in [-1, 1].

    Parameters
    ----------
    made, real : Tensor of shape (N, H, W, C)
        Pixels of any dtype.
    data_range : float
        Distance of white from black: 255 at 8 bits, 65535 at 16.

    Returns
    -------
    Tensor of shape (N,), float32
        In [0, 1]; 0 for the same picture.

    Raises
    ------
    ImageError
        If the two are no batches of one shape.
    """
    return _difference(made, real).abs().mean((1, 2, 3)) / data_range


def psnr(made: Tensor, real: Tensor, *, data_range: float = 255) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture in dB, infinite for the same picture.

    Equals `skimage.metrics.peak_signal_noise_ratio(real, made, data_range=data_range)`. Parameters and errors as `l1`.

    Returns
    -------
    Tensor of shape (N,), float32
    """
    return 10 * torch.log10(data_range**2 / _difference(made, real).square().mean((1, 2, 3)))


def ssim(made: Tensor, real: Tensor, *, data_range: float = 255) -> Tensor:
    """Return the structural similarity of each picture: the mean over channels, and over all whole windows.

    Equals `skimage.metrics.structural_similarity(made, real, channel_axis=-1, data_range=data_range,
    gaussian_weights=True, sigma=1.5, use_sample_covariance=False)` to 1e-4, the settings that scikit-image names for
    matching Wang et al. Its defaults are others: a flat window of 7 px. Parameters as `l1`.

    Returns
    -------
    Tensor of shape (N,), float32
        In [-1, 1]; 1 for the same picture.

    Raises
    ------
    ImageError
        If the two are no batches of one shape, or have a side under 11 px.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli 2004, Image quality assessment: from error visibility to structural similarity.
    """
    _check(made, real, smallest_px=SSIM_SMALLEST_PX)
    similarity, _ = _compared(_centred(made, data_range), _centred(real, data_range))
    return similarity


def ms_ssim(made: Tensor, real: Tensor, *, data_range: float = 255) -> Tensor:
    """Return the structural similarity of each picture over five scales.

    The mean over channels and whole windows is taken at each scale, and where it is negative it counts as none.
    (torchmetrics counts mirrored borders too at the coarsest scale, in which it is not alike.) Parameters as `l1`.

    Returns
    -------
    Tensor of shape (N,), float32
        In [0, 1]; 1 for the same picture.

    Raises
    ------
    ImageError
        If the two are no batches of one shape, or have a side under 176 px.

    References
    ----------
    Wang, Simoncelli and Bovik 2003, Multi-scale structural similarity for image quality assessment.
    """
    _check(made, real, smallest_px=MS_SSIM_SMALLEST_PX)
    first, second = _centred(made, data_range), _centred(real, data_range)
    factors = []
    for weight in _MS_WEIGHTS:
        similarity, contrast = _compared(first, second)
        factors.append(contrast.clamp(min=0) ** weight)
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    factors[-1] = similarity.clamp(min=0) ** _MS_WEIGHTS[-1]  # luminance counts at the coarsest scale alone
    return torch.stack(factors).prod(0)


def sharpness(pixels: Tensor, *, data_range: float = 255) -> Tensor:
    """Return the mean magnitude of the gradient of each picture, as a part of the data range.

    The gradient is that to the neighbours below and on the right, in each channel. What is blurred has less of it than
    the real picture, what is noisy more: near the real picture's is best.

    Parameters
    ----------
    pixels : Tensor of shape (N, H, W, C)
        Of any dtype; two pixels a side or more.
    data_range : float

    Returns
    -------
    Tensor of shape (N,), float32
    """
    _check(pixels, pixels, smallest_px=2)
    values = pixels.float()
    down = values[:, 1:, :-1] - values[:, :-1, :-1]  # (N, H - 1, W - 1, C)
    right = values[:, :-1, 1:] - values[:, :-1, :-1]
    return torch.hypot(down, right).mean((1, 2, 3)) / data_range


def _difference(made: Tensor, real: Tensor) -> Tensor:
    _check(made, real)
    return made.float() - real.float()


def _check(made: Tensor, real: Tensor, *, smallest_px: int = 1) -> None:
    if made.shape != real.shape or made.ndim != 4:
        shapes = f"{tuple(made.shape)} and {tuple(real.shape)}"
        raise ImageError("pictures are compared as two batches (N, H, W, C) of one shape", where=shapes)
    if min(made.shape[1:3]) < smallest_px:
        fix = f"compare pictures of {smallest_px} px and more"
        raise ImageError("pictures too small for this measure", where=f"{made.shape[2]}x{made.shape[1]}", fix=fix)


def _centred(pixels: Tensor, data_range: float) -> Tensor:
    """Turn pixels (N, H, W, C) into (N, C, H, W) in [-0.5, 0.5]: around 0, float32 holds small variances best."""
    return pixels.permute(0, 3, 1, 2).float() / data_range - 0.5


def _compared(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM, and its factor of contrast and structure, of each picture in [-0.5, 0.5]; both of shape (N,)."""
    parts = torch.cat([first, second, first**2, second**2, first * second])
    mean_1, mean_2, square_1, square_2, product = _windowed(parts).chunk(5)
    variance_1, variance_2, covariance = square_1 - mean_1**2, square_2 - mean_2**2, product - mean_1 * mean_2
    contrast = (2 * covariance + _K2**2) / (variance_1 + variance_2 + _K2**2)
    bright_1, bright_2 = mean_1 + 0.5, mean_2 + 0.5  # the luminance needs the true means
    luminance = (2 * bright_1 * bright_2 + _K1**2) / (bright_1**2 + bright_2**2 + _K1**2)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _windowed(pictures: Tensor) -> Tensor:
    """Return Gaussian means in all whole windows, (N, C, H - 10, W - 10)."""
    place_px = torch.arange(SSIM_SMALLEST_PX, device=pictures.device) - SSIM_SMALLEST_PX // 2
    weights = torch.exp(-(place_px**2) / (2 * _SIGMA_PX**2))
    weights = (weights / weights.sum()).expand(pictures.shape[1], 1, 1, -1)  # (C, 1, 1, 11)
    down = F.conv2d(pictures, weights.transpose(2, 3), groups=pictures.shape[1])
    return F.conv2d(down, weights, groups=pictures.shape[1])
