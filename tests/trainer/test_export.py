from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pix2pix_data.errors import CheckpointError, UsageError
from pix2pix_model import export as exporting
from pix2pix_model.checkpoint import Model, ModelConfig
from pix2pix_model.cli_model import app
from pix2pix_model.export import Difference, export, sizes_to_prove
from pix2pix_model.nets import GENERATORS, GeneratorSpec, initialise, num_parameters
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import TestTime, set_test_time

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")


def make_model(architecture: str = "unet", **test_time: object) -> Model:
    torch.manual_seed(0)
    spec = GeneratorSpec(size_px=32, in_channels=1, width=4, blocks=1)
    generator = GENERATORS.get(architecture)(spec)
    initialise(generator)
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data *= 10
        if hasattr(module, "running_mean"):
            module.running_mean.normal_(0, 0.3)
    sides = Sides((SideSpec(side="A", view="gray"),), SideSpec(side="B"))
    facts = {"name": "drawn", "architecture": architecture, "sides": sides, "crop_size": 32, "version": "0"}
    config = ModelConfig(spec=spec, test_time=TestTime(**test_time), **facts)
    set_test_time(generator, config.test_time)
    return Model(generator.requires_grad_(False), config, Path())


def pictures(model: Model) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, 1, *size, generator=generator) * 2 - 1 for size in sizes_to_prove(model)]


def run_onnx(path: Path, a: torch.Tensor) -> np.ndarray:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"a": a.numpy()})[0]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path, list[Difference]]:
    model, out = make_model(norm_statistics="running"), tmp_path_factory.mktemp("export") / "out" / "drawn.onnx"
    return model, out, export(model, out, pictures(model), to="onnx", half=False)


def test_an_onnx_file_answers_as_the_model_at_any_size_and_number(exported):
    model, out, differences = exported
    assert {(one.height, one.width) for one in differences} == set(sizes_to_prove(model))
    assert max(one.highest for one in differences) < 1e-4
    for num, height, width in ((1, 32, 32), (3, 64, 160)):
        a = torch.rand(num, 1, height, width) * 2 - 1
        np.testing.assert_allclose(run_onnx(out, a), model.generator(a).numpy(), atol=1e-4)
    assert [path.name for path in out.parent.iterdir()] == ["drawn.onnx"]


def test_an_onnx_file_says_what_it_is_and_nothing_of_this_machine(exported):
    model, out, _ = exported
    proto = onnx.load(out)
    onnx.checker.check_model(proto)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    assert ModelConfig.model_validate(json.loads(said["p2p"])) == model.config
    assert said["test_time"] == TestTime(norm_statistics="running").in_words()
    assert b".py" not in out.read_bytes()


def test_half_precision_halves_the_file_and_is_held_to_its_own_bound(exported, tmp_path):
    model, half = make_model("resnet"), tmp_path / "half.onnx"
    differences = export(model, half, pictures(model)[:1], to="onnx", half=True)
    assert half.stat().st_size < 0.7 * 4 * num_parameters(model.generator)
    assert 1e-6 < differences[0].highest < 2e-2
    assert next(model.generator.parameters()).dtype == torch.float32, "the model itself stays as it was"


def test_a_pt2_file_answers_as_the_model_down_to_one_pixel_at_the_bottleneck(tmp_path):
    model, out = make_model(norm_statistics="running"), tmp_path / "drawn.pt2"
    assert max(one.highest for one in export(model, out, pictures(model), to="pt2", half=False)) < 1e-4
    extra = {"config.json": ""}
    loaded = torch.export.load(out, extra_files=extra).module()
    for size in ((2, 1, 96, 64), (1, 1, 32, 32)):
        a = torch.rand(*size) * 2 - 1
        torch.testing.assert_close(loaded(a), model.generator(a))
    assert json.loads(extra["config.json"])["name"] == "drawn"


def test_a_file_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    model, out = make_model(), tmp_path / "drawn.pt2"
    monkeypatch.setitem(exporting.HIGHEST_DIFFERENCE, "float32", -1.0)
    with pytest.raises(CheckpointError, match=r"answers otherwise than the model, by more than -1.0: 32x32"):
        export(model, out, pictures(model), to="pt2", half=False)
    assert not list(tmp_path.iterdir())


def test_a_model_that_draws_dropout_is_refused(tmp_path):
    with pytest.raises(UsageError, match="draws dropout"):
        export(make_model(dropout=True), tmp_path / "drawn.onnx", [], to="onnx", half=False)


def test_the_command_proves_on_the_examples_of_the_model_and_will_not_overwrite(train_tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train_tiny()
    done = CliRunner().invoke(app, ["export", str(run), "--to", "pt2", "--norm-stats", "running"])
    assert done.exit_code == 0, done.output
    assert "running statistics of the training" in done.stderr
    assert "noise" not in done.stderr
    assert re.findall(r"(\d+)x(\d+) ", done.stdout) == [("32", "32"), ("64", "32"), ("32", "96")]
    assert (tmp_path / "tiny.pt2").is_file()
    with pytest.raises(UsageError, match="this file is there already"):
        CliRunner().invoke(app, ["export", str(run), "--to", "pt2"], catch_exceptions=False)
