from __future__ import annotations

import pytest
import torch
from torch import nn

from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.quick_layers import quicken


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"kernel_size": 3, "output_padding": 1}])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (9, 9)])
def test_the_quick_way_gives_the_same_numbers(settings, size):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(5, 7, **{"kernel_size": 4, "stride": 2, "padding": 1, **settings})
    network = nn.Sequential(layer)
    x = torch.randn(1, 5, *size)
    expected = layer(x)
    quicken(network)
    assert network[0] is not layer
    torch.testing.assert_close(network(x), expected)


def test_a_whole_generator_gives_the_same_picture():
    torch.manual_seed(0)
    generator = GENERATORS.get("unet")(GeneratorSpec(size_px=64, width=8)).eval()
    x = torch.rand(1, 3, 64, 64)
    expected = generator(x)
    quicken(generator)
    torch.testing.assert_close(generator(x), expected, atol=1e-4, rtol=1e-4)
