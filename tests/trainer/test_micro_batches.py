"""Gradients accumulated over parts of a step: the same step, by less memory."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from pix2pix_data.errors import RecipeError
from pix2pix_model.batch import Batch
from pix2pix_model.diff_augment import draw_augmentation
from pix2pix_model.nets import Rows, drawing_rows
from pix2pix_model.nets.dropout import Dropout
from pix2pix_model.recipe_file import load_recipe

INSTANCE = (
    *("generator.norm=instance", "discriminator.norm=instance", "generator.bias=false", "discriminator.bias=false"),
    *("generator.dropout_at=torch", "train.batch=4", "train.max_steps=10", "validation.every=0"),
    "train.seed=2",
)
"""Norms that see one picture; no biases before them, whose gradient is 0 but for rounding; dropout also in a network as
shallow as these; and a seed by which no activation is so near 0 that rounding decides which way its rectifier goes."""


def last_weights(run):
    return load_file(run / "checkpoints" / "step-000010" / "model.safetensors")


def assert_near(one, other, atol=1e-5):
    first, second = last_weights(one), last_weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], atol=atol, rtol=0, msg=name)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.diff_augment=['color','translation','cutout']"],
        ["loss.feature_matching=10.0", "loss.r1=1.0"],
        ["loss.gan=none"],
    ],
    ids=["plain", "diff_augment", "features_and_r1", "l1_alone"],
)
@pytest.mark.parametrize("size", [1, 3])
def test_ten_steps_in_parts_are_ten_steps_at_once(train_tiny, overrides, size):
    """With dropout; of seven pairs, each second step has three."""
    whole, in_parts = (train_tiny(*INSTANCE, *overrides, f"train.micro_batch={num}") for num in (0, size))
    assert_near(whole, in_parts)


def test_the_losses_of_parts_are_those_of_the_whole(train_tiny):
    logs = [
        (train_tiny(*INSTANCE, "train.max_steps=2", f"train.micro_batch={num}") / "metrics.jsonl").read_text()
        for num in (0, 1)
    ]
    of_whole, of_parts = map(json.loads, logs)
    for name in ("loss_g_gan", "loss_g_l1", "loss_d_real", "loss_d_fake", "d_accuracy"):
        assert of_parts[name] == pytest.approx(of_whole[name], abs=1e-5)


def test_a_run_in_parts_goes_on_to_the_bit(train_tiny):
    in_parts = (*INSTANCE, "train.micro_batch=1")
    stopped = train_tiny(*in_parts, "train.max_steps=5")
    train_tiny(*in_parts, resume=stopped)
    assert_near(train_tiny(*in_parts), stopped, atol=0)


def test_logits_of_before_the_update_need_the_whole_step(recipe_path):
    overrides = ["loss.stale_logits=true", "train.batch=4"]
    load_recipe(recipe_path, [*overrides, "train.micro_batch=4"])
    with pytest.raises(RecipeError, match=r"micro_batch should be 0, not 1, as loss\.stale_logits needs all pairs"):
        load_recipe(recipe_path, [*overrides, "train.micro_batch=1"])


def test_dropout_draws_for_some_rows_what_it_draws_for_all():
    network, x = torch.nn.Sequential(Dropout(0.3), Dropout(0.5)), torch.rand(5, 8, 4, 4)
    torch.manual_seed(1)
    whole = network(x)
    for start, stop in ((0, 1), (1, 4), (4, 5)):
        torch.manual_seed(1)
        with drawing_rows(network, Rows(start, stop, 5)):
            part = network(x[start:stop])
        assert torch.equal(part, whole[start:stop])
    assert not torch.equal(network(x), whole), "outside of the block it draws on"
    network.eval()
    with drawing_rows(network, Rows(0, 1, 5)):
        assert torch.equal(network(x[:1]), x[:1])


def test_augmentation_draws_for_some_rows_what_it_draws_for_all():
    b = torch.rand(5, 3, 16, 16)
    kinds = ["color", "translation", "cutout"]
    torch.manual_seed(1)
    augmentation = draw_augmentation(kinds, b)
    whole = augmentation.placed(augmentation.colored(b))
    torch.manual_seed(1)
    augmentation = draw_augmentation(kinds, b[2:4], Rows(2, 4, 5))
    assert torch.equal(augmentation.placed(augmentation.colored(b[2:4])), whole[2:4])


def test_parts_of_a_part_know_their_rows_and_their_share_of_the_step():
    a = torch.arange(3.0)[:, None, None, None]
    parts = Batch(a, a, 3 / 8, Rows(5, 8, 8)).parts(2)
    assert [part.a.flatten().tolist() for part in parts] == [[0, 1], [2]]
    assert [part.rows for part in parts] == [Rows(5, 7, 8), Rows(7, 8, 8)]
    assert [part.share for part in parts] == [2 / 8, 1 / 8]
