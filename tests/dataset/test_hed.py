"""HED: three layouts of weights against forward passes written anew, registration, and files that must be refused."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch.nn import functional as F

from pix2pix_data import engines
from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.edges import hed
from pix2pix_data.edges.caffemodel import read_caffemodel
from pix2pix_data.edges.detector import DETECTORS, make_detector
from pix2pix_data.edges.hed import HED, HedDetector, load_hed
from pix2pix_data.edges.hed_weights import load_state
from pix2pix_data.errors import CheckpointError, FormatError
from pix2pix_data.images import write_png
from pix2pix_data.makers.edges import EdgesMaker

WIDTHS = (4, 5, 6, 7, 8)
CONVS = (2, 2, 3, 3, 3)
LAYOUTS = ("controlnet", "sniklaus", "sniklaus-old", "caffe", "caffe-legacy")
BGR_MEANS = torch.tensor([104.00698793, 116.66876762, 122.67891434])

Tensors = dict[str, torch.Tensor]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So small a network spends its time on waking threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- the layouts, written anew ----------------------------------------------------------------------------------


def random_layers(seed: int = 0) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias by the names of Caffe."""
    random = torch.Generator().manual_seed(seed)
    layers = {}
    inputs = 3
    for block, (width, convs) in enumerate(zip(WIDTHS, CONVS, strict=True), start=1):
        for conv in range(1, convs + 1):
            scale = (2 / (9 * inputs)) ** 0.5 * (0.02 if (block, conv) == (1, 1) else 1)
            weight = torch.randn(width, inputs, 3, 3, generator=random) * scale
            layers[f"conv{block}_{conv}"] = (weight, torch.randn(width, generator=random) / 10)
            inputs = width
        layers[f"score-dsn{block}"] = (
            torch.randn(1, width, 1, 1, generator=random),
            torch.randn(1, generator=random) / 10,
        )
    layers["new-score-weighting"] = (
        torch.randn(1, 5, 1, 1, generator=random) / 3,
        torch.randn(1, generator=random) / 10,
    )
    return layers


def controlnet_tensors() -> Tensors:
    tensors = {"norm": torch.tensor([120.0, 110.0, 100.0]).view(1, 3, 1, 1)}
    for name, (weight, bias) in random_layers().items():
        if name == "new-score-weighting":
            continue
        block = name.removeprefix("conv").removeprefix("score-dsn")[0]
        path = f"block{block}." + ("projection" if "dsn" in name else f"convs.{int(name[-1]) - 1}")
        tensors |= {f"{path}.weight": weight, f"{path}.bias": bias}
    return tensors


def sniklaus_tensors(prefix: str = "net") -> Tensors:
    numerals = ["One", "Two", "Thr", "Fou", "Fiv"]
    tensors = {}
    for name, (weight, bias) in random_layers().items():
        if name.startswith("conv"):
            block, conv = int(name[4]), int(name[6])
            path = f"Vgg{numerals[block - 1]}.{2 * (conv - 1) if block == 1 else 2 * conv - 1}"
        else:
            path = "Combine.0" if name.startswith("new") else "Score" + numerals[int(name[-1]) - 1]
        tensors |= {f"{prefix}{path}.weight": weight, f"{prefix}{path}.bias": bias}
    return tensors


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def caffe_bytes(*, legacy: bool = False) -> bytes:
    """A net as Caffe writes it: new layers with shapes and packed floats; or old ones, with four sizes, unpacked."""

    def blob(array: torch.Tensor) -> bytes:
        floats = [struct.pack("<f", value) for value in array.flatten().tolist()]
        if not legacy:
            dims = b"".join(varint(size) for size in array.shape)
            return message(7, message(1, dims)) + message(5, b"".join(floats))
        sizes = [1] * (4 - array.ndim) + list(array.shape)
        head = b"".join(varint(number << 3) + varint(size) for number, size in enumerate(sizes, start=1))
        return head + b"".join(b"\x2d" + value for value in floats)

    out = message(1, b"HED")
    layers = {"data": (), **random_layers(), "upsample_2": (torch.rand(1, 1, 4, 4),)}
    for name, arrays in layers.items():
        blobs = [blob(array) for array in arrays]
        if legacy:
            out += message(2, message(2, b"x") + message(4, name.encode()) + b"".join(message(6, b) for b in blobs))
        else:
            out += message(
                100, message(1, name.encode()) + message(2, b"Some") + b"".join(message(7, b) for b in blobs)
            )
    return out


def write_weights(folder: Path, layout: str) -> Path:
    path = folder / f"{layout}.weights"
    if layout.startswith("caffe"):
        path.write_bytes(caffe_bytes(legacy=layout == "caffe-legacy"))
    elif layout == "controlnet":
        torch.save(controlnet_tensors(), path)
    else:
        old = layout == "sniklaus-old"
        torch.save(sniklaus_tensors("module" if old else "net"), path, _use_new_zipfile_serialization=not old)
    return path


# --- the forward pass, written anew -----------------------------------------------------------------------------


def upsampled(logits: torch.Tensor, stride: int) -> torch.Tensor:
    """As the original: deconvolution by a triangle of 2 x stride taps; beyond its border, a side goes on as it is."""
    ramp = (torch.arange(2 * stride) + 0.5) / stride
    taps = torch.minimum(ramp, 2 - ramp)
    wide = F.pad(logits, (1, 1, 1, 1), mode="replicate")
    full = F.conv_transpose2d(wide, torch.outer(taps, taps)[None, None], stride=stride)
    start = stride + stride // 2
    return full[..., start:, start:]


def expected_map(photo: np.ndarray, layout: str) -> np.ndarray:
    layers = random_layers()
    rgb = torch.tensor(photo.astype(np.float32)).permute(2, 0, 1)[None]
    if layout == "controlnet":
        hidden = rgb - controlnet_tensors()["norm"]
    else:
        hidden = rgb[:, [2, 1, 0]] - BGR_MEANS.view(1, 3, 1, 1)
    sides = []
    for block, convs in enumerate(CONVS, start=1):
        if block > 1:
            height, width = hidden.shape[-2:]
            hidden = F.max_pool2d(F.pad(hidden, (0, width % 2, 0, height % 2)), 2)  # after a ReLU, 0 is the least
        for conv in range(1, convs + 1):
            hidden = F.conv2d(hidden, *layers[f"conv{block}_{conv}"], padding=1).clamp(min=0)
        logits = F.conv2d(hidden, *layers[f"score-dsn{block}"])
        side = logits if block == 1 else upsampled(logits, 2 ** (block - 1))
        sides.append(side[..., : photo.shape[0], : photo.shape[1]])
    stack = torch.cat(sides, 1)
    if layout == "controlnet":
        return torch.sigmoid(stack.mean(1))[0].numpy()
    return torch.sigmoid(F.conv2d(stack, *layers["new-score-weighting"]))[0, 0].numpy()


def random_photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(48, 64), (37, 51), (1, 1), (2, 33), (17, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_map_agrees_with_an_independent_forward_pass(tmp_path, layout, shape):
    photo = random_photo(*shape)
    soft = HedDetector(load_hed(write_weights(tmp_path, layout)), device="cpu")([photo])[0]
    assert soft.shape == shape
    assert soft.dtype == np.float32
    assert np.abs(soft - expected_map(photo, layout)).max() < 1e-5


def test_test_photos_tell_weights_apart():
    assert expected_map(random_photo(), "controlnet").std() > 0.05
    assert expected_map(random_photo(), "caffe").std() > 0.05


def test_half_precision_safetensors_load_too(tmp_path):
    save_file({name: tensor.half() for name, tensor in controlnet_tensors().items()}, tmp_path / "half.safetensors")
    state = load_state(tmp_path / "half.safetensors")
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    assert torch.equal(state["blocks.2.1.weight"], random_layers()["conv3_2"][0].half().float())


def test_full_size_network_has_the_layers_of_vgg16():
    with torch.device("meta"):
        network = HED()
    assert sum(parameter.numel() for parameter in network.blocks.parameters()) == 14_714_688


# --- registration -----------------------------------------------------------------------------------------------


def step_network(side: int) -> HED:
    """Every block passes on how much the photo changes across a pixel, left to right and top to bottom."""
    network = HED((4, 4, 4, 4, 4)).requires_grad_(False)
    for parameter in network.parameters():
        parameter.zero_()
    for block in network.blocks:
        for conv in block:
            conv.weight[:, :, 1, 1] = torch.eye(4, conv.in_channels)
    first = network.blocks[0][0].weight
    first.zero_()
    for channel, sign in enumerate((1, -1)):
        first[channel, :, 1, 0], first[channel, :, 1, 2] = -sign / 765, sign / 765
        first[channel + 2, :, 0, 1], first[channel + 2, :, 2, 1] = -sign / 765, sign / 765
    network.sides[side].weight.fill_(1)
    network.fuse.weight[0, side] = 1
    return network


def centre(profile: np.ndarray) -> float:
    excess = profile - profile.min()
    return float((excess * np.arange(len(profile))).sum() / excess.sum())


@pytest.mark.parametrize("side", range(5))
def test_response_of_each_side_is_centred_on_the_step(side):
    photo = np.full((160, 208, 3), 40, np.uint8)
    photo[:, 96:] = 220
    across = HedDetector(step_network(side), device="cpu")([photo])[0][80, 48:144]
    assert across.max() > 0.55
    assert centre(across) + 48 == pytest.approx(95.5, abs=1e-3)  # the step is between columns 95 and 96
    down = HedDetector(step_network(side), device="cpu")([photo.transpose(1, 0, 2).copy()])[0][48:144, 80]
    assert centre(down) + 48 == pytest.approx(95.5, abs=1e-3)


@pytest.mark.parametrize("side", range(5))
def test_step_anywhere_is_found_within_half_a_stride(side):
    detector = HedDetector(step_network(side), device="cpu")
    offsets = []
    for column in range(96, 112):
        photo = np.full((80, 208, 3), 220, np.uint8)
        photo[:, :column] = 40
        offsets.append(centre(detector([photo])[0][40, 32:176]) + 32 - (column - 0.5))
    assert np.abs(offsets).max() <= 2**side / 2
    assert abs(np.mean(offsets)) < 1e-2  # no side is shifted


# --- many photos, large photos ----------------------------------------------------------------------------------


def test_map_does_not_depend_on_the_other_photos(tmp_path):
    detector = HedDetector(load_hed(write_weights(tmp_path, "caffe")), device="cpu")
    photos = [random_photo(), random_photo(40, 30, 1), random_photo(seed=2)]
    together = detector(photos)
    assert all(np.array_equal(soft, detector([photo])[0]) for soft, photo in zip(together, photos, strict=True))
    assert detector([]) == []


def test_network_takes_a_batch(tmp_path):
    network = load_hed(write_weights(tmp_path, "caffe"))
    photos = torch.from_numpy(np.stack([random_photo(seed=seed) for seed in range(3)])).permute(0, 3, 1, 2).float()
    alone = torch.cat([network(photo[None]) for photo in photos])
    assert torch.allclose(network(photos), alone, atol=1e-6)


def test_tiles_of_a_large_photo_meet_without_a_seam(tmp_path, monkeypatch):
    network = load_hed(write_weights(tmp_path, "caffe"))
    photo = random_photo(70, 803)
    whole = HedDetector(network, device="cpu")([photo])[0]
    monkeypatch.setattr(hed, "_TILE_PX", 160)
    assert np.abs(HedDetector(network, device="cpu")([photo])[0] - whole).max() < 1e-5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_gives_nearly_the_same_map(tmp_path):
    path = write_weights(tmp_path, "controlnet")
    maps = [HedDetector(load_hed(path), device=device)([random_photo()])[0] for device in ("cpu", "cuda")]
    assert np.abs(maps[0] - maps[1]).max() < 0.05


# --- files that must be refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cut_file_is_refused(tmp_path, layout, share):
    path = write_weights(tmp_path, layout)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises((FormatError, CheckpointError), match=path.name):
        load_state(path)


class Intruder:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "whole"])
def test_code_in_a_file_is_refused_and_never_run(tmp_path, form):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    content = controlnet_tensors() | {"norm": Intruder(trace)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(Intruder(trace)))
    elif form == "whole":
        torch.save(Intruder(trace), path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises((CheckpointError, FormatError)) as caught:
        load_state(path)
    assert not trace.exists()
    assert form == "pickle" or "nothing of it was run" in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg.pth")
    with pytest.raises(CheckpointError, match="begin with features"):
        load_state(tmp_path / "vgg.pth")


def test_missing_further_misshapen_and_infinite_weights_are_named(tmp_path):
    good = controlnet_tensors()
    faults = {
        "lack block3.convs.1.bias": {name: value for name, value in good.items() if name != "block3.convs.1.bias"},
        "have block6.convs.0.bias": good | {"block6.convs.0.bias": torch.zeros(1)},
        r"blocks.1.0.weight has shape \(5, 3, 3, 3\)": good | {"block2.convs.0.weight": torch.zeros(5, 3, 3, 3)},
        "blocks.0.0.bias is not finite": good | {"block1.convs.0.bias": torch.full((4,), torch.nan)},
    }
    for told, tensors in faults.items():
        torch.save(tensors, tmp_path / "faulty.pth")
        with pytest.raises((CheckpointError, FormatError), match=told):
            load_state(tmp_path / "faulty.pth")


@pytest.mark.parametrize(("content", "kind"), [(b"<!doctype html>", "a web page"), (b"", "an empty file")])
def test_what_is_no_weight_file_is_named(tmp_path, content, kind):
    (tmp_path / "hed.pth").write_bytes(content)
    with pytest.raises(FormatError, match=kind):
        load_state(tmp_path / "hed.pth")


def test_damaged_caffemodel_never_raises_anything_else(tmp_path):
    content, random = caffe_bytes(), np.random.default_rng(0)
    path = tmp_path / "damaged.caffemodel"
    for _ in range(150):
        damaged = bytearray(content[: 2000 + int(random.integers(3000))])
        for position in random.integers(0, len(damaged), 20):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(FormatError):
            read_caffemodel(path)


def test_shape_that_promises_more_than_there_is_takes_no_memory(tmp_path):
    blob = message(7, message(1, varint(2**40) + varint(2**40))) + message(5, b"\0" * 8)
    (tmp_path / "huge").write_bytes(message(100, message(1, b"conv1_1") + message(7, blob)))
    with pytest.raises(FormatError, match="2 numbers for an array"):
        read_caffemodel(tmp_path / "huge")


# --- as a setting -----------------------------------------------------------------------------------------------


def test_provenance_names_weights_by_content_and_no_place(tmp_path):
    path = write_weights(tmp_path, "caffe")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    settings = EdgesMaker(detector="hed", weights=path).model_dump(mode="json")
    assert settings["weights"] == f"caffe.weights sha256:{digest[:16]}"
    assert EdgesMaker().model_dump(mode="json")["weights"] is None


def test_weights_that_are_not_there_or_of_no_use_are_a_usage_error(tmp_path):
    with pytest.raises(ValidationError, match="no such file"):
        EdgesMaker(detector="hed", weights=tmp_path / "none.pth")
    with pytest.raises(ValidationError, match="loads no weights"):
        EdgesMaker(detector="classical", weights=write_weights(tmp_path, "caffe"))


def test_maker_draws_with_given_weights(tmp_path):
    (drawing,) = EdgesMaker(detector="hed", weights=write_weights(tmp_path, "caffe")).derive([random_photo()])
    assert drawing.shape == (48, 64, 3)


def test_network_on_a_gpu_is_in_one_process_and_the_dataset_stays_the_same(photos, tmp_path, monkeypatch, contents):
    maker = EdgesMaker(size=48, detector="hed", weights=write_weights(tmp_path, "sniklaus"))
    plan = plan_build("edges", maker, photos, BuildOptions(group="file"))
    build(plan, maker, photos, tmp_path / "1" / "set", workers=1)
    monkeypatch.setattr("pix2pix_data.makers.edges._has_gpu", lambda: True)
    seen: list[object] = []
    run_local = engines.local.run_local

    def watched(function, tasks, **options):
        seen.extend(pickle.loads(pickle.dumps(task)).maker._shared.address for task in tasks)
        run_local(function, tasks, **options)

    monkeypatch.setattr("pix2pix_data.engines.local.run_local", watched)
    build(plan, maker, photos, tmp_path / "2" / "set", workers=2)
    assert len(seen) > 1
    assert len(set(seen)) == 1
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_weights_in_the_cache_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv("P2P_CACHE", str(tmp_path))
    write_weights(tmp_path, "caffe").rename(tmp_path / "hed_pretrained_bsds.caffemodel")
    photo = random_photo()
    detectors = (DETECTORS.get("hed")(), make_detector("hed"))
    assert all(np.abs(detector([photo])[0] - expected_map(photo, "caffe")).max() < 0.05 for detector in detectors)


def run_edges(folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    (folder / "photos").mkdir()
    for index in range(4):
        write_png(folder / "photos" / f"{index}.png", random_photo(seed=index))
    command = [
        sys.executable,
        "-c",
        "from pix2pix_data.cli import main; main()",
        "edges",
        str(folder / "photos"),
        "--detector",
        "hed",
    ]
    options = ["--size", "64", "--workers", "1", "--out", str(folder / "pairs")]
    places = {"P2P_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hf"), "HF_ENDPOINT": endpoint}
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | places
    return subprocess.run(
        command + options, env=environment | {"HF_HUB_OFFLINE": "0"}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.network
def test_without_network_it_says_what_to_download_and_where_to_put_it(tmp_path):
    done = run_edges(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "lllyasviel/Annotators/resolve/main/ControlNetHED.pth" in done.stderr
    assert str(tmp_path / "cache" / "ControlNetHED.pth") in done.stderr.replace("\n", "")
    assert "--weights" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cache").exists()


class Hub(BaseHTTPRequestHandler):
    content = b""
    digest = ""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.endswith("Annotators/resolve/main/ControlNetHED.pth") else 404)
        self.send_header("Content-Length", str(len(self.content)))
        self.send_header("ETag", f'"{self.digest}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.network
@pytest.mark.parametrize("fault", ["", "these are not the weights of HED", "its checksum is not the one"])
def test_weights_are_fetched_once_and_kept_only_if_they_are_whole(tmp_path, fault):
    path = write_weights(tmp_path, "controlnet")
    if "weights" in fault:
        torch.save({"features": torch.zeros(1)}, path)
    Hub.content = path.read_bytes()
    Hub.digest = hashlib.sha256(b"another file" if "checksum" in fault else Hub.content).hexdigest()
    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run_edges(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert "Apache-2.0" in done.stderr
    assert "huggingface.co/lllyasviel/Annotators" in done.stderr
    kept = [path.name for path in (tmp_path / "cache").iterdir()]
    if not fault:
        assert done.returncode == 0, done.stderr
        assert kept == ["ControlNetHED.pth"]
    else:
        assert done.returncode == 1
        assert "what the hub gave is not ControlNetHED.pth" in done.stderr
        assert fault in done.stderr
        assert kept == []
