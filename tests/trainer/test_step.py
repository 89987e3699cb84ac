from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from pix2pix_data.errors import RecipeError
from pix2pix_model.batch import Batch
from pix2pix_model.device import choose_device
from pix2pix_model.recipe import Recipe
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.state import TrainState, build_state
from pix2pix_model.step import train_step

CPU = choose_device("cpu")
NAMES = ["loss_g_gan", "loss_g_l1", "loss_d_real", "loss_d_fake", "d_accuracy"]


def make_batch(num: int = 2) -> Batch:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(num, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    return Batch(a, b)


@pytest.fixture
def state(recipe: Recipe) -> TrainState:
    return build_state(recipe, CPU)


def test_a_step_is_that_of_plain_adam_on_the_written_losses(recipe, state):
    """The discriminator first, then the generator judged by the updated discriminator."""
    batch = make_batch()
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    optimizer_g = torch.optim.Adam(generator.parameters(), **adam)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), **adam)
    for step in range(3):
        torch.manual_seed(step)
        losses = train_step(state, batch, recipe)
        torch.manual_seed(step)

        fake_b = generator(batch.a)
        fake = discriminator(torch.cat([batch.a, fake_b.detach()], 1))[0]
        real = discriminator(torch.cat([batch.a, batch.b], 1))[0]
        loss_fake = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
        loss_real = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
        optimizer_d.zero_grad()
        ((loss_fake + loss_real) / 2).backward()
        optimizer_d.step()
        judged = discriminator(torch.cat([batch.a, fake_b], 1))[0]
        loss_gan = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
        loss_l1 = F.l1_loss(fake_b, batch.b)
        optimizer_g.zero_grad()
        (loss_gan + 100 * loss_l1).backward()
        optimizer_g.step()

        expected = [loss_gan, loss_l1, loss_real, loss_fake]
        assert [losses[name].item() for name in NAMES[:4]] == pytest.approx([e.item() for e in expected], abs=1e-4)
    for network, by_hand in ((state.generator, generator), (state.discriminator, discriminator)):
        for ours, theirs in zip(network.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_losses_are_detached_and_named_as_in_the_log(recipe, state):
    losses = train_step(state, make_batch(), recipe)
    assert list(losses) == NAMES
    assert not any(value.requires_grad or value.ndim for value in losses.values())
    assert 0 <= losses["d_accuracy"].item() <= 1


def test_the_generators_loss_leaves_no_gradient_in_the_discriminator(recipe, state):
    batch = make_batch()
    generator, discriminator = copy.deepcopy((state.generator, state.discriminator))
    torch.manual_seed(0)
    train_step(state, batch, recipe)
    torch.manual_seed(0)
    fake_b = generator(batch.a).detach()
    fake, real = (discriminator(torch.cat([batch.a, b], 1))[0] for b in (fake_b, batch.b))
    ((F.softplus(fake).mean() + F.softplus(-real).mean()) / 2).backward()
    for ours, by_hand in zip(state.discriminator.parameters(), discriminator.parameters(), strict=True):
        assert ours.requires_grad
        torch.testing.assert_close(ours.grad, by_hand.grad, rtol=1e-4, atol=1e-6)


def test_the_discriminator_factor_scales_its_gradient_alone(recipe_path):
    gradients = []
    for factor in ("0.5", "1.0"):
        recipe = load_recipe(recipe_path, [f"loss.discriminator_factor={factor}"])
        state = build_state(recipe, CPU)
        torch.manual_seed(0)
        train_step(state, make_batch(), recipe)
        gradients.append(next(iter(state.discriminator.parameters())).grad)
    torch.testing.assert_close(2 * gradients[0], gradients[1])


def step_with(recipe_path: Path, *overrides: str) -> tuple[TrainState, dict[str, torch.Tensor]]:
    recipe = load_recipe(recipe_path, overrides)
    state = build_state(recipe, CPU)
    torch.manual_seed(0)
    return state, train_step(state, make_batch(), recipe)


@pytest.mark.parametrize(
    ("override", "more"),
    [
        ("loss.gan=lsgan", []),
        ("loss.gan=hinge", []),
        ("loss.conditional=false", []),
        ("loss.l1=0.0", []),
        ("loss.label_smoothing=0.1", []),
        ("loss.stale_logits=true", []),
        ("discriminator.scales=2", []),
        ("discriminator.spectral_norm=true", []),
        ("train.diff_augment=['color','translation','cutout']", []),
        ("loss.feature_matching=10.0", ["loss_g_features"]),
        ("loss.r1=1.0", ["loss_d_r1"]),
    ],
)
def test_each_switch_trains_both_networks_and_names_its_losses(recipe_path, override, more):
    before, _ = step_with(recipe_path, override, "train.learning_rate=1e-30")
    state, losses = step_with(recipe_path, override, "discriminator.width=4")
    assert sorted(losses) == sorted([*NAMES, *more])
    assert all(value.isfinite() for value in losses.values())
    for name in ("generator", "discriminator"):
        pairs = zip(getattr(state, name).parameters(), getattr(before, name).parameters(), strict=True)
        assert sum(torch.equal(after, was) for after, was in pairs) <= 1  # hinge pulls the last bias both ways alike


def test_all_switches_go_together(recipe_path):
    kit = ["loss.feature_matching=10.0", "loss.r1=1.0", "train.ema=0.9", "discriminator.scales=2"]
    kit += ["discriminator.spectral_norm=true", "train.diff_augment=['color','translation','cutout']"]
    for stale in ("true", "false"):
        _, losses = step_with(recipe_path, *kit, f"loss.stale_logits={stale}", "loss.gan=hinge")
        assert all(value.isfinite() for value in losses.values())


def test_without_a_gan_loss_the_generator_descends_on_l1_and_the_discriminator_rests(recipe_path):
    recipe = load_recipe(recipe_path, ["loss.gan=none", "generator.dropout=0.0"])
    state, batch = build_state(recipe, CPU), make_batch()
    by_hand, at_rest = copy.deepcopy((state.generator, state.discriminator))
    assert list(train_step(state, batch, recipe)) == ["loss_g_l1"]
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=2e-4, betas=(0.5, 0.999))
    (100 * F.l1_loss(by_hand(batch.a), batch.b)).backward()
    optimizer.step()
    for ours, theirs in zip(state.generator.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(state.discriminator.parameters(), at_rest.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_recipe_with_nothing_to_learn_from_is_refused(recipe_path):
    with pytest.raises(RecipeError, match="nothing else would be learned from"):
        load_recipe(recipe_path, ["loss.gan=none", "loss.l1=0.0"])


def test_an_unconditional_discriminator_does_not_see_a(recipe_path):
    recipe = load_recipe(recipe_path, ["loss.conditional=false", "train.learning_rate=1e-30"])
    state, batch = build_state(recipe, CPU), make_batch()
    real = [train_step(state, Batch(a, batch.b), recipe)["loss_d_real"] for a in (batch.a, -batch.a)]
    torch.testing.assert_close(*real)


def test_stale_logits_meet_the_updated_weights_on_the_way_back(recipe_path):
    """As Torch computes it, written out for a discriminator of single pixels: old activations, new weights."""
    overrides = ["loss.stale_logits=true", "loss.l1=0.0", "train.learning_rate=0.05", "generator.dropout=0.0"]
    recipe = load_recipe(recipe_path, [*overrides, "discriminator.patch=1", "discriminator.norm=none"])
    state, batch = build_state(recipe, CPU), make_batch()
    generator, judge = copy.deepcopy((state.generator, state.discriminator))
    train_step(state, batch, recipe)

    fake_b = generator(batch.a)
    first, second, logits = judge.features(torch.cat([batch.a, fake_b], 1).detach())[0]
    updated = [m.weight[:, :, 0, 0] for m in state.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    back = -torch.sigmoid(-logits) / logits.numel()  # the gradient of -log sigmoid(x), on the mean
    for weight, activation in zip(reversed(updated), (second, first, None), strict=True):
        back = torch.einsum("oi,nohw->nihw", weight, back)
        back = back if activation is None else back * torch.where(activation > 0, 1.0, 0.2)
    fake_b.backward(back[:, 3:])
    for ours, theirs in zip(state.generator.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-9)


def test_the_average_follows_the_generator(recipe_path):
    recipe = load_recipe(recipe_path, ["train.ema=0.6"])
    state = build_state(recipe, CPU)
    expected = state.generator.encoder[2][1].weight.detach().clone()
    for decay in (2 / 11, 3 / 12, 4 / 13):
        train_step(state, make_batch(), recipe)
        state.step += 1
        state.update_average(recipe.train.ema)
        expected = decay * expected + (1 - decay) * state.generator.encoder[2][1].weight.detach()
    torch.testing.assert_close(state.average.encoder[2][1].weight, expected)
    assert state.finished is state.average
    assert not state.average.training


def test_it_overfits_four_pairs(recipe_path):
    recipe = load_recipe(recipe_path, ["generator.width=8", "generator.dropout=0.0", "train.learning_rate=2e-3"])
    state, batch = build_state(recipe, CPU), make_batch(4)
    smooth = F.avg_pool2d(batch.b, 9, 1, 4)  # noise itself could not be learned in a few steps
    l1 = [train_step(state, Batch(batch.a, smooth), recipe)["loss_g_l1"].item() for _ in range(60)]
    assert l1[-1] < 0.5 * l1[0]


def test_equal_seeds_give_equal_weights_and_other_seeds_others(recipe_path):
    first, again, other = (
        build_state(load_recipe(recipe_path, [f"train.seed={seed}"]), CPU).generator.encoder[0][0].weight
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bf16_keeps_weights_and_losses_in_float32(recipe):
    state = build_state(recipe, choose_device("cpu", "bf16"))
    losses = train_step(state, make_batch(), recipe)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert {parameter.dtype for parameter in state.generator.parameters()} == {torch.float32}
