from __future__ import annotations

import pytest
import torch
from torch import nn

from pix2pix_model.nets import GENERATORS, GeneratorSpec, initialise
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.test_time import TestTime, recalibrate, set_test_time


@pytest.fixture
def generator() -> nn.Module:
    torch.manual_seed(0)
    network = GENERATORS.get("unet")(GeneratorSpec(size_px=64, width=4))
    initialise(network)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data *= 10
    return network


def pictures(num: int = 4) -> torch.Tensor:
    return torch.rand(num, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_running_statistics_are_taken_only_if_asked_for(generator):
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm)]
    for norm in norms:
        norm.running_mean.normal_()
    a = pictures()
    set_test_time(generator, TestTime(norm_statistics="running"))
    kept = generator(a)
    assert not any(norm.training for norm in norms)
    norm, x = norms[0], torch.randn(2, 8, 4, 4)
    expected = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), expected * norm.weight[:, None, None] + norm.bias[:, None, None])
    set_test_time(generator, TestTime())
    assert (generator(a) - kept).abs().max() > 0.2


def test_dropout_gives_a_sample_at_each_run_and_no_other_change(generator):
    a = pictures(1)
    set_test_time(generator, TestTime(dropout=True))
    torch.manual_seed(0)
    first, second = generator(a), generator(a)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(generator(a), first)
    set_test_time(generator, TestTime())
    assert torch.equal(generator(a), generator(a))


def test_recalibrated_statistics_are_those_of_all_pictures_together():
    norm = BatchNorm(2)
    x = torch.randn(6, 2, 5, 4, generator=torch.Generator().manual_seed(2)) * 3 + 1
    recalibrate(nn.Sequential(norm), x.split([4, 1, 1]))
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, x.var((0, 2, 3), unbiased=False))
    set_test_time(norm, TestTime(norm_statistics="recalibrated"))
    torch.testing.assert_close(norm(x).mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)


def test_recalibrating_draws_no_dropout_and_changes_statistics_alone(generator):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    recalibrate(generator, pictures().split(2))
    once = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    recalibrate(generator, pictures().split(1))
    for name, tensor in generator.state_dict().items():
        torch.testing.assert_close(tensor, once[name])
        assert torch.equal(tensor, before[name]) == ("running" not in name)


def test_it_is_said_in_words():
    assert TestTime().in_words().startswith("dropout off; norms take their statistics from each picture")
    assert "dropout on" in TestTime(dropout=True).in_words()
