from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.nets.convolutions import Conv2d, ConvTranspose2d

SETTINGS = [{}, {"bias": False}, {"kernel_size": 3}, {"padding": 0}, {"stride": 1}]


class Calls(TorchDispatchMode):
    """Counts torch's own convolutions."""

    num = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.num += "convolution" in str(function)
        return function(*args, **(kwargs or {}))


def gradients(layer, x):
    x = x.clone().requires_grad_()
    with Calls() as calls:
        made = layer(x)
    made.square().sum().backward()
    return [made.detach(), x.grad, *(weight.grad.clone() for weight in layer.parameters())], calls.num


@pytest.mark.parametrize("settings", [*SETTINGS, {"output_padding": 1}])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 5)])
@pytest.mark.parametrize("num", [1, 3])
def test_the_transposed_product_and_its_gradients_are_those_of_torch(settings, size, num):
    settings = {"kernel_size": 4, "stride": 2, "padding": 1, **settings}
    assert_same(kinds=(nn.ConvTranspose2d, ConvTranspose2d), settings=settings, shape=(num, 5, *size))


@pytest.mark.parametrize("settings", [*SETTINGS, {"output_padding": 1}])
@pytest.mark.parametrize("num", [1, 3])
def test_the_product_that_makes_a_picture_and_its_gradients_are_those_of_torch(settings, num):
    settings = {"kernel_size": 4, "stride": 2, "padding": 1, **settings}
    kinds, shape = (nn.ConvTranspose2d, ConvTranspose2d), (num, 64, 20, 17)
    assert_same(kinds=kinds, settings=settings, shape=shape, num_out=3)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (8, 8)])
@pytest.mark.parametrize("num", [1, 3])
def test_the_product_and_its_gradients_are_those_of_torch(settings, size, num):
    settings = {"kernel_size": 4, "stride": 2, "padding": 1, **settings}
    shape = (num, 5, 5, 5) if settings["stride"] == 1 else (num, 5, *size)
    assert_same(kinds=(nn.Conv2d, Conv2d), settings=settings, shape=shape)


def assert_same(*, kinds, settings, shape, num_out=7):
    torch.manual_seed(0)
    theirs, ours = (kind(shape[1], num_out, **settings).double() for kind in kinds)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(shape, dtype=torch.float64)
    expected, num_expected = gradients(theirs, x)
    found, num_found = gradients(ours, x)
    assert (num_expected, num_found) == (1, 0), "the product was to be taken"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 5, 17, 16), (2, 5, 12, 12)])
def test_many_places_are_left_to_torch(shape):
    _, num = gradients(ConvTranspose2d(5, 7, 4, 2, 1), torch.randn(shape))
    assert num == 1


def test_a_whole_generator_gives_the_picture_and_gradients_of_torch(monkeypatch):
    """With its norms: torch's batch norm differentiates wrongly where a map of it lies in memory in an odd way."""
    torch.manual_seed(0)
    generator = GENERATORS.get("unet")(GeneratorSpec(size_px=64, width=8, dropout=0)).double()
    x = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    found, num_quick = gradients(generator, x)
    generator.zero_grad()
    monkeypatch.setattr("pix2pix_model.nets.convolutions._MOST_PLACES", 0)
    expected, num_plain = gradients(generator, x)
    assert num_quick < num_plain
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
