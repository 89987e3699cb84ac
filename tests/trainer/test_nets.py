"""The networks against the reference's numbers, and against a second writing of them in plain functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2pix_data.errors import UsageError
from pix2pix_model.nets import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorSpec,
    GeneratorSpec,
    PatchGAN,
    UNet,
    initialise,
    num_parameters,
    receptive_field,
)
from pix2pix_model.nets.norms import BatchNorm
from pix2pix_model.nets.unet import unet_depth


@pytest.mark.parametrize(("size_px", "millions"), [(256, 54.41), (128, 41.83)])
def test_unet_has_as_many_parameters_as_the_authors(size_px, millions):
    with torch.device("meta"):
        assert num_parameters(UNet(GeneratorSpec(size_px=size_px))) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("patch", "thousands"), [(1, 9.0), (16, 140), (34, 666), (70, 2769), (142, 6960), (286, 11160)]
)
def test_patchgan_has_as_many_parameters_as_the_authors(patch, thousands):
    with torch.device("meta"):
        count = num_parameters(PatchGAN(DiscriminatorSpec(patch=patch)))
    assert count / 1e3 == pytest.approx(thousands, rel=0.005)


def sees(network: torch.nn.Module, channels: int, size_px: int) -> int:
    """Measure by gradients how wide a square the output pixels around the middle depend on."""
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.constant_(module.weight, 0.1)  # positive: nothing vanishes by chance
        elif isinstance(module, (BatchNorm, torch.nn.InstanceNorm2d, torch.nn.Tanh)):
            module.forward = lambda h: h
    given = torch.ones(1, channels, size_px, size_px, dtype=torch.float64, requires_grad=True)
    made = network.double()(given)
    middle = made.shape[2] // 2
    widest = 0
    for row in range(middle, min(middle + 32, made.shape[2])):
        (gradient,) = torch.autograd.grad(made[0, 0, row, row], given, retain_graph=True)
        touched = gradient.abs().sum((0, 1)) > 0
        assert touched.any(0).sum() == touched.any(1).sum()
        widest = max(widest, int(touched.any(0).sum()))
    return widest


@pytest.mark.parametrize("patch", [1, 16, 34, 70, 142, 286])
def test_a_patch_is_what_the_layers_say_and_gradients_reach(patch):
    size_px = 32 * -(-(patch + 70) // 32)
    (layers,) = PatchGAN(DiscriminatorSpec(size_px=512, width=1, patch=patch)).scales
    assert receptive_field(layers) == patch
    assert sees(layers, 6, size_px) == patch


@pytest.mark.parametrize(("patch", "side"), [(16, 126), (34, 62), (70, 30), (142, 14), (286, 6), (1, 256)])
def test_patchgan_gives_the_reference_map_of_logits(patch, side):
    with torch.device("meta"):
        (logits,) = PatchGAN(DiscriminatorSpec(patch=patch))(torch.empty(2, 6, 256, 256))
    assert logits.shape == (2, 1, side, side)


@pytest.mark.parametrize(("size_px", "depth"), [(512, 9), (256, 8), (128, 7), (64, 6), (32, 5), (96, 5), (384, 7)])
def test_depth_follows_the_size(size_px, depth):
    assert unet_depth(size_px) == depth


def test_unet_refuses_a_size_it_cannot_halve():
    with pytest.raises(UsageError, match="choose 96 or 128"):
        unet_depth(100)


@pytest.mark.parametrize(("where", "expected"), [("pytorch", [1, 2, 3]), ("torch", [0, 1, 2])])
def test_dropout_sits_where_the_reference_has_it(where, expected):
    with torch.device("meta"):
        network = UNet(GeneratorSpec(dropout_at=where))
    has_dropout = [any(isinstance(layer, torch.nn.Dropout) for layer in block) for block in network.decoder]
    assert [i for i, found in enumerate(has_dropout) if found] == expected


def test_first_weights_follow_the_reference():
    torch.manual_seed(0)
    network = UNet(GeneratorSpec(size_px=64, width=16))
    initialise(network)
    weights, scales = network.encoder[3][1].weight, network.encoder[3][2].weight
    assert (weights.mean().item(), weights.std().item()) == pytest.approx((0, 0.02), abs=1e-3)
    assert (scales.mean().item(), scales.std().item()) == pytest.approx((1, 0.02), abs=6e-3)
    assert network.to_picture[1].bias.abs().max() == 0


def test_in_eval_a_picture_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    network = UNet(GeneratorSpec(size_px=32, width=4))
    initialise(network)
    network.eval()
    a = torch.rand(3, 3, 32, 64) * 2 - 1
    together = network(a)
    torch.testing.assert_close(together[1:2], network(a[1:2]))


def test_in_eval_the_norm_is_that_of_a_batch_of_one_in_training():
    norm = BatchNorm(5)
    x = torch.randn(1, 5, 6, 7)
    torch.testing.assert_close(norm.eval()(x), norm.train()(x))


def test_unknown_network_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'unet'"):
        GENERATORS.get("unett")
    assert DISCRIMINATORS.names() == ["patchgan"]


# --- the oracle: REFERENCE 1.1 and 1.2 as function calls on a flat list of weights -----------------------------------


def random_weights(network: torch.nn.Module) -> list[Tensor]:
    """Fill a network with weights that keep activations alive; return them in the order of its layers."""
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        scale = 0.1 if parameter.ndim == 4 else 1.0
        parameter.data.normal_(0, scale, generator=generator)
    return [parameter.detach().clone() for parameter in network.parameters()]


def norm(h: Tensor, weights: list[Tensor]) -> Tensor:
    scale, shift = weights.pop(0), weights.pop(0)
    mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), unbiased=False, keepdim=True)
    return (h - mean) / (variance + 1e-5).sqrt() * scale[:, None, None] + shift[:, None, None]


def unet_by_hand(a: Tensor, weights: list[Tensor], depth: int) -> Tensor:
    encoded = [F.conv2d(a, weights.pop(0), stride=2, padding=1)]  # e1: no norm
    for i in range(2, depth + 1):
        h = F.conv2d(F.leaky_relu(encoded[-1], 0.2), weights.pop(0), stride=2, padding=1)
        encoded.append(h if i == depth else norm(h, weights))  # e8: no norm at the bottleneck
    h = encoded[-1]
    for i in range(1, depth):
        h = norm(F.conv_transpose2d(F.relu(h), weights.pop(0), stride=2, padding=1), weights)
        h = torch.cat([encoded[depth - 1 - i], h], 1)  # the authors' PyTorch order: encoder, decoder
    return torch.tanh(F.conv_transpose2d(F.relu(h), weights.pop(0), weights.pop(0), stride=2, padding=1))


def patchgan_by_hand(pair: Tensor, weights: list[Tensor], layers: int) -> Tensor:
    h = F.leaky_relu(F.conv2d(pair, weights.pop(0), weights.pop(0), stride=2, padding=1), 0.2)
    for i in range(layers):
        h = F.conv2d(h, weights.pop(0), stride=2 if i < layers - 1 else 1, padding=1)
        h = F.leaky_relu(norm(h, weights), 0.2)
    return F.conv2d(h, weights.pop(0), weights.pop(0), padding=1)


@pytest.mark.parametrize("size_px", [64, 256])
def test_unet_computes_what_the_reference_says(size_px):
    network = UNet(GeneratorSpec(size_px=size_px, width=4, dropout=0.0)).train()
    weights = random_weights(network)
    a = torch.rand(2, 3, size_px, size_px, generator=torch.Generator().manual_seed(2)) * 2 - 1
    by_hand = unet_by_hand(a, weights, unet_depth(size_px))
    assert not weights
    torch.testing.assert_close(network(a), by_hand, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("patch", "layers"), [(16, 1), (70, 3), (286, 5)])
def test_patchgan_computes_what_the_reference_says(patch, layers):
    network = PatchGAN(DiscriminatorSpec(width=4, patch=patch)).train()
    weights = random_weights(network)
    pair = torch.rand(2, 6, 128, 128, generator=torch.Generator().manual_seed(2)) * 2 - 1
    by_hand = patchgan_by_hand(pair, weights, layers)
    assert not weights
    torch.testing.assert_close(network(pair)[0], by_hand, rtol=1e-5, atol=1e-4)
