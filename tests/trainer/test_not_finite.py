"""NaN and infinity: the run stops, says where they came from, and keeps what was sound."""

from __future__ import annotations

import json

import pytest
import torch

from pix2pix_data.errors import TrainingError
from pix2pix_model.checkpoint import last_checkpoint, load_model
from pix2pix_model.device import choose_device
from pix2pix_model.not_finite import first_not_finite
from pix2pix_model.saved_state import tensors_of
from pix2pix_model.state import build_state

TOO_MUCH = "loss.l1=1e39"  # above the largest float32: the very first gradient is infinite
SELDOM = ("log.checkpoint_minutes=10", "log.metrics_every=4", "validation.every=0")


def failure(train_tiny, *overrides, **options) -> TrainingError:
    with pytest.raises(TrainingError) as raised:
        train_tiny(*overrides, **options)
    return raised.value


def test_the_step_the_tensor_and_the_remedy_are_told(train_tiny, tmp_path):
    told = failure(train_tiny, TOO_MUCH, *SELDOM)
    run = tmp_path / "runs" / "0001-tiny"
    assert (
        told.what == "step 1: the gradient of generator.encoder.0.0.weight is not finite (there is no checkpoint yet)"
    )
    assert told.where == str(run)
    assert told.fix == f"p2p-train --resume {run} --set train.learning_rate=5e-05"
    assert last_checkpoint(run) is None
    assert not (run / "model").exists()


@pytest.mark.parametrize("settings", [("log.checkpoint_minutes=0",), SELDOM])
def test_the_last_good_checkpoint_stays_as_it_is(train_tiny, settings, contents):
    run = train_tiny("train.max_steps=3")
    before = contents(run / "checkpoints")
    told = failure(train_tiny, TOO_MUCH, *settings, resume=run)
    assert told.what.startswith("step 4: the gradient of generator.")
    assert told.what.endswith("(the checkpoint of step 3 is sound)")
    assert contents(run / "checkpoints") == before
    assert all(bool(tensor.isfinite().all()) for tensor in load_model(run).generator.state_dict().values())
    train_tiny(resume=run)
    assert load_model(run / "model").config.steps == 6


def test_steps_are_repeated_up_to_the_one_that_failed(train_tiny, monkeypatch, capsys):
    from pix2pix_model import course

    honest = course.train_step

    def failing(state, batch, recipe):
        if state.step == 2:
            with torch.no_grad():
                state.generator.encoder[1][1].weight[0, 0, 0, 0] = torch.inf
        return honest(state, batch, recipe)

    monkeypatch.setattr(course, "train_step", failing)
    told = failure(train_tiny, *SELDOM)
    assert told.what.startswith("step 3: the output of generator.encoder.1.1 (Conv2d) is not finite")
    assert "repeating the steps after 0" in capsys.readouterr().err


def test_what_does_not_come_again_is_told_as_such(train_tiny, monkeypatch):
    from pix2pix_model import course

    honest, done = course.train_step, []

    def failing_once(state, batch, recipe):
        losses = honest(state, batch, recipe)
        done.append(state.step)
        return {name: value * torch.nan for name, value in losses.items()} if len(done) == 2 else losses

    monkeypatch.setattr(course, "train_step", failing_once)
    assert "but were when its steps were repeated" in failure(train_tiny, *SELDOM).what


def test_no_log_holds_what_is_no_json(train_tiny, tmp_path):
    failure(train_tiny, TOO_MUCH, "log.metrics_every=1")
    lines = (tmp_path / "runs" / "0001-tiny" / "metrics.jsonl").read_text().splitlines()
    for line in lines:
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("kind", ["weights", "moments"])
def test_a_single_value_among_all_that_is_saved_is_found(recipe, kind):
    state = build_state(recipe, choose_device("cpu"))
    sum(parameter.sum() for parameter in state.generator.parameters()).backward()
    state.optimizer_g.step()
    assert first_not_finite(tensors_of(state)) is None
    with torch.no_grad():
        if kind == "weights":
            state.generator.encoder[2][1].weight.view(-1)[-1] = torch.nan
            assert first_not_finite(tensors_of(state)) == "generator.encoder.2.1.weight"
        else:
            state.optimizer_g.state_dict()["state"][0]["exp_avg_sq"].view(-1)[-1] = torch.inf
            assert first_not_finite(tensors_of(state)) == "optimizer.g.0.exp_avg_sq"
