"""Several processes that train together: as torchrun starts them, over gloo on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pix2pix_model import distributed
from pix2pix_model.checkpoint import last_checkpoint

SAME = (
    *("generator.norm=instance", "generator.bias=false", "discriminator.norm=instance", "discriminator.bias=false"),
    *("generator.dropout_at=torch", "validation.every=0", "train.seed=2"),
)
"""What makes two processes equal one: norms that see one picture, and no biases before these norms, whose gradient is 0
but for rounding, of which Adam makes whole steps. Networks as shallow as these have dropout as in Torch alone. By other
seeds an activation may be so near 0 that rounding decides which way its rectifier goes."""


def settings(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def line(recipe_path: Path, *overrides: str, processes: int = 2) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, *launcher, "-m", "pix2pix_model", str(recipe_path), *settings(*SAME, *overrides)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def together(recipe_path: Path, *overrides: str, arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*line(recipe_path, *overrides), *arguments],
        cwd=recipe_path.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def weights(run: Path) -> dict[str, torch.Tensor]:
    checkpoint = last_checkpoint(run)
    assert checkpoint is not None
    return load_file(checkpoint / "model.safetensors")


def assert_same(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], atol=1e-5, rtol=0, msg=name)


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(entry) for entry in (run / "metrics.jsonl").read_text().splitlines()]


def test_ten_steps_of_two_processes_are_those_of_one_with_both_their_pairs(tmp_path, recipe_path, train_tiny):
    """Seven pairs, one for each process: in the last step of each epoch one process has none."""
    done = together(recipe_path, "train.max_steps=10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next:") == 1  # the second process is quiet
    alone = train_tiny(*SAME, "train.max_steps=10")
    run = tmp_path / "runs" / "0001-tiny"
    assert alone != run
    assert_same(run, alone)
    for of_two, of_one in zip(log_of(run), log_of(alone), strict=True):
        assert of_two["loss_g_l1"] == pytest.approx(of_one["loss_g_l1"], abs=1e-5)


def test_a_run_of_two_processes_goes_on_by_two_and_by_one(tmp_path, recipe_path, train_tiny):
    """With two pairs for each process, one after the other, and augmentation: all draws are those of one process."""
    settings = ("train.batch=4", "train.diff_augment=['color','translation','cutout']")
    run = tmp_path / "runs" / "0001-tiny"
    for steps, resume in ((3, ()), (6, ("--resume", str(run)))):
        done = together(recipe_path, *settings, "train.micro_batch=1", f"train.max_steps={steps}", arguments=resume)
        assert done.returncode == 0, done.stderr
    train_tiny(*SAME, *settings, "train.max_steps=8", resume=run)
    assert_same(run, train_tiny(*SAME, *settings, "train.max_steps=8"))


def start_two(recipe_path: Path) -> list[subprocess.Popen[str]]:
    """Start two processes without torchrun's agent, which would end the other one by itself."""
    both = []
    for number in range(2):
        meeting = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2"}
        meeting |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(20000 + os.getpid() % 20000)}
        command = [sys.executable, "-m", "pix2pix_model", str(recipe_path), *settings(*SAME, "train.max_steps=100000")]
        both.append(
            subprocess.Popen(
                command, cwd=recipe_path.parent, env=environment() | meeting, stderr=subprocess.PIPE, text=True
            )
        )
    wait_for_checkpoint(recipe_path.parent)
    return both


def wait_for_checkpoint(folder: Path) -> None:
    deadline = time.monotonic() + 100
    while not list(folder.glob("runs/*/checkpoints/last")):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_killed_process_ends_the_other_with_words(recipe_path):
    killed = 0  # the one at which they met
    both = start_two(recipe_path)
    both[killed].kill()
    told = both[1 - killed].communicate(timeout=60)[1]
    assert both[1 - killed].returncode == 1
    assert "error: another process of this training ended" in told
    assert "Traceback" not in told
    both[killed].communicate()


def test_one_that_is_asked_to_stop_stops_both_after_saving(recipe_path):
    both = start_two(recipe_path)
    both[1].send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [130, 130], told
    assert "Traceback" not in "".join(told)


def test_a_part_is_a_run_of_the_batch_and_an_empty_one_counts_for_nothing(monkeypatch):
    monkeypatch.setattr(distributed, "num_processes", lambda: 3)
    parts = []
    for number in range(3):
        monkeypatch.setattr(distributed, "rank", lambda number=number: number)
        parts.append([distributed.own_part(num) for num in (6, 7, 1)])
    for column, num in zip(zip(*parts, strict=True), (6, 7, 1), strict=True):
        held = [i for part, share in column if share for i in range(num)[part]]
        assert held == list(range(num))
        assert sum(share for _, share in column) == pytest.approx(1)
        assert all(range(num)[part] for part, _ in column)
