"""L1, PSNR, SSIM and MS-SSIM: against scikit-image, and known by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from skimage.filters import gaussian
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from pix2pix_data.errors import ImageError
from pix2pix_model.metrics import MS_SSIM_SMALLEST_PX, l1, ms_ssim, psnr, ssim

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def noisy(picture: np.ndarray, seed: int, spread: float = 20) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, spread, picture.shape)
    return np.clip(np.rint(picture + noise), 0, np.iinfo(picture.dtype).max).astype(picture.dtype)


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    cat = data.chelsea()[:190, :221]
    flat = np.full_like(cat, 250)
    flat[60:100, 50:90] = (10, 240, 250)
    blurred = np.rint(gaussian(cat, 2, channel_axis=-1, preserve_range=True)).astype(np.uint8)
    return {
        "noise": (noisy(cat, 0), cat),
        "blur": (blurred, cat),
        "nearly flat": (noisy(flat, 1, 0.3), flat),
        "unrelated": (np.random.default_rng(2).integers(0, 256, cat.shape, np.uint8), cat),
        "negative": (255 - cat, cat),
        "black and white": (np.zeros_like(cat), np.full_like(cat, 255)),
    }


PAIRS = pairs()


def batch(*pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack(pictures))


@pytest.mark.parametrize("kind", PAIRS)
def test_psnr_is_that_of_scikit_image(kind):
    made, real = PAIRS[kind]
    expected = peak_signal_noise_ratio(real, made, data_range=255)
    assert psnr(batch(made), batch(real)).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", PAIRS)
def test_ssim_is_that_of_scikit_image_with_wangs_settings(kind):
    made, real = PAIRS[kind]
    expected = structural_similarity(made, real, channel_axis=-1, data_range=255, **WANG)
    assert ssim(batch(made), batch(real)).item() == pytest.approx(expected, abs=1e-4)


def test_ssim_is_not_that_of_scikit_images_defaults():
    made, real = PAIRS["noise"]
    other = structural_similarity(made, real, channel_axis=-1, data_range=255)
    assert abs(ssim(batch(made), batch(real)).item() - other) > 1e-2


def test_sixteen_bits_and_one_channel_are_measured_alike():
    real = data.moon()[:90, :101, None].astype(np.uint16) * 257
    made = noisy(real, 3, 3000)
    expected = structural_similarity(made, real, channel_axis=-1, data_range=65535, **WANG)
    assert ssim(batch(made), batch(real), data_range=65535).item() == pytest.approx(expected, abs=1e-4)
    expected = peak_signal_noise_ratio(real, made, data_range=65535)
    assert psnr(batch(made), batch(real), data_range=65535).item() == pytest.approx(expected, abs=1e-4)


def test_l1_is_the_mean_difference_as_a_part_of_the_range():
    real = torch.zeros(2, 3, 5, 3, dtype=torch.uint8)
    made = real.clone()
    made[1, 0, 0] = 255  # one pixel of fifteen
    assert l1(made, real).tolist() == pytest.approx([0, 1 / 15])


@pytest.mark.parametrize("measure", [l1, psnr, ssim, ms_ssim])
def test_each_picture_of_a_batch_is_measured_by_itself(measure):
    made, real = zip(*(PAIRS[kind] for kind in ("noise", "blur", "unrelated")), strict=True)
    together = measure(batch(*made), batch(*real))
    alone = [measure(batch(one), batch(other)).item() for one, other in zip(made, real, strict=True)]
    assert together.tolist() == pytest.approx(alone, rel=1e-5)


def test_the_same_picture_is_without_difference():
    cat = batch(PAIRS["noise"][1])
    assert l1(cat, cat).item() == 0
    assert psnr(cat, cat).item() == float("inf")
    assert ssim(cat, cat).item() == pytest.approx(1)
    assert ms_ssim(cat, cat).item() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["noise", "blur", "unrelated"])
def test_ms_ssim_is_the_product_of_five_scales(kind):
    made, real = PAIRS[kind]
    expected, first, second = 1.0, made.astype(float), real.astype(float)
    for weight in (0.0448, 0.2856, 0.3001, 0.2363):
        expected *= contrast_and_structure(first, second) ** weight
        first, second = halved(first), halved(second)
    expected *= structural_similarity(first, second, channel_axis=-1, data_range=255, **WANG) ** 0.1333
    assert ms_ssim(batch(made), batch(real)).item() == pytest.approx(expected, abs=1e-4)


def contrast_and_structure(first: np.ndarray, second: np.ndarray) -> float:
    """SSIM without its luminance, which is the same for two pictures of one local mean: so means are taken off."""
    blurred = [gaussian(one, (1.5, 1.5, 0), truncate=3.5, mode="reflect") for one in (first, second)]
    blurred += [
        gaussian(one * other, (1.5, 1.5, 0), truncate=3.5)
        for one, other in ((first, first), (second, second), (first, second))
    ]
    mean_1, mean_2, square_1, square_2, product = (one[5:-5, 5:-5] for one in blurred)
    c2 = (0.03 * 255) ** 2
    variances = square_1 - mean_1**2 + square_2 - mean_2**2
    return float(np.mean((2 * (product - mean_1 * mean_2) + c2) / (variances + c2)))


def halved(picture: np.ndarray) -> np.ndarray:
    rows, columns = (side // 2 * 2 for side in picture.shape[:2])
    cut = picture[:rows, :columns]
    return (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / 4


def test_pictures_too_small_for_the_window_are_named():
    small = torch.zeros(1, 10, 40, 3, dtype=torch.uint8)
    with pytest.raises(ImageError, match="40x10"):
        ssim(small, small)
    almost = torch.zeros(1, MS_SSIM_SMALLEST_PX, MS_SSIM_SMALLEST_PX - 1, 3, dtype=torch.uint8)
    with pytest.raises(ImageError, match="175x176"):
        ms_ssim(almost, almost)


def test_batches_of_two_shapes_are_refused():
    with pytest.raises(ImageError, match="one shape"):
        l1(torch.zeros(1, 8, 8, 3), torch.zeros(1, 8, 9, 3))
