"""The networks against the reference's numbers, and what each of them promises."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from pix2pix_data.errors import UsageError
from pix2pix_model.nets import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorSpec,
    EncoderDecoder,
    GeneratorSpec,
    PatchGAN,
    ResNet,
    UNet,
    initialise,
    limit_gains,
    num_parameters,
    receptive_field,
)
from pix2pix_model.nets.layers import make_doubling
from pix2pix_model.nets.norms import BatchNorm, SyncBatchNorm
from pix2pix_model.nets.unet import unet_depth

ALL_GENERATORS = ["unet", "encoder_decoder", "resnet"]
ALL_NORMS = ["batch", "instance", "sync", "none"]


def random_pictures(num: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(3)) * 2 - 1


def ready(network: torch.nn.Module) -> torch.nn.Module:
    """Give a network its first weights, larger than the reference's so that activations live."""
    torch.manual_seed(0)
    initialise(network)
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            module.weight.data *= 10
    return network


# --- sizes --------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", ALL_GENERATORS)
def test_what_a_generators_pixel_sees_is_what_gradients_reach(name):
    network = GENERATORS.get(name)(GeneratorSpec(size_px=32, width=1, blocks=2, dropout=0.0))
    assert sees(network, 3, 256) == receptive_field(network)


def test_resized_pixels_see_as_the_layers_say():
    network = ResNet(GeneratorSpec(size_px=32, width=1, blocks=1, dropout=0.0, upsample="resize", norm="none"))
    assert sees(network, 3, 128) == receptive_field(network)


@pytest.mark.parametrize(("size_px", "depth"), [(1024, 10), (512, 9), (256, 8), (64, 6), (32, 5), (96, 5), (384, 7)])
def test_depth_follows_the_size(size_px, depth):
    assert unet_depth(size_px) == depth


@pytest.mark.parametrize("size_px", [64, 128, 512, 1024])
def test_a_unet_reaches_its_bottleneck_at_one_pixel_and_comes_back(size_px):
    with torch.device("meta"):
        network = UNet(GeneratorSpec(size_px=size_px))
        a = h = torch.empty(1, 3, size_px, size_px)
        for layer in network.encoder:
            h = layer(h)
        assert h.shape == (1, 512, 1, 1)
        assert network(a).shape == a.shape


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(UsageError, match="choose 96 or 128"):
        unet_depth(100)
    with pytest.raises(UsageError, match="choose 100"):
        ResNet(GeneratorSpec(size_px=101))


@pytest.mark.parametrize(("patch", "scales", "smallest_px"), [(70, 1, 24), (286, 1, 96), (70, 3, 96)])
def test_a_picture_too_small_to_judge_is_refused(patch, scales, smallest_px):
    spec = {"width": 1, "patch": patch, "scales": scales}
    judge = PatchGAN(DiscriminatorSpec(size_px=smallest_px, **spec)).eval()
    assert judge(torch.zeros(1, 6, smallest_px, smallest_px))[-1].shape == (1, 1, 1, 1)
    with pytest.raises(UsageError, match=f"at least {smallest_px} px"):
        PatchGAN(DiscriminatorSpec(size_px=smallest_px - 1, **spec))


def test_a_patch_that_no_layers_give_is_refused():
    with pytest.raises(UsageError, match="choose from 1, 16, 34"):
        PatchGAN(DiscriminatorSpec(patch=71))


# --- every network ------------------------------------------------------------------------------------------------


def test_the_networks_have_these_names():
    assert (GENERATORS.names(), DISCRIMINATORS.names()) == (["unet", "encoder_decoder", "resnet"], ["patchgan"])
    with pytest.raises(UsageError, match="did you mean 'unet'"):
        GENERATORS.get("unett")


@pytest.mark.parametrize(("num_in", "num_out"), [(1, 3), (4, 1), (9, 2)])
@pytest.mark.parametrize("name", ALL_GENERATORS)
def test_a_generator_takes_and_gives_any_number_of_channels(name, num_in, num_out):
    spec = GeneratorSpec(size_px=32, in_channels=num_in, out_channels=num_out, width=2, blocks=1)
    network = ready(GENERATORS.get(name)(spec)).train()
    made = network(random_pictures(2, num_in, 64, 32))
    assert made.shape == (2, num_out, 64, 32)
    assert made.detach().abs().max() <= 1


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
@pytest.mark.parametrize("norm", ALL_NORMS)
@pytest.mark.parametrize("name", ALL_GENERATORS)
def test_in_eval_a_picture_does_not_depend_on_its_batch_nor_on_chance(name, norm, upsample):
    spec = GeneratorSpec(size_px=32, width=4, blocks=1, norm=norm, upsample=upsample)
    network = ready(GENERATORS.get(name)(spec)).eval()
    a = random_pictures(3, 3, 32, 64)
    torch.testing.assert_close(network(a)[1:2], network(a[1:2]), rtol=1e-3, atol=1e-3)  # sums in another order


@pytest.mark.parametrize("norm", ALL_NORMS)
@pytest.mark.parametrize("name", ALL_GENERATORS)
def test_every_weight_learns(name, norm):
    """A bias before a norm that has its own, or a layer that nothing reaches, would have no gradient."""
    network = ready(GENERATORS.get(name)(GeneratorSpec(size_px=32, width=4, blocks=1, norm=norm, dropout=0.0))).train()
    network(random_pictures(2, 3, 32, 32)).square().sum().backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle


@pytest.mark.parametrize("name", ALL_GENERATORS)
def test_the_smallest_picture_is_taken(name):
    network = GENERATORS.get(name)(GeneratorSpec(size_px=32, width=2, norm="instance")).eval()
    side = network.smallest_px
    assert network(random_pictures(1, 3, side, side)).shape == (1, 3, side, side)


def test_convolutions_have_biases_where_the_authors_have_them():
    for norm, expected in (("batch", 1), ("sync", 1), ("instance", 24), ("none", 24)):
        network = ResNet(GeneratorSpec(width=1, norm=norm))
        biases = [module.bias for module in network.modules() if isinstance(module, torch.nn.modules.conv._ConvNd)]
        assert (len(biases), sum(bias is not None for bias in biases)) == (24, expected)


@pytest.mark.parametrize("norm", ALL_NORMS)
def test_without_biases_no_convolution_has_one(norm):
    networks = [
        GENERATORS.get(name)(GeneratorSpec(size_px=32, width=1, norm=norm, bias=False)) for name in ALL_GENERATORS
    ]
    networks += [PatchGAN(DiscriminatorSpec(width=1, patch=patch, norm=norm, bias=False)) for patch in (1, 70)]
    convolutions = [
        m for network in networks for m in network.modules() if isinstance(m, torch.nn.modules.conv._ConvNd)
    ]
    assert all(convolution.bias is None for convolution in convolutions)


@pytest.mark.parametrize(("where", "expected"), [("pytorch", [1, 2, 3]), ("torch", [0, 1, 2])])
@pytest.mark.parametrize("network", [UNet, EncoderDecoder])
def test_dropout_sits_where_the_reference_has_it(network, where, expected):
    with torch.device("meta"):
        decoder = network(GeneratorSpec(dropout_at=where)).decoder
    has_dropout = [any(isinstance(layer, torch.nn.Dropout) for layer in block) for block in decoder]
    assert [i for i, found in enumerate(has_dropout) if found] == expected


@pytest.mark.parametrize(("dropout", "expected"), [(0.5, 6), (0.0, 0)])
def test_a_resnet_drops_once_in_each_block(dropout, expected):
    with torch.device("meta"):
        network = ResNet(GeneratorSpec(blocks=6, dropout=dropout))
    assert sum(isinstance(module, torch.nn.Dropout) for module in network.modules()) == expected


@pytest.mark.parametrize("norm", ["batch", "sync"])
def test_first_weights_follow_the_reference(norm):
    torch.manual_seed(0)
    network = UNet(GeneratorSpec(size_px=64, width=16, norm=norm))
    initialise(network)
    weights, scales = network.encoder[3][1].weight, network.encoder[3][2].weight
    assert (weights.mean().item(), weights.std().item()) == pytest.approx((0, 0.02), abs=1e-3)
    assert (scales.mean().item(), scales.std().item()) == pytest.approx((1, 0.02), abs=6e-3)
    assert network.to_picture[1].bias.abs().max() == 0


# --- norms and layers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [BatchNorm, SyncBatchNorm])
def test_in_eval_the_norm_is_that_of_a_batch_of_one_in_training(norm):
    layer = norm(5)
    x = torch.randn(1, 5, 6, 7)
    torch.testing.assert_close(layer.eval()(x), layer.train()(x))


ONE_OF_TWO = """
import os, sys, torch, torch.distributed as dist
from pix2pix_model.nets.norms import SyncBatchNorm
folder, rank = sys.argv[1], int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
given = torch.load(f"{folder}/given.pt")
norm = SyncBatchNorm(3)
norm.load_state_dict(given["state"])
x = given["x"].chunk(2)[rank].clone().requires_grad_()
y = norm(x)
(y * given["pull"].chunk(2)[rank]).sum().backward()
made = {"y": y.detach(), "x": x.grad, "weight": norm.weight.grad, "mean": norm.running_mean, "var": norm.running_var}
torch.save(made, f"{folder}/{rank}.pt")
dist.barrier()
os._exit(0)  # torch's threads of gloo sometimes abort a process that ends in its own time
"""


def test_two_processes_norm_as_one_with_both_their_batches(tmp_path):
    torch.manual_seed(0)
    norm, x, pull = BatchNorm(3), torch.randn(4, 3, 5, 6) + 2, torch.randn(4, 3, 5, 6)
    norm.weight.data.normal_(1, 0.3)
    torch.save({"x": x, "pull": pull, "state": norm.state_dict()}, tmp_path / "given.pt")
    commands = [[sys.executable, "-W", "ignore", "-c", ONE_OF_TWO, str(tmp_path), rank] for rank in ("0", "1")]
    both = [subprocess.Popen(command) for command in commands]
    assert [process.wait(120) for process in both] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))

    x.requires_grad_()
    y = norm(x)
    (y * pull).sum().backward()
    torch.testing.assert_close(torch.cat([first["y"], second["y"]]), y.detach())
    torch.testing.assert_close(torch.cat([first["x"], second["x"]]), x.grad)
    torch.testing.assert_close(first["weight"] + second["weight"], norm.weight.grad)
    for made in (first, second):
        torch.testing.assert_close(made["mean"], norm.running_mean)
        torch.testing.assert_close(made["var"], norm.running_var)


@pytest.mark.parametrize(("upsample", "kernel_px", "even"), [("resize", 3, True), ("transposed", 3, False)])
def test_resizing_leaves_no_checkerboard(upsample, kernel_px, even):
    """Equal weights on an even picture: a transposed convolution of 3x3 still gives four kinds of pixels."""
    layers = torch.nn.Sequential(*make_doubling(upsample, 1, 1, kernel_px=kernel_px, bias=False))
    for weight in layers.parameters():
        torch.nn.init.ones_(weight)
    made = layers(torch.ones(1, 1, 8, 8))[0, 0, 4:-4, 4:-4]
    assert (made.unique().numel() == 1) == even


@pytest.mark.parametrize("kernel_px", [3, 4])
@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_doubling_doubles(upsample, kernel_px):
    layers = torch.nn.Sequential(*make_doubling(upsample, 2, 3, kernel_px=kernel_px, bias=True))
    assert layers(torch.zeros(1, 2, 5, 7)).shape == (1, 3, 10, 14)


# --- discriminators -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patch", [1, 70])
@pytest.mark.parametrize("norm", ALL_NORMS)
def test_features_end_in_the_logits(patch, norm):
    judge = ready(PatchGAN(DiscriminatorSpec(size_px=96, width=4, patch=patch, scales=2, norm=norm))).train()
    pair = random_pictures(2, 6, 96, 96)
    features, logits = judge.features(pair), judge(pair)
    assert [len(of_scale) for of_scale in features] == [3 if patch == 1 else 5] * 2
    for of_scale, of_forward in zip(features, logits, strict=True):
        torch.testing.assert_close(of_scale[-1], of_forward)


def test_each_scale_sees_the_pair_at_half_the_size_with_weights_of_its_own():
    judge = ready(PatchGAN(DiscriminatorSpec(width=2, scales=3, norm="none"))).train()
    pair = random_pictures(1, 6, 256, 256)
    halved = pair
    for layers, logits in zip(judge.scales, judge(pair), strict=True):
        torch.testing.assert_close(layers(halved), logits)
        halved = F.avg_pool2d(halved, 3, 2, 1, count_include_pad=False)
    first, second = judge.scales[0][0][0].weight, judge.scales[1][0][0].weight
    assert not torch.equal(first, second)


def test_spectral_norm_holds_every_gain_at_one_and_is_saved(tmp_path):
    judge = PatchGAN(DiscriminatorSpec(size_px=64, width=8))
    ready(judge)
    limit_gains(judge)
    again = copy.deepcopy(judge)
    pair = random_pictures(2, 6, 64, 64)
    for _ in range(20):  # each step in training refines the estimate
        judge.train()(pair)
    for module in judge.eval().modules():
        if isinstance(module, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)
    save_file(judge.state_dict(), tmp_path / "judge.safetensors")
    again.load_state_dict(load_file(tmp_path / "judge.safetensors"))
    assert torch.equal(again.eval()(pair)[0], judge(pair)[0])
