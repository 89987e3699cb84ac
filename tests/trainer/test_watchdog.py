"""Illnesses planted one by one and named once each; and a healthy run, about which nothing is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pix2pix_data.dataset import open_dataset
from pix2pix_data.images import write_png
from pix2pix_model import state
from pix2pix_model.device import choose_device
from pix2pix_model.held_out import FixedPairs
from pix2pix_model.nets import GeneratorSpec, UNet
from pix2pix_model.symptoms import constant_bottleneck, fits_any, spread_between, spread_within
from pix2pix_model.watchdog import Watchdog

CPU = choose_device("cpu")
HEALTHY = {"loss_d_real": 0.4, "loss_d_fake": 0.5, "data_share": 0.05}


def to_network(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2) / 127.5 - 1


def to_pixels(pictures: Tensor) -> Tensor:
    return ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


@pytest.fixture
def pairs(dataset_dir, recipe, draw_pair) -> FixedPairs:
    for i in range(6):
        write_png(dataset_dir / "val" / f"{i}.png", draw_pair(200 + i))
    return FixedPairs(open_dataset(dataset_dir), recipe, split="validation", num=6)


@pytest.fixture
def told(capsys):
    """Return what has been said so far, line by line."""
    return lambda: capsys.readouterr().err.splitlines()


class Says(nn.Module):
    """A generator that answers one condition after another with pictures given beforehand."""

    def __init__(self, pictures: Tensor) -> None:
        super().__init__()
        self.pictures = pictures
        self.weight = nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, a: Tensor) -> Tensor:
        self.calls += 1
        return self.pictures[(self.calls - 1) % len(self.pictures)][None] + 0 * a


def measure_twice(watchdog: Watchdog, pairs: FixedPairs, generator: nn.Module) -> None:
    for _ in range(2):
        watchdog.look_at_generator(generator, pairs.pictures(generator, CPU), CPU, step=500)


# --- the losses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ill", "words"),
    [
        ({"loss_d_real": 0.001, "loss_d_fake": 0.002}, "the discriminator has won"),
        ({"data_share": 0.8}, "training waits for pixels"),
    ],
)
def test_what_the_losses_show_is_told_once_when_it_lasts(told, ill, words):
    watchdog = Watchdog(None)
    for _ in range(9):
        watchdog.look_at_log(HEALTHY | ill)
    watchdog.look_at_log(HEALTHY)
    assert told() == [], "it passed"
    for _ in range(25):
        watchdog.look_at_log(HEALTHY | ill)
    (line,) = told()
    assert line.startswith(f"careful: {words}")


def test_a_run_without_a_discriminator_has_none_that_wins(told):
    watchdog = Watchdog(None)
    for _ in range(20):
        watchdog.look_at_log({"loss_g_l1": 0.1, "data_share": 0.1})
    assert told() == []


# --- the pictures -------------------------------------------------------------------------------------------------


def ill_pictures(pairs: FixedPairs, kind: str) -> Tensor:
    real = to_network(pairs.b)
    return {
        "flat": torch.linspace(-1, 1, len(real))[:, None, None, None].expand(real.shape),
        "same": real[:1].expand(real.shape) + 0.01 * torch.linspace(-1, 1, len(real))[:, None, None, None],
        "ignored": real.roll(2, 0),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("flat", "the output has collapsed to flat pictures; lower train.learning_rate"),
        ("same", "the output has collapsed to one picture for every input"),
        ("ignored", "the input is ignored"),
    ],
)
def test_ill_pictures_are_named_once(pairs, told, kind, words):
    watchdog, generator = Watchdog(pairs), Says(ill_pictures(pairs, kind))
    watchdog.look_at_generator(generator, to_pixels(generator.pictures), CPU, step=500)
    assert told() == [], "not at first sight"
    for _ in range(3):
        watchdog.look_at_generator(generator, to_pixels(generator.pictures), CPU, step=500)
    (line,) = told()
    assert line.startswith(f"careful: {words}")


def test_a_generator_that_has_learned_nothing_yet_is_not_judged(pairs, told):
    watchdog, generator = Watchdog(pairs), Says(ill_pictures(pairs, "flat"))
    for step in range(100, 500, 100):
        watchdog.look_at_generator(generator, to_pixels(generator.pictures), CPU, step=step)
    assert told() == []


def test_blurred_but_true_pictures_are_no_illness(pairs, told):
    real = to_network(pairs.b)
    blurred = nn.functional.avg_pool2d(real, 9, 1, 4, count_include_pad=False)
    watchdog = Watchdog(pairs)
    measure_twice(watchdog, pairs, Says(0.5 * blurred))
    assert told() == []


def test_real_pictures_that_are_all_alike_say_nothing_of_the_generator(pairs, told):
    pairs.b = pairs.b[:1].expand(pairs.b.shape)
    watchdog, generator = Watchdog(pairs), Says(to_network(pairs.b))
    measure_twice(watchdog, pairs, generator)
    assert told() == []


def test_spreads_and_gain_of_drawn_pictures():
    halves = torch.zeros(2, 4, 6, 3, dtype=torch.uint8)
    halves[:, :2] = 100  # each is half black, half gray
    halves[1] += 10
    assert spread_within(halves) == 50
    assert spread_between(halves) == 5


def test_pictures_fit_their_own_targets_or_any():
    rng = torch.Generator().manual_seed(0)
    real = torch.randint(256, (12, 8, 10, 3), generator=rng, dtype=torch.uint8)
    others = torch.randint(256, (12, 8, 10, 3), generator=rng, dtype=torch.uint8)
    assert fits_any(others, real)
    assert not fits_any(real, real)
    assert not fits_any(real // 4 + 96, real), "pale and still its own"


# --- the bottleneck -----------------------------------------------------------------------------------------------


class NormOfOneValue(nn.Module):
    """Batch norm as it was at the paper's first bottleneck: a single value less its own mean is 0."""

    def forward(self, h: Tensor) -> Tensor:
        return h - h.mean((0, 2, 3), keepdim=True)


def given(num: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(num)]


def test_a_norm_of_a_single_value_kills_the_bottleneck():
    unet = UNet(GeneratorSpec(size_px=32, width=2))
    assert constant_bottleneck(unet, given(), CPU) is None
    unet.encoder[4].append(NormOfOneValue())
    assert constant_bottleneck(unet, given(), CPU) == "encoder.4.2 (NormOfOneValue)"
    assert unet.training
    assert not any(layer._forward_hooks for layer in unet.modules())


def test_dead_rectifiers_kill_the_bottleneck():
    unet = UNet(GeneratorSpec(size_px=32, width=2))
    innermost = unet.encoder[4][1]
    innermost.bias = nn.Parameter(torch.full((innermost.out_channels,), -100.0))
    assert constant_bottleneck(unet, given(), CPU) is not None


def test_a_dead_bottleneck_is_named_while_the_skips_still_make_pictures(pairs, told):
    unet = UNet(GeneratorSpec(size_px=32, width=2))
    unet.encoder[4].append(NormOfOneValue())
    watchdog = Watchdog(pairs)
    for _ in range(3):
        watchdog.look_at_generator(unet, pairs.b, CPU, step=10)  # its pictures are fine
    (line,) = told()
    assert line.startswith("careful: the bottleneck is dead: encoder.4.2 (NormOfOneValue) gives the same")


def test_a_network_without_a_narrow_place_has_no_bottleneck():
    assert constant_bottleneck(nn.Sequential(nn.Conv2d(3, 3, 1), NormOfOneValue()), given(), CPU) is None


# --- a run --------------------------------------------------------------------------------------------------------

QUICK = ("log.checkpoint_minutes=10", "log.samples_every=1000", "validation.every=10")


def test_nothing_is_said_of_a_healthy_run(train_tiny, pairs, told):
    train_tiny(*QUICK, "train.max_steps=40", "generator.width=4", "train.learning_rate=2e-3")
    assert not [line for line in told() if line.startswith("careful")]


def test_a_run_tells_what_was_planted_in_it(train_tiny, pairs, told, monkeypatch):
    honest = state.build_networks

    def planted(recipe):
        generator, discriminator = honest(recipe)
        generator.encoder[4].append(NormOfOneValue())
        return generator, discriminator

    monkeypatch.setattr(state, "build_networks", planted)
    train_tiny(*QUICK, "train.max_steps=30")
    assert sum("the bottleneck is dead: encoder.4.2" in line for line in told()) == 1
