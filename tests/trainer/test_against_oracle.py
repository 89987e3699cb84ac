"""Networks and training against both reference codes, transcribed by hand: see reference/oracle_networks.py.

Weights are drawn by the oracle and carried over by their order, which is that of the layers in both. Torch's U-Net has
a layer's two inputs at a skip the other way round, so its kernels are turned on the way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent / "reference"))  # scripts beside the tests, not a package

import oracle_networks as oracle
from oracle_steps import Training, learning_rate

from pix2pix_model.batch import Batch
from pix2pix_model.device import choose_device
from pix2pix_model.nets import (
    DiscriminatorSpec,
    EncoderDecoder,
    GeneratorSpec,
    PatchGAN,
    ResNet,
    UNet,
    num_parameters,
)
from pix2pix_model.recipe import Recipe, TrainSettings
from pix2pix_model.references import REFERENCES
from pix2pix_model.schedule import Schedule
from pix2pix_model.state import TrainState, build_state
from pix2pix_model.step import train_step

PATCHES = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Layers of the references' discriminators (`n_layers_D`) by the patch that a logit judges, in pixels."""

FORWARD = {"rtol": 0, "atol": 1e-5}


def pictures(*, channels: int = 3, size_px: int = 256, num: int = 2, seed: int = 1) -> Tensor:
    """Draw pictures in [-1, 1] that have something to see at every scale, as noise would not."""
    rng = torch.Generator().manual_seed(seed)
    sides = [size_px // 2**i for i in range(6)]
    layers = [torch.randn(num, channels, side, side, generator=rng) for side in sides]
    return sum(nn.functional.interpolate(layer, size=size_px) for layer in layers).div(2).tanh()


def carry(weights: oracle.Weights, network: nn.Module) -> None:
    """Put the oracle's weights into a network of ours, by their order."""
    for (name, theirs), (ours_name, ours) in zip(weights.items(), network.named_parameters(), strict=True):
        assert theirs.shape == ours.shape, f"{name} {tuple(theirs.shape)} and {ours_name} {tuple(ours.shape)}"
        ours.data.copy_(theirs)


def turned(weights: oracle.Weights, *, levels: int) -> oracle.Weights:
    """Exchange the decoder's and the encoder's half of what each decoder layer from the second on sees."""
    turned = dict(weights)
    for layer in range(2, levels + 1):
        first, second = weights[f"d{layer}.weight"].chunk(2)
        turned[f"d{layer}.weight"] = torch.cat([second, first])
    return turned


# --- forward passes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False], ids=["training", "eval"])
@pytest.mark.parametrize(("size_px", "levels"), [(256, 8), (128, 7)])
@pytest.mark.parametrize("reference", ["pytorch", "torch"])
def test_the_unet_is_that_of_the_reference(reference, size_px, levels, training):
    of_torch = reference == "torch"
    weights = oracle.draw_weights(oracle.unet_shapes(levels=levels, width=8, bias=not of_torch), seed=0)
    spec = GeneratorSpec(size_px=size_px, width=8, dropout_at=reference, dropout=0.0, bias=not of_torch)
    network = UNet(spec).train(training)
    carry(turned(weights, levels=levels) if of_torch else weights, network)
    a = pictures(size_px=size_px, num=2 if training else 1)
    theirs = oracle.unet(weights, a, levels=levels, reference=reference)
    assert theirs.std() > 0.05
    torch.testing.assert_close(network(a), theirs, **FORWARD)


def test_the_unet_of_full_width_is_that_of_the_reference():
    shapes = oracle.unet_shapes(levels=8, width=64, bias=True)
    weights = oracle.draw_weights(shapes, seed=0)
    network = UNet(GeneratorSpec(size_px=256, dropout=0.0)).train()
    carry(weights, network)
    a = pictures(num=1)
    with torch.no_grad():
        torch.testing.assert_close(network(a), oracle.unet(weights, a, levels=8, reference="pytorch"), **FORWARD)


@pytest.mark.parametrize(("size_px", "levels"), [(256, 8), (128, 7)])
def test_the_encoder_decoder_is_that_of_the_reference(size_px, levels):
    shapes = oracle.unet_shapes(levels=levels, width=8, skips=False, bias=False)
    weights = oracle.draw_weights(shapes, seed=0)
    network = EncoderDecoder(GeneratorSpec(size_px=size_px, width=8, dropout=0.0, bias=False)).train()
    carry(weights, network)
    a = pictures(size_px=size_px)
    theirs = oracle.unet(weights, a, levels=levels, reference="torch", skips=False)
    torch.testing.assert_close(network(a), theirs, **FORWARD)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("blocks", [6, 9])
def test_the_resnet_is_that_of_the_reference(blocks, norm):
    weights = oracle.draw_weights(oracle.resnet_shapes(blocks=blocks, width=8, norm=norm), seed=0)
    network = ResNet(GeneratorSpec(width=8, blocks=blocks, norm=norm, dropout=0.0)).train()
    carry(weights, network)
    a = pictures(num=1)
    torch.testing.assert_close(network(a), oracle.resnet(weights, a, blocks=blocks), **FORWARD)


@pytest.mark.parametrize(("norm", "bias"), [("batch", True), ("batch", False), ("instance", True)])
@pytest.mark.parametrize("patch", PATCHES)
def test_the_patchgan_is_that_of_the_reference(patch, norm, bias):
    num = PATCHES[patch]
    weights = oracle.draw_weights(oracle.patchgan_shapes(num=num, width=8, norm=norm, bias=bias), seed=0)
    network = PatchGAN(DiscriminatorSpec(patch=patch, width=8, norm=norm, bias=bias)).train()
    carry(weights, network)
    pair = pictures(channels=6)
    (logits,) = network(pair)
    torch.testing.assert_close(logits, oracle.patchgan(weights, pair, num=num), **FORWARD)


# --- dropout ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["pytorch", "torch"])
@pytest.mark.parametrize(("size_px", "levels"), [(256, 8), (128, 7)])
def test_the_unet_drops_what_the_reference_drops(reference, size_px, levels):
    """With one seed both draw the same masks, if they draw them in the same places."""
    weights = oracle.draw_weights(oracle.unet_shapes(levels=levels, width=4, bias=True), seed=0)
    network = UNet(GeneratorSpec(size_px=size_px, width=4, dropout_at=reference)).train()
    carry(turned(weights, levels=levels) if reference == "torch" else weights, network)
    a, made = pictures(size_px=size_px), {}
    for where in ("pytorch", "torch"):
        torch.manual_seed(5)
        dropout = oracle.Dropout.of(where, levels)
        made[where] = oracle.unet(weights, a, levels=levels, reference=reference, dropout=dropout)
    torch.manual_seed(5)
    ours = network(a)
    torch.testing.assert_close(ours, made.pop(reference), **FORWARD)
    (other,) = made.values()
    assert (ours - other).abs().max() > 0.01


def test_the_resnet_drops_what_the_reference_drops():
    weights = oracle.draw_weights(oracle.resnet_shapes(blocks=9, width=4, norm="instance"), seed=0)
    network = ResNet(GeneratorSpec(width=4, norm="instance")).train()
    carry(weights, network)
    a = pictures(size_px=64)
    torch.manual_seed(5)
    theirs = oracle.resnet(weights, a, blocks=9, dropout=True)
    torch.manual_seed(5)
    torch.testing.assert_close(network(a), theirs, **FORWARD)


# --- sizes and rates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("blocks", "millions"), [(9, 11.38), (6, 7.84)])
def test_a_resnet_has_as_many_parameters_as_the_authors(blocks, millions):
    with torch.device("meta"):
        assert num_parameters(ResNet(GeneratorSpec(blocks=blocks))) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(("reference", "decay_epochs"), [("pytorch", 100), ("torch", 0)])
def test_the_learning_rate_is_that_of_the_reference_in_every_epoch(reference, decay_epochs):
    settings = TrainSettings(epochs=200 - decay_epochs, decay_epochs=decay_epochs)
    schedule = Schedule(settings, num_pairs=3)
    for step in range(600):
        assert schedule.learning_rate(step) == pytest.approx(learning_rate(reference, step // 3 + 1), rel=1e-12)


# --- training -----------------------------------------------------------------------------------------------------


def test_the_oracles_own_backward_pass_is_that_of_autograd():
    """So long as the weights stay as they were: what `gradient_at_input` adds is that they may not."""
    for num in range(6):
        weights = oracle.draw_weights(oracle.patchgan_shapes(num=num, width=4, bias=False), seed=0)
        weights = {name: weight.double() for name, weight in weights.items()}
        pair = pictures(channels=6, size_px=128).double().requires_grad_()
        kept: list[oracle.Kept] = []
        logits = oracle.patchgan(weights, pair, num=num, keep=kept)
        pull = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        (expected,) = torch.autograd.grad(logits, pair, pull)
        torch.testing.assert_close(oracle.gradient_at_input(weights, kept, pull), expected)


@dataclass(frozen=True)
class Case:
    """A training of one reference, small but for its number of layers."""

    reference: oracle.Reference
    size_px: int
    generator: str = "unet"
    patch: int = 70
    loss: tuple[tuple[str, object], ...] = ()
    batch: int = 1

    @property
    def levels(self) -> int:
        return self.size_px.bit_length() - 1

    @property
    def bias(self) -> bool:
        return self.reference == "pytorch"

    def recipe(self) -> Recipe:
        """Return the recipe that `--reference` makes, at this case's size."""
        said = {
            "data": {"path": "none", "load_size": 1024, "crop_size": self.size_px},
            "generator": {"name": self.generator, "width": 8, "dropout": 0.0},
            "discriminator": {"width": 8, "patch": self.patch},
            "loss": dict(self.loss),
            "train": {"precision": "float32", "device": "cpu"},
        }
        for key, value in REFERENCES[self.reference].items():
            section, setting = key.split(".")
            said[section].setdefault(setting, value)
        if self.generator == "resnet":
            said["generator"]["norm"] = "instance"
        return Recipe.model_validate(said)

    def oracle(self, dtype: torch.dtype) -> Training:
        if self.generator == "resnet":
            shapes = oracle.resnet_shapes(blocks=9, width=8, norm="instance")
            generate = partial(oracle.resnet, blocks=9)
        else:
            skips = self.generator == "unet"
            shapes = oracle.unet_shapes(levels=self.levels, width=8, skips=skips, bias=self.bias)
            generate = partial(oracle.unet, levels=self.levels, reference=self.reference, skips=skips)
        loss = dict(self.loss)
        num, in_channels = PATCHES[self.patch], 6 if loss.get("conditional", True) else 3
        judged = oracle.patchgan_shapes(num=num, width=8, in_channels=in_channels, bias=self.bias)
        g, d = (
            {name: weight.to(dtype) for name, weight in oracle.draw_weights(drawn, seed=seed).items()}
            for seed, drawn in enumerate((shapes, judged))
        )
        return Training(
            self.reference,
            generate,
            g,
            d,
            num_patch_layers=num,
            conditional=in_channels == 6,
            gan=loss.get("gan", "vanilla"),
            lambda_l1=loss.get("l1", 100.0),
        )

    def as_ours(self, g: oracle.Weights) -> oracle.Weights:
        is_turned = self.reference == "torch" and self.generator == "unet"
        return turned(g, levels=self.levels) if is_turned else g


CASES = {
    "pytorch unet 256": Case("pytorch", 256),
    "torch unet 256": Case("torch", 256),
    "pytorch batch of 2": Case("pytorch", 64, batch=2),
    "torch batch of 2": Case("torch", 64, batch=2),
    "torch encoder-decoder": Case("torch", 128, "encoder_decoder"),
    "pytorch resnet": Case("pytorch", 64, "resnet"),
    "pytorch lsgan": Case("pytorch", 64, patch=34, loss=(("gan", "lsgan"),)),
    "torch GAN without condition": Case("torch", 64, patch=16, loss=(("conditional", False),)),
    "torch without L1": Case("torch", 64, patch=1, loss=(("l1", 0.0),)),
    "pytorch without L1": Case("pytorch", 64, patch=1, loss=(("l1", 0.0),)),
    "torch L1 alone": Case("torch", 64, loss=(("gan", "none"),)),
}
OUR_NAMES = {"loss_gan": "loss_g_gan", "loss_l1": "loss_g_l1", "loss_real": "loss_d_real", "loss_fake": "loss_d_fake"}


def three_steps(case: Case, dtype: torch.dtype, see: Callable[[float, float], None]) -> tuple[TrainState, Training]:
    """Take three steps with both, and show `see` each loss, ours and theirs."""
    training, recipe = case.oracle(dtype), case.recipe()
    state = build_state(recipe, choose_device("cpu", "float32"))
    for network, weights in ((state.generator, case.as_ours(training.g)), (state.discriminator, training.d)):
        carry(weights, network.to(dtype))
    for step in range(3):
        a, b = (pictures(size_px=case.size_px, num=case.batch, seed=2 * step + side).to(dtype) for side in (0, 1))
        theirs = training.step(a, b)
        ours = train_step(state, Batch(a, b), recipe)
        for name, value in theirs.items():
            see(float(ours[OUR_NAMES[name]]), value)
    return state, training


@pytest.mark.parametrize("case", CASES)
def test_three_steps_are_those_of_the_reference(case, monkeypatch):
    """In float64, since in float32 Adam takes a gradient of nearly 0, up or down by rounding, as far as any other."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)  # our losses insist on float32
    within = partial(torch.testing.assert_close, rtol=0, atol=1e-9)
    state, training = three_steps(CASES[case], torch.float64, within)
    for network, weights in ((state.generator, CASES[case].as_ours(training.g)), (state.discriminator, training.d)):
        for ours, theirs in zip(network.parameters(), weights.values(), strict=True):
            within(ours.detach(), theirs)


@pytest.mark.parametrize("reference", ["pytorch", "torch"])
def test_three_steps_in_float32_are_those_of_the_reference_but_for_rounding(reference):
    case = Case(reference, 128)
    start, within = case.oracle(torch.float32), partial(torch.testing.assert_close, rtol=0, atol=1e-4)
    state, training = three_steps(case, torch.float32, within)
    for network, weights, first in (
        (state.generator, case.as_ours(training.g), case.as_ours(start.g)),
        (state.discriminator, training.d, start.d),
    ):
        for ours, theirs, before in zip(network.parameters(), weights.values(), first.values(), strict=True):
            assert (ours.detach() - theirs).norm() < 0.05 * (theirs - before).norm()


def test_a_stale_judgement_is_told_from_a_fresh_one(monkeypatch):
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    case = Case("torch", 64, patch=16, loss=(("stale_logits", False),))
    state, training = three_steps(case, torch.float64, lambda *_: None)
    difference = state.generator.to_picture[1].weight.detach() - case.as_ours(training.g)["d6.weight"]
    assert difference.abs().max() > 1e-6
