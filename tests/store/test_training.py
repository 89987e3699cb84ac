"""A run that reads its pairs from an object store is the run of the same pairs on the disk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_proxy import CUT, ERROR, WRONG, Faults
from safetensors.numpy import load_file

from pix2pix_data.errors import FormatError, UsageError
from pix2pix_data.object_store import Store

pytestmark = pytest.mark.network
Run = Callable[..., subprocess.CompletedProcess[str]]

PAIRS = "s3://bucket/sets/pairs"
RECIPE = """
[data]
path = "pairs"
load_size = 36
crop_size = 32
[generator]
width = 2
[discriminator]
width = 4
patch = 16
[train]
batch = 2
max_steps = 6
device = "cpu"
[validation]
every = 0
[log]
metrics_every = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def pairs(photos: Path, p2p_data: Run, tmp_path: Path) -> Path:
    made = p2p_data("colorize", photos, "--out", "pairs", "--size", "40", "--group", "file", "--test", "0")
    assert made.returncode == 0, made.stderr
    return tmp_path / "pairs"


def test_what_cannot_be_streamed_is_named(s3: Faults, pairs, photos, recipe, p2p_train):
    Store(PAIRS).write(b"{}", "build.json")
    with pytest.raises(FormatError, match=r"no dataset that can be streamed.*p2p-data push"):
        p2p_train(recipe, "--set", "data.stream=40", "--set", f"data.path={PAIRS}")
    (pairs.parent / "ab" / "train").mkdir(parents=True)
    (pairs.parent / "ab" / "train" / "0.jpg").write_bytes((photos / "0" / "000.jpg").read_bytes())
    with pytest.raises(UsageError, match=r"cannot be streamed.*p2p-data import"):
        p2p_train(recipe, "--set", "data.stream=40", "--set", "data.path=ab")


def losses(run: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name.startswith("loss")} for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    assert losses(one) == losses(other)
    assert len(losses(one)) == 6
    assert losses(one)[0]
    ours, theirs = (load_file(run / "model" / "model.safetensors") for run in (one, other))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_a_run_from_a_store_is_that_of_a_folder_to_the_bit(s3: Faults, pairs, recipe, p2p_data, p2p_train, tmp_path):
    p2p_train(recipe)
    assert p2p_data("push", pairs, PAIRS).returncode == 0
    s3.add("GET /bucket/sets/pairs/data/train-00000.*", ERROR, 3)
    s3.add("GET /bucket/sets/pairs/data/train-00001.*", CUT)
    s3.add("GET /bucket/sets/pairs/data/train-00002.*", WRONG)
    p2p_train(recipe, "--set", f"data.path={PAIRS}")
    assert s3.all_used
    assert_same_run(tmp_path / "runs/0001-tiny", tmp_path / "runs/0002-tiny")
    resolved = (tmp_path / "runs/0002-tiny/recipe.toml").read_text()
    assert f'path = "{PAIRS}"' in resolved
    assert "very-secret" not in resolved


def test_a_streamed_run_is_the_same_from_a_store_and_a_folder_and_however_often_it_stops(
    s3: Faults, pairs, recipe, p2p_data, p2p_train, tmp_path, monkeypatch
):
    stream = ("--set", "data.stream=40", "--set", "train.max_steps=6", "--set", "train.batch=20")
    p2p_train(recipe, *stream)
    assert p2p_data("push", pairs, PAIRS).returncode == 0
    monkeypatch.setattr("pix2pix_data.stored_dataset._MOST_BYTES", 1)  # one shard at a time
    s3.add("GET /bucket/sets/pairs/data/train-00000.*", CUT)
    s3.add("GET /bucket/sets/pairs/data/train-00001.*", WRONG)
    p2p_train(recipe, *stream, "--set", f"data.path={PAIRS}")
    assert s3.all_used
    assert_same_run(tmp_path / "runs/0001-tiny", tmp_path / "runs/0002-tiny")
    assert len(list(tmp_path.glob("cache/streams/*/pairs/data/*.parquet"))) == 2  # of 4: the last, and the one before

    p2p_train(recipe, *stream, "--set", f"data.path={PAIRS}", "--set", "train.max_steps=4")
    p2p_train("--resume", "runs/0003-tiny", "--set", "train.max_steps=6")
    assert_same_run(tmp_path / "runs/0001-tiny", tmp_path / "runs/0003-tiny")
