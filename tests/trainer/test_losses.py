from __future__ import annotations

import math

import pytest
import torch

from pix2pix_model.losses import GAN_LOSSES, l1_loss


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_are_float32_whatever_the_logits(dtype):
    logits = torch.randn(4).to(dtype)
    for loss in (GAN_LOSSES["vanilla"].real, GAN_LOSSES["vanilla"].fake, GAN_LOSSES["vanilla"].generator):
        assert loss(logits).dtype == torch.float32
    assert l1_loss(logits, logits).dtype == torch.float32
