from __future__ import annotations

import math

import pytest
import torch

from pix2pix_model.losses import GAN_LOSSES, feature_matching_loss, l1_loss, r1_penalty


def test_vanilla_is_binary_cross_entropy():
    loss = GAN_LOSSES["vanilla"]
    logits = torch.tensor([0.0, math.log(3)])  # sigmoid: 1/2, 3/4
    assert loss.real(logits).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert loss.fake(logits).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert loss.generator(logits).item() == pytest.approx(loss.real(logits).item())


def test_vanilla_stays_finite_for_large_logits():
    loss = GAN_LOSSES["vanilla"]
    assert loss.real(torch.tensor([-1e4])).item() == 1e4
    assert loss.fake(torch.tensor([-1e4])).item() == 0


def test_vanilla_equals_torch():
    logits = torch.linspace(-30, 30, 61)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.ones(61))
    torch.testing.assert_close(GAN_LOSSES["vanilla"].real(logits), expected)


def test_l1_is_the_mean_absolute_difference():
    assert l1_loss(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 1.0]])).item() == 1.25


@pytest.mark.parametrize("name", GAN_LOSSES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_are_float32_whatever_the_logits(dtype, name):
    logits = torch.randn(4).to(dtype)
    for loss in (GAN_LOSSES[name].real, GAN_LOSSES[name].fake, GAN_LOSSES[name].generator):
        assert loss(logits).dtype == torch.float32
    assert l1_loss(logits, logits).dtype == torch.float32


def test_lsgan_is_the_squared_distance_to_one_and_to_zero():
    loss, logits = GAN_LOSSES["lsgan"], torch.tensor([0.0, 3.0])
    assert (loss.real(logits).item(), loss.fake(logits).item(), loss.generator(logits).item()) == (2.5, 4.5, 2.5)


def test_hinge_is_paid_within_the_margin_alone():
    loss, logits = GAN_LOSSES["hinge"], torch.tensor([-2.0, 0.5, 3.0])
    assert loss.real(logits).item() == pytest.approx((3 + 0.5 + 0) / 3)
    assert loss.fake(logits).item() == pytest.approx((0 + 1.5 + 4) / 3)
    assert loss.generator(logits).item() == pytest.approx(-1.5 / 3)


@pytest.mark.parametrize(("name", "best_logit"), [("vanilla", math.log(9)), ("lsgan", 0.9), ("hinge", 0.9)])
def test_smoothing_moves_the_best_logit_of_a_real_pair(name, best_logit):
    """At 0.1, that of vanilla is where the sigmoid is 0.9; a larger one costs more, but not with a margin."""
    logit = torch.tensor(best_logit, requires_grad=True)
    pays = GAN_LOSSES[name].real(logit, smoothing=0.1)
    pays.backward()
    assert GAN_LOSSES[name].real(torch.tensor(best_logit - 0.01), smoothing=0.1) > pays
    assert logit.grad.item() == pytest.approx(0, abs=1e-6)


def test_features_match_by_the_sum_over_layers_and_the_mean_over_scales():
    real = [[torch.zeros(2, 3, 4, 4), torch.zeros(2, 8, 2, 2), torch.zeros(2, 1, 1, 1)], [torch.zeros(2, 3, 2, 2)] * 3]
    fake = [[layer + 1 for layer in real[0]], [layer + 3 for layer in real[1]]]
    assert feature_matching_loss(fake, real).item() == (2 * 1 + 2 * 3) / 2  # the logits, last, do not count


def test_r1_is_half_the_squared_gradient_of_a_patch():
    """Each of 4 logits sees 4 pixels of its own with weight 3: the squared gradient is 9 for each of 16 pixels."""
    b = torch.rand(2, 1, 4, 4)
    weights = torch.full((1, 1, 2, 2), 3.0, requires_grad=True)
    penalty = r1_penalty(lambda real_b: [torch.nn.functional.conv2d(real_b, weights, stride=2)], b)
    assert penalty.item() == pytest.approx(9 * 16 / 4 / 2)
    penalty.backward()
    torch.testing.assert_close(weights.grad, torch.full((1, 1, 2, 2), 3.0 * 16 / 4 / 4))
