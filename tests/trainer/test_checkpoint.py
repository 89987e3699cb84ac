from __future__ import annotations

import json
import shutil

import pytest
import torch

from pix2pix_data.errors import CheckpointError
from pix2pix_data.images import read_rgb
from pix2pix_model.checkpoint import EXAMPLES, last_checkpoint, load_model


@pytest.fixture
def run(train_tiny):
    return train_tiny("train.max_steps=2")


def test_a_model_loads_from_a_run_a_checkpoint_and_wherever_it_was_copied(run, tmp_path):
    copied = shutil.copytree(run / "model", tmp_path / "elsewhere")
    models = [load_model(path) for path in (run, run / "model", run / "checkpoints" / "step-000002", copied)]
    a = torch.rand(1, 3, 32, 64)
    made = [model.generator(a) for model in models]
    assert all(torch.equal(one, made[0]) for one in made[1:])
    assert made[0].shape == a.shape


def test_an_unfinished_run_gives_its_last_checkpoint(run):
    shutil.rmtree(run / "model")
    assert load_model(run).path == last_checkpoint(run)


def test_whoever_may_read_the_folder_may_read_its_files(run):
    model = run / "model"

    modes = {file.name: oct(file.stat().st_mode & 0o666) for file in model.iterdir()}

    assert set(modes.values()) == {oct(model.stat().st_mode & 0o666)}


def test_a_loaded_model_gives_the_same_picture_each_time(run):
    model, a = load_model(run), torch.rand(2, 3, 32, 32)
    assert not model.generator.training
    assert torch.equal(model.generator(a), model.generator(a))


def test_config_says_how_to_use_the_model(run):
    config = load_model(run).config
    assert (config.architecture, config.crop_size, config.steps) == ("unet", (32, 32), 2)
    assert config.sides.words == "AtoB"
    assert (config.test_time.norm_statistics, config.test_time.dropout) == ("batch", False)
    assert config.data.num_pairs == {"train": 7, "validation": 3}


def test_the_card_says_how_to_use_the_model(run):
    assert "p2p-model translate" in (run / "model" / "README.md").read_text()


def test_the_model_keeps_what_it_is_given_and_examples_of_that(run):
    given = load_model(run).config.given
    assert (given.kind, given.line_px, [one.color for one in given.colors]) == ("lines", 1, ["#ffffff", "#000000"])
    examples = [read_rgb(path) for path in sorted((run / "model" / EXAMPLES).iterdir())]
    assert [example.shape for example in examples] == [(32, 32, 3)] * 3


def test_what_is_no_model_is_told_apart(tmp_path, run):
    with pytest.raises(CheckpointError, match="no such run"):
        load_model(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="no run, checkpoint or model"):
        load_model(tmp_path)
    shutil.rmtree(run / "model")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        load_model(run)


def test_damaged_weights_are_named(run):
    path = run / "model" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(run)


def test_weights_of_another_network_are_refused(run):
    path = run / "model" / "config.json"
    config = json.loads(path.read_text())
    config["spec"]["width"] = 5
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="another network"):
        load_model(run)


def test_a_newer_format_is_refused(run):
    path = run / "model" / "config.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(CheckpointError, match="not understood"):
        load_model(run)
