"""Generators of the authors' PyTorch code, imported: against a forward pass over their own names, written out here."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from pix2pix_data.errors import CheckpointError, FormatError, P2PError, UsageError
from pix2pix_data.images import read_rgb, write_png
from pix2pix_model.checkpoint import load_model
from pix2pix_model.cli_model import app
from pix2pix_model.importing import import_model, model_name
from pix2pix_model.picture_size import PictureSize

State = dict[str, Tensor]

NORMS = ["batch", "instance", "instance, affine", "instance, with statistics", "none"]
"""What their `--norm` and the arguments of its layers can be; "none" leaves convolutions without a bias too."""


# --- their layout, from the description of their modules ----------------------------------------------------------


class Drawing:
    """Draws a state_dict of theirs."""

    def __init__(self, norm: str) -> None:
        self.norm, self.state, self.rng = norm, {}, torch.Generator().manual_seed(0)

    def add(self, name: str, *shape: int, mean: float = 0.0, spread: float = 0.1) -> None:
        self.state[name] = torch.normal(mean, spread, shape, generator=self.rng)

    def convolution(self, name: str, *shape: int, transposed: bool = False, bias: bool | None = None) -> None:
        self.add(f"{name}.weight", *shape)
        if self.norm.startswith("instance") if bias is None else bias:
            self.add(f"{name}.bias", shape[1 if transposed else 0])

    def normed(self, name: str, channels: int) -> None:
        if self.norm in ("batch", "instance, affine"):
            self.add(f"{name}.weight", channels, mean=1.0)
            self.add(f"{name}.bias", channels)
        if self.norm in ("batch", "instance, with statistics"):
            self.add(f"{name}.running_mean", channels)
            self.add(f"{name}.running_var", channels, mean=2.0)
            self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def unet_state(norm: str, *, levels: int, width: int = 2, given: int = 3, made: int = 3) -> State:
    drawing = Drawing(norm)
    widths = [min(2**i, 8) * width for i in range(levels)]
    block = "model.model"
    drawing.convolution(f"{block}.0", widths[0], given, 4, 4)
    drawing.convolution(f"{block}.3", 2 * widths[0], made, 4, 4, transposed=True, bias=True)
    block += ".1.model"
    for outer, inner in pairwise(widths[:-1]):
        drawing.convolution(f"{block}.1", inner, outer, 4, 4)
        drawing.normed(f"{block}.2", inner)
        drawing.convolution(f"{block}.5", 2 * inner, outer, 4, 4, transposed=True)
        drawing.normed(f"{block}.6", outer)
        block += ".3.model"
    drawing.convolution(f"{block}.1", widths[-1], widths[-2], 4, 4)
    drawing.convolution(f"{block}.3", widths[-1], widths[-2], 4, 4, transposed=True)
    drawing.normed(f"{block}.4", widths[-2])
    return drawing.state


def resnet_state(norm: str, *, blocks: int, dropout: bool, width: int = 2) -> State:
    drawing = Drawing(norm)
    layers = [("model.1", width, 3, 7), ("model.4", 2 * width, width, 3), ("model.7", 4 * width, 2 * width, 3)]
    for name, after, before, kernel in layers:
        drawing.convolution(name, after, before, kernel, kernel)
        drawing.normed(f"model.{int(name[6:]) + 1}", after)
    for block in (f"model.{10 + i}.conv_block" for i in range(blocks)):
        for place in (1, 6 if dropout else 5):
            drawing.convolution(f"{block}.{place}", 4 * width, 4 * width, 3, 3)
            drawing.normed(f"{block}.{place + 1}", 4 * width)
    for place, before in ((10 + blocks, 4 * width), (13 + blocks, 2 * width)):
        drawing.convolution(f"model.{place}", before, before // 2, 3, 3, transposed=True)
        drawing.normed(f"model.{place + 1}", before // 2)
    drawing.convolution(f"model.{17 + blocks}", 3, width, 7, 7, bias=True)
    return drawing.state


class Forward:
    """Their test without dropout: statistics of the batch, which is one picture, or with `--eval` the running ones."""

    def __init__(self, state: State, norm: str, *, running: bool = False) -> None:
        self.state, self.norm, self.running = state, norm, running

    def bias(self, name: str) -> Tensor | None:
        return self.state.get(f"{name}.bias")

    def convolved(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(x, self.state[f"{name}.weight"], self.bias(name), stride, padding)

    def doubled(self, name: str, x: Tensor, more: int = 0) -> Tensor:
        return F.conv_transpose2d(x, self.state[f"{name}.weight"], self.bias(name), 2, 1, more)

    def normed(self, name: str, x: Tensor) -> Tensor:
        if self.norm == "none":
            return x
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        if self.running:
            mean, variance = (self.state[f"{name}.running_{kind}"][:, None, None] for kind in ("mean", "var"))
        x = (x - mean) / (variance + 1e-5).sqrt()
        if f"{name}.weight" not in self.state:
            return x
        return x * self.state[f"{name}.weight"][:, None, None] + self.state[f"{name}.bias"][:, None, None]

    def unet(self, a: Tensor) -> Tensor:
        inside = self._unet_block("model.model.1.model", self.convolved("model.model.0", a, 2, 1))
        return torch.tanh(self.doubled("model.model.3", F.relu(inside)))

    def _unet_block(self, block: str, x: Tensor) -> Tensor:
        x = F.leaky_relu(x, 0.2)  # in place in theirs: this is what goes round the block too
        y = self.convolved(f"{block}.1", x, 2, 1)
        if f"{block}.5.weight" not in self.state:
            return torch.cat([x, self.normed(f"{block}.4", self.doubled(f"{block}.3", F.relu(y)))], 1)
        y = self._unet_block(f"{block}.3.model", self.normed(f"{block}.2", y))
        return torch.cat([x, self.normed(f"{block}.6", self.doubled(f"{block}.5", F.relu(y)))], 1)

    def resnet(self, a: Tensor, *, blocks: int, dropout: bool) -> Tensor:
        x = F.relu(self.normed("model.2", self.convolved("model.1", F.pad(a, (3, 3, 3, 3), mode="reflect"))))
        for place in (4, 7):
            x = F.relu(self.normed(f"model.{place + 1}", self.convolved(f"model.{place}", x, 2, 1)))
        for block in (f"model.{10 + i}.conv_block" for i in range(blocks)):
            y = x
            for place in (1, 6 if dropout else 5):
                y = self.convolved(f"{block}.{place}", F.pad(y, (1, 1, 1, 1), mode="reflect"))
                y = self.normed(f"{block}.{place + 1}", y)
                y = F.relu(y) if place == 1 else y
            x = x + y
        for place in (10 + blocks, 13 + blocks):
            x = F.relu(self.normed(f"model.{place + 1}", self.doubled(f"model.{place}", x, more=1)))
        return torch.tanh(self.convolved(f"model.{17 + blocks}", F.pad(x, (3, 3, 3, 3), mode="reflect")))


def picture(size_px: int, channels: int = 3) -> Tensor:
    return torch.rand(1, channels, size_px, size_px, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def saved(tmp_path):
    """Save a state_dict of theirs as they do; returns the file."""

    def save(state: object, *, folder: str = "edges_pretrained", legacy: bool = False) -> Path:
        path = tmp_path / folder / "latest_net_G.pth"
        path.parent.mkdir(exist_ok=True)
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
        return path

    return save


# --- what is imported works as theirs does ------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("levels", "given", "made"), [(8, 3, 3), (7, 1, 2)])
def test_a_unet_makes_what_theirs_makes(saved, tmp_path, norm, levels, given, made):
    state = unet_state(norm, levels=levels, given=given, made=made)
    done = import_model(saved(state), tmp_path / "model")
    spec = done.config.spec
    assert (done.config.architecture, spec.size_px, spec.width) == ("unet", 2**levels, 2)
    assert (spec.in_channels, spec.out_channels) == (given, made)
    assert done.config.sides.words == ("AtoB" if given == 3 else "lightness to colours of B")
    theirs = Forward(state, norm).unet(a := picture(2**levels, given))
    assert theirs.std() > 0.01
    torch.testing.assert_close(load_model(tmp_path / "model").generator(a), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("blocks", "dropout"), [(9, True), (6, False)])
def test_a_resnet_makes_what_theirs_makes(saved, tmp_path, norm, blocks, dropout):
    state = resnet_state(norm, blocks=blocks, dropout=dropout)
    spec = import_model(saved(state), tmp_path / "model").config.spec
    assert (spec.blocks, spec.dropout > 0) == (blocks, dropout)
    theirs = Forward(state, norm).resnet(a := picture(64), blocks=blocks, dropout=dropout)
    assert theirs.std() > 0.01
    torch.testing.assert_close(load_model(tmp_path / "model").generator(a), theirs, rtol=0, atol=1e-5)


def test_old_files_those_of_several_gpus_and_of_half_precision_are_the_same(saved, tmp_path):
    state = {name: tensor.half().float() for name, tensor in unet_state("batch", levels=7).items()}
    a, made = picture(128), []
    for i, other in enumerate(
        (state, {f"module.{name}": tensor for name, tensor in state.items()}, {"state_dict": state})
    ):
        import_model(saved(other, legacy=i == 1), tmp_path / f"{i}")
        made.append(load_model(tmp_path / f"{i}").generator(a))
    save_file({name: tensor.half() for name, tensor in state.items()}, tmp_path / "half.safetensors")
    import_model(tmp_path / "half.safetensors", tmp_path / "half")
    made.append(load_model(tmp_path / "half").generator(a))
    assert all(torch.equal(made[0], other) for other in made[1:])


def test_running_statistics_are_kept_and_used_when_told(saved, tmp_path):
    state = unet_state("batch", levels=7)
    path, a = saved(state), picture(128)
    import_model(path, tmp_path / "model", norm_statistics="running")
    made = load_model(tmp_path / "model").generator(a)
    torch.testing.assert_close(made, Forward(state, "batch", running=True).unet(a), rtol=0, atol=1e-5)
    import_model(path, tmp_path / "other")
    kept = load_model(tmp_path / "other").generator.state_dict()["encoder.1.2.running_var"]
    assert torch.equal(kept, state["model.model.1.model.2.running_var"])


def test_a_file_without_running_statistics_has_none_to_use(saved, tmp_path):
    state = {name: tensor for name, tensor in unet_state("batch", levels=7).items() if "running" not in name}
    path = saved(state)
    with pytest.raises(UsageError, match="no running statistics"):
        import_model(path, tmp_path / "model", norm_statistics="running")
    import_model(path, tmp_path / "model")
    a = picture(128)
    made = load_model(tmp_path / "model").generator(a)
    torch.testing.assert_close(made, Forward(state, "batch").unet(a), rtol=0, atol=1e-5)


def test_statistics_that_have_no_place_are_named(saved, tmp_path):
    done = import_model(saved(unet_state("instance, with statistics", levels=7)), tmp_path / "model")
    assert "running statistics" in done.read.notes[0]
    assert "running statistics" in (tmp_path / "model" / "README.md").read_text()


# --- what the file does not say -----------------------------------------------------------------------------------

OPTIONS = """----------------- Options ---------------
               batch_size: 1
                crop_size: 128                           	[default: 256]
                direction: BtoA                          	[default: AtoB]
----------------- End -------------------
"""


def test_what_is_not_in_the_file_is_read_beside_it_or_taken_for_granted(saved, tmp_path):
    path = saved(resnet_state("instance", blocks=6, dropout=False))
    plain = import_model(path, tmp_path / "plain")
    assert (plain.config.sides.direction, plain.config.crop_size) == ("AtoB", PictureSize(256, 256))
    assert "taken for granted" in plain.origins["direction"]
    path.with_name("train_opt.txt").write_text(OPTIONS)
    read = import_model(path, tmp_path / "read")
    assert (read.config.sides.direction, read.config.crop_size) == ("BtoA", PictureSize(128, 128))
    assert "train_opt.txt" in read.origins["direction"]
    told = import_model(path, tmp_path / "told", direction="AtoB", size=PictureSize(256, 512))
    assert (told.config.sides.direction, told.config.crop_size) == ("AtoB", PictureSize(256, 512))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("facades/latest_net_G.pth", "facades"),
        ("horse2zebra/200_net_G_A.pth", "horse2zebra"),
        ("facades/mine.pth", "mine"),
    ],
)
def test_a_model_is_named_after_its_experiment(tmp_path, path, name):
    assert model_name(tmp_path / path) == name


def test_the_card_names_the_file_and_its_checksum(saved, tmp_path):
    path = saved(unet_state("batch", levels=7))
    import_model(path, tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert "latest_net_G.pth" in card


@pytest.mark.parametrize(("given", "made"), [(4, 3), (3, 19)])
def test_channels_that_nobody_can_name_are_refused(saved, tmp_path, given, made):
    path = saved(unet_state("batch", levels=7, given=given, made=made))
    with pytest.raises(UsageError, match=f"{given} input and {made} output"):
        import_model(path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


# --- files that are not what they should be -----------------------------------------------------------------------


class Attack:
    """Unpickled, it would leave a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_refused_and_not_run(saved, tmp_path, legacy):
    state = unet_state("batch", levels=7) | {"attack": Attack(tmp_path / "attacked")}
    with pytest.raises(CheckpointError, match="holds code or objects"):
        import_model(saved(state, legacy=legacy), tmp_path / "model")
    bare = tmp_path / "bare.pth"
    bare.write_bytes(pickle.dumps(Attack(tmp_path / "attacked"), protocol=2))
    with pytest.raises(P2PError):
        import_model(bare, tmp_path / "model")
    assert not (tmp_path / "attacked").exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_is_cut_is_a_named_error_wherever_it_is_cut(saved, tmp_path, legacy):
    path = saved(unet_state("batch", levels=5, width=1), legacy=legacy)
    content = path.read_bytes()
    for length in (0, 1, 3, 10, 100, *range(1000, len(content), len(content) // 12), len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises((FormatError, CheckpointError)):
            import_model(path, tmp_path / "model")


def test_a_small_file_cannot_claim_large_weights(saved, tmp_path):
    state = unet_state("batch", levels=7) | {"model.model.0.weight": torch.zeros(1).expand(1 << 30, 3, 4, 4)}
    with pytest.raises(FormatError, match="claims more weights than it has"):
        import_model(saved(state), tmp_path / "model")


def changed(state: State, **tensors: Tensor | None) -> State:
    state = dict(state) | {name.replace("_", "."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


DISCRIMINATOR = {"model.0.weight": torch.zeros(64, 6, 4, 4), "model.0.bias": torch.zeros(64)}
PIXEL_DISCRIMINATOR = {"net.0.weight": torch.zeros(64, 6, 1, 1)}
UNET = unet_state("batch", levels=5)
STRANGERS = {
    "discriminator": (DISCRIMINATOR, "weights of a discriminator"),
    "pixel discriminator": (PIXEL_DISCRIMINATOR, "weights of a discriminator"),
    "another network": ({"features.0.weight": torch.zeros(3)}, "begin with features.0.weight"),
    "nothing": ({}, "begin with nothing"),
    "an object": ([torch.zeros(3)], "holds no table of weights"),
    "too shallow": ({"model.model.0.weight": torch.zeros(2, 3, 4, 4)}, "U-Net of 1 levels"),
    "not whole": (changed(UNET, model_model_3_weight=None), "model.model.3.weight is missing"),
    "no norm in one layer": (changed(UNET, model_model_1_model_6_weight=None), "model.6.weight is missing"),
    "more": (changed(UNET, model_model_9_weight=torch.zeros(1)), "model.model.9.weight has no place"),
    "another shape": (changed(UNET, model_model_1_model_1_weight=torch.zeros(4, 2, 3, 3)), r"has shape \(4, 2, 3, 3\)"),
    "not finite": (changed(UNET, model_model_0_weight=torch.full((2, 3, 4, 4), torch.nan)), "not finite"),
    "flat": (changed(UNET, model_model_0_weight=torch.zeros(96)), "no convolution"),
    "much too wide": (changed(UNET, model_model_0_weight=torch.zeros(4096, 3, 4, 4)), "width 4096"),
}


@pytest.mark.parametrize("which", STRANGERS)
def test_weights_of_something_else_are_refused_by_name(saved, tmp_path, which):
    content, told = STRANGERS[which]
    with pytest.raises((CheckpointError, FormatError), match=told):
        import_model(saved(content), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "an empty file"), (b"<html>", "a web page"), (b"\x04\x00\x00\x00\x01", "Torch 7"), (b"hello", "no file of")],
)
def test_a_file_that_holds_no_weights_is_told_by_its_kind(tmp_path, content, told):
    (tmp_path / "latest_net_G.pth").write_bytes(content)
    with pytest.raises(FormatError, match=told):
        import_model(tmp_path / "latest_net_G.pth", tmp_path / "model")
    with pytest.raises(CheckpointError, match="cannot be read"):
        import_model(tmp_path / "nowhere.pth", tmp_path / "model")


# --- the command --------------------------------------------------------------------------------------------------


def test_import_then_translate_needs_no_flag(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = unet_state("batch", levels=5)
    path = saved(state)
    told = CliRunner().invoke(app, ["import", str(path)], catch_exceptions=False)
    assert told.exit_code == 0
    assert "unet, width 2, batch norm" in told.output
    assert "direction AtoB: taken for granted" in told.output
    assert "try it: p2p-model translate edges_pretrained-model IMAGES" in told.output

    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    write_png(tmp_path / "drawing.png", pixels)
    line = ["translate", "edges_pretrained-model", "drawing.png", "--out", "made", "--device", "cpu"]
    told = CliRunner().invoke(app, line, catch_exceptions=False)
    assert told.exit_code == 0
    assert "imported from latest_net_G.pth" in told.output
    theirs = Forward(state, "batch").unet(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)
    expected = ((theirs[0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
    assert np.abs(read_rgb(tmp_path / "made" / "drawing.png").astype(int) - expected).max() <= 1


def test_nothing_but_a_model_is_replaced_and_only_when_told(saved, tmp_path):
    path, other = saved(unet_state("batch", levels=5)), tmp_path / "mine"
    other.mkdir()
    (other / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match="no model to replace"):
        CliRunner().invoke(app, ["import", str(path), "--out", str(other), "--overwrite"], catch_exceptions=False)
    assert (other / "notes.txt").read_text() == "keep me"
    line = ["import", str(path), "--out", str(tmp_path / "model")]
    assert CliRunner().invoke(app, line, catch_exceptions=False).exit_code == 0
    with pytest.raises(UsageError, match="there is a model already"):
        CliRunner().invoke(app, line, catch_exceptions=False)
    assert CliRunner().invoke(app, [*line, "--overwrite"], catch_exceptions=False).exit_code == 0
    assert CliRunner().invoke(app, [*line, "--size", "7"]).exit_code == 2


def test_help_of_the_command_does_not_load_torch():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pix2pix_model.cli_model import app\n"
        "told = CliRunner().invoke(app, ['import', '--help'])\n"
        "assert 'Examples:' in told.output and not {'torch', 'numpy', 'cv2'} & set(sys.modules), told.output\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
