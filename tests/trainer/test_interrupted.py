"""What stops a run from outside: Ctrl-C and SIGTERM at any point, and a disk that takes no more."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pix2pix_data.errors import CheckpointError, TrainingError
from pix2pix_model import cli_train, run_log, train, validation
from pix2pix_model.checkpoint import last_checkpoint, load_model

EVERY_STEP = ("validation.every=1", "log.samples_every=1")
PLACES = {
    "measuring": (validation.Validation, "measure"),
    "sampling": (run_log.Samples, "sheet"),
    "saving": (train, "save_state"),
    "reading the clock": (train.Clock, "checkpoint_is_due"),
}


@pytest.fixture(autouse=True)
def ctrl_c_means_stop() -> Iterator[None]:
    """A shell's background job, as tests may be, is started with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def send_at(monkeypatch: pytest.MonkeyPatch, place: str, step: int, *signals: signal.Signals) -> None:
    """Send signals to this very process when a run does something for the `step`-th time."""
    owner, name = PLACES[place]
    honest, calls = getattr(owner, name), []

    def interrupted(*args: object, **options: object) -> object:
        calls.append(name)
        if len(calls) == step:
            for number in signals:
                os.kill(os.getpid(), number)
        return honest(*args, **options)

    monkeypatch.setattr(owner, name, interrupted)


def stop_at(train_tiny: Callable[..., Path], tmp_path: Path, *overrides: str) -> Path:
    with pytest.raises(KeyboardInterrupt):
        train_tiny(*EVERY_STEP, *overrides)
    run = tmp_path / "runs" / "0001-tiny"
    assert not list(run.rglob("*.part"))
    assert not (run / "model").exists()
    return run


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


# --- signals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("measuring", signal.SIGINT),
        ("sampling", signal.SIGTERM),
        ("saving", signal.SIGTERM),
        ("reading the clock", signal.SIGINT),
    ],
)
def test_a_signal_saves_the_step_it_met_whatever_was_being_done(train_tiny, tmp_path, monkeypatch, place, number):
    send_at(monkeypatch, place, 3, number)
    run = stop_at(train_tiny, tmp_path)
    assert last_checkpoint(run).name == "step-000003"
    assert load_model(run).config.steps == 3


def test_what_a_signal_stopped_goes_on_to_the_same_weights(train_tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        send_at(patch, "measuring", 3, signal.SIGTERM)
        run = stop_at(train_tiny, tmp_path)
    train_tiny(*EVERY_STEP, resume=run)
    assert weights(run) == weights(train_tiny(*EVERY_STEP))


def test_a_second_ctrl_c_stops_at_once_and_keeps_the_checkpoint_before(train_tiny, tmp_path, monkeypatch):
    send_at(monkeypatch, "measuring", 3, signal.SIGINT, signal.SIGINT)
    run = stop_at(train_tiny, tmp_path)
    assert last_checkpoint(run).name == "step-000002"
    assert load_model(run).config.steps == 2


def test_a_second_ctrl_c_while_saving_leaves_no_half_checkpoint(train_tiny, tmp_path, monkeypatch):
    from pix2pix_model import saved_state

    honest, calls = saved_state.save_file, []

    def interrupted(tensors: object, path: Path) -> None:
        honest(tensors, path)
        calls.append(path)
        if len(calls) == 5:  # the weights of the third checkpoint
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(saved_state, "save_file", interrupted)
    run = stop_at(train_tiny, tmp_path)
    assert last_checkpoint(run).name == "step-000002"
    assert {path.name for path in (run / "checkpoints").glob("step-*")} == {"step-000001", "step-000002"}


def test_signals_mean_what_they_did_once_the_run_is_over(train_tiny):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train_tiny()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- the disk -----------------------------------------------------------------------------------------------------


@contextmanager
def no_file_above(num_bytes: int) -> Iterator[None]:
    """Let no file grow above so many bytes: for one that is written then, the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("num_bytes", "settings", "error"),
    [
        (100_000, (), CheckpointError),  # the weights still fit, what the optimisers remember does not
        (50_000, (), CheckpointError),
        (6_000, ("log.checkpoint_minutes=10",), TrainingError),  # a sheet of samples does not
        (800, ("log.checkpoint_minutes=10", "log.samples_every=100"), TrainingError),  # nor does the recipe
    ],
)
def test_a_full_disk_keeps_the_last_checkpoint(train_tiny, num_bytes, settings, error, contents):
    run = train_tiny("train.max_steps=3")
    before = contents(run / "checkpoints")
    with no_file_above(num_bytes), pytest.raises(error, match=r"cannot be written: .*\(make room") as raised:
        train_tiny(*settings, resume=run)
    assert "give the same command again" in raised.value.fix
    assert contents(run / "checkpoints") == before
    train_tiny(resume=run)
    assert weights(run) == weights(train_tiny())


def test_a_full_disk_ends_in_exit_code_1(recipe_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["p2p-train", str(recipe_path)])
    with no_file_above(50_000), pytest.raises(SystemExit) as ended:
        cli_train.main()
    assert ended.value.code == 1
    *_, what, where, remedy = capsys.readouterr().err.splitlines()
    assert what.startswith("error: cannot be written: ")
    assert where.endswith("step-000001")
    assert remedy == "to do: make room, and give the same command again"
