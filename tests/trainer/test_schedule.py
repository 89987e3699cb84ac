from __future__ import annotations

import numpy as np
import pytest

from pix2pix_model.recipe import TrainSettings
from pix2pix_model.schedule import Schedule, rng_for, seed_for


def test_rate_is_constant_then_falls_to_a_101st():
    schedule = Schedule(TrainSettings(), num_pairs=1)  # a step is an epoch
    assert [schedule.learning_rate(step) for step in (0, 99)] == [2e-4, 2e-4]
    assert schedule.learning_rate(100) == pytest.approx(2e-4 * 100 / 101)
    assert schedule.learning_rate(199) == pytest.approx(2e-4 / 101)


def test_rate_changes_between_epochs_alone():
    schedule = Schedule(TrainSettings(epochs=1, decay_epochs=2, batch=2), num_pairs=5)
    rates = [round(schedule.learning_rate(step) / 2e-4, 6) for step in range(schedule.num_steps)]
    assert rates == [1, 1, 1, *[round(2 / 3, 6)] * 3, *[round(1 / 3, 6)] * 3]


def test_no_decay_is_the_constant_rate_of_the_torch_code():
    schedule = Schedule(TrainSettings(epochs=200, decay_epochs=0), num_pairs=1)
    assert {schedule.learning_rate(step) for step in range(200)} == {2e-4}


def test_each_epoch_visits_every_pair_once_in_an_order_of_its_own():
    schedule = Schedule(TrainSettings(batch=3), num_pairs=10)
    epochs = [np.concatenate([schedule.pairs(step) for step in range(4 * e, 4 * e + 4)]) for e in range(2)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert not np.array_equal(*epochs)


def test_pairs_may_be_drawn_with_replacement_as_the_torch_code_does():
    schedule = Schedule(TrainSettings(order="drawn"), num_pairs=1000)
    epoch = np.concatenate([schedule.pairs(step) for step in range(1000)])
    assert len(set(epoch)) == pytest.approx(1000 * (1 - np.exp(-1)), abs=50)
    assert epoch[:5].tolist() == [*np.concatenate([schedule.pairs(step) for step in range(5)])]


def test_the_last_batch_of_an_epoch_is_kept_short():
    schedule = Schedule(TrainSettings(batch=4, epochs=1, decay_epochs=1), num_pairs=10)
    assert [len(schedule.pairs(step)) for step in range(schedule.num_steps)] == [4, 4, 2, 4, 4, 2]
    assert [schedule.num_images(step) for step in range(7)] == [0, 4, 8, 10, 14, 18, 20]


def test_max_steps_ends_a_run_early_and_never_late():
    settings = TrainSettings(epochs=2, decay_epochs=0)
    assert Schedule(settings, 5).num_steps == 10
    assert Schedule(settings.model_copy(update={"max_steps": 7}), 5).num_steps == 7
    assert Schedule(settings.model_copy(update={"max_steps": 70}), 5).num_steps == 10


def test_draws_depend_on_purpose_seed_and_step_alone():
    assert rng_for("jitter", 1, 2).random() == rng_for("jitter", 1, 2).random()
    seeds = {seed_for(purpose, seed, step) for purpose in ("jitter", "dropout") for seed in (0, 1) for step in (0, 1)}
    assert len(seeds) == 8


def test_streamed_pairs_come_once_an_epoch_shuffled_among_neighbouring_files():
    schedule = Schedule(TrainSettings(batch=5), num_pairs=50, shards=(10, 10, 10, 10, 10), buffer=20)
    epochs = [[int(i) for step in range(start, start + 10) for i in schedule.pairs(step)] for start in (0, 10)]
    assert epochs[0] != epochs[1]
    for order in epochs:
        assert sorted(order) == list(range(50))
        groups = [{i // 10 for i in order[start : start + 20]} for start in (0, 20, 40)]
        assert [len(files) for files in groups] == [2, 2, 1]  # files are opened two at a time, none twice
        assert order[:20] != sorted(order[:20])
