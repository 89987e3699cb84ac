"""The painting page as a folder: what is in it, and that the model inside answers as PyTorch does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pix2pix_data.errors import BuildError, CheckpointError, UsageError
from pix2pix_data.images import read_rgb
from pix2pix_data.redraw import snap
from pix2pix_data.side_facts import NamedColor, SideFacts
from pix2pix_model.checkpoint import Model, ModelConfig, load_model, save_model
from pix2pix_model.cli_model import app
from pix2pix_model.device import choose_device
from pix2pix_model.nets import GENERATORS, GeneratorSpec
from pix2pix_model.paint import static_page
from pix2pix_model.paint.browser_runtime import Runtime
from pix2pix_model.paint.drawing_program import DrawingProgram
from pix2pix_model.paint.painter import Painter
from pix2pix_model.paint.static_page import write_static_page
from pix2pix_model.sides import Sides, SideSpec
from pix2pix_model.test_time import TestTime

COLORS = ("#804080", "#4682b4", "#6b8e23")
SEGMENTS = SideFacts(kind="segments", colors=tuple(NamedColor(name=color, color=color) for color in COLORS))
CLASSES = {"view": "classes", "colors": COLORS, "names": ("road", "sky", "tree")}
RUNTIME = Runtime("9.8.7", Path("runtime.tgz"), b"export {};", b"\0asm")
SIZE = (32, 64)


def save(folder: Path, a: dict, b: dict, *, given: SideFacts | None = None, size=SIZE, dropout: bool = False) -> Path:
    torch.manual_seed(0)
    sides = Sides((SideSpec(side="A", **a),), SideSpec(side="B", **b))
    spec = GeneratorSpec(
        size_px=32,
        width=4,
        in_channels=sides.in_channels,
        out_channels=sides.target.channels,
    )
    generator = GENERATORS.get("unet")(spec)
    for module in generator.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.weight.data *= 3
    facts = {"name": "drawn", "architecture": "unet", "version": "0", "given": given, "crop_size": size}
    config = ModelConfig(spec=spec, sides=sides, test_time=TestTime(dropout=dropout), **facts)
    example = np.zeros((*size, 3), np.uint8)
    example[:, : size[1] // 3], example[:10] = (70, 130, 180), (128, 64, 128)
    example[example.sum(axis=2) == 0] = (107, 142, 35)
    save_model(folder, generator, config, "", examples=[example])
    return folder


def apart(model: Model, drawing: np.ndarray, made: np.ndarray) -> int:
    expected = Painter(model, choose_device("cpu")).translate(drawing)[0]
    return int(np.abs(made.astype(int) - expected).max())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({}, {}),
        (CLASSES, {}),
        ({"view": "gray"}, {"view": "gray16"}),
        ({"view": "gray16", "levels": (1000, 40000)}, {"view": "rgb16"}),
        ({"view": "rgb16"}, {"view": "rgba"}),
        ({}, CLASSES),
        ({"view": "lightness"}, {"view": "ab"}),
    ],
)
@pytest.mark.parametrize("size", [(32, 64), (40, 50)])
def test_the_program_makes_of_pixels_what_the_painter_makes(a, b, size, tmp_path):
    model = load_model(save(tmp_path / "model", a, b, size=size))
    drawing = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    if a == CLASSES:
        drawing = snap(SEGMENTS, drawing)
    opaque = torch.from_numpy(np.dstack([drawing, np.full(size, 255, np.uint8)]))[None]
    with torch.inference_mode():
        made = DrawingProgram(model.generator, model.config)(opaque)
    assert (made.dtype, made.shape) == (torch.uint8, opaque.shape)
    assert (made[..., 3] == 255).all()
    rgb = made[0, :, :, :3].numpy()
    if b == CLASSES:
        expected = Painter(model, choose_device("cpu")).translate(drawing)[0]
        assert (rgb == expected).all(axis=2).mean() > 0.999
    else:
        assert apart(model, drawing, rgb) <= 1
    assert rgb.std() > 5, "not one flat colour"


onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = tmp_path_factory.mktemp("page")
    write_static_page(load_model(save(room / "model", CLASSES, {}, given=SEGMENTS)), room / "page", RUNTIME, half=False)
    return room / "page"


def test_the_model_in_the_folder_answers_as_pytorch(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = load_model(folder.parent / "model")
    drawing = read_rgb(folder / "examples" / "0.png")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    opaque = np.dstack([drawing, np.full(SIZE, 255, np.uint8)])[None]
    made = session.run(None, {"drawing": opaque})[0]
    assert apart(model, drawing, made[0, :, :, :3]) <= 1
    said = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert ModelConfig.model_validate(json.loads(said["p2p"])) == model.config
    assert said["drawing"].endswith("uint8 (1, 32, 64, 4), RGBA")


def test_the_folder_holds_the_page_and_all_licences_and_nothing_of_a_server(folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"index.html", "model.onnx", "model.json", "examples/0.png", "README.txt"} <= names
    assert {f"assets/{name}" for name in ("app.js", "konva.min.js", "LICENSE-konva", "LICENSE-onnxruntime")} <= names
    assert not {name for name in names if name.endswith(("server.js", "served.js", "openapi.json", ".py"))}
    assert (folder / "assets" / "onnxruntime.js").read_bytes() == RUNTIME.script
    assert (folder / "assets" / "onnxruntime.wasm").read_bytes() == RUNTIME.program
    readme = (folder / "README.txt").read_text()
    assert "9.8.7" in readme
    assert "norms take their statistics from each picture" in readme


def test_the_page_loads_nothing_by_an_absolute_address(folder):
    index = (folder / "index.html").read_text()
    assert "served.js" not in index
    assert index.count("Content-Security-Policy") == 1
    scripts = [path for path in (folder / "assets").glob("*.js") if path.name not in ("konva.min.js", "onnxruntime.js")]
    assert len(scripts) > 10
    for path in [folder / "index.html", *scripts]:
        assert not re.search(r"""["'`]/\w""", path.read_text()), path.name


def test_what_the_browser_cannot_do_is_not_offered(folder, tmp_path):
    said = json.loads((folder / "model.json").read_text())
    assert (said["sources"], said["most_samples"], said["kind"]) == (["drawing"], 1, "segments")
    assert said["bytes"] == {"model": (folder / "model.onnx").stat().st_size, "runtime": len(RUNTIME.program)}


@pytest.mark.parametrize(("a", "b"), [({"view": "lightness"}, {"view": "ab"}), ({"view": "gray16"}, {"view": "rgba"})])
def test_other_views_are_exported_too_and_proved(a, b, tmp_path):
    model = load_model(save(tmp_path / "model", a, b, size=(40, 50)))
    (likeness,) = write_static_page(model, tmp_path / "page", RUNTIME, half=False)
    assert likeness.highest <= 1


def test_a_model_that_would_answer_otherwise_is_not_written(tmp_path, monkeypatch):
    model = load_model(save(tmp_path / "model", {}, {}))
    monkeypatch.setattr(static_page, "HIGHEST_LEVELS", {"float32": -1})
    with pytest.raises(CheckpointError, match=r"by more than -1 levels: 100.00% of the pixels"):
        write_static_page(model, tmp_path / "page", RUNTIME, half=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_models_that_cannot_be_painted_for_are_refused(tmp_path):
    drawing_dropout = load_model(save(tmp_path / "dropout", {}, {}, dropout=True))
    with pytest.raises(UsageError, match="draws dropout"):
        write_static_page(drawing_dropout, tmp_path / "page", RUNTIME, half=False)
    two = load_model(save(tmp_path / "two", {}, {}))
    sides = Sides((SideSpec(side="A"), SideSpec(side="A", dataset="more")), SideSpec(side="B"))
    two = replace(two, config=two.config.model_copy(update={"sides": sides}))
    with pytest.raises(UsageError, match="cannot be painted here"):
        write_static_page(two, tmp_path / "page", RUNTIME, half=False)


def test_the_command_writes_only_a_new_folder_and_refuses_options_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("model"), CLASSES, {}, given=SEGMENTS)
    Path("runtime/dist").mkdir(parents=True)
    Path("runtime/dist/ort.wasm.bundle.min.mjs").write_text("/*! ONNX Runtime Web v9.8.7 */", encoding="utf-8")
    Path("runtime/dist/ort-wasm-simd-threaded.wasm").write_bytes(b"\0asm")
    line = ["export", "model", "--to", "web", "--half", "--runtime", "runtime"]
    done = CliRunner().invoke(app, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "onnxruntime-web 9.8.7 (MIT) of runtime" in done.stderr
    assert "of the pixels within 3" in done.stdout
    assert "MB" in done.stdout
    assert Path("drawn-web/index.html").is_file()
    with pytest.raises(BuildError, match="not empty"):
        CliRunner().invoke(app, line, catch_exceptions=False)
    for option in (["--overwrite"], ["--on", "model"]):
        with pytest.raises(UsageError, match="in a new folder"):
            CliRunner().invoke(app, [*line, *option], catch_exceptions=False)
    save(Path("random"), {}, {}, dropout=True)
    line = ["export", "random", "--to", "web", "--runtime", "runtime", "--out", "page"]
    with pytest.raises(UsageError, match="draws dropout") as caught:
        CliRunner().invoke(app, line, catch_exceptions=False)
    assert caught.value.fix == "give --no-dropout"
    done = CliRunner().invoke(app, [*line, "--no-dropout"], catch_exceptions=False)
    assert "it will hold: dropout off" in done.stderr
    assert Path("page/model.onnx").is_file()
    with pytest.raises(UsageError, match="--to web"):
        CliRunner().invoke(app, ["export", "model", "--runtime", "runtime"], catch_exceptions=False)
