"""Networks that judge photos: one that the tool trains, and files of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pix2pix_data.dataset import EncodedPair, PairDataset, open_dataset
from pix2pix_data.errors import CheckpointError, HubError, UsageError
from pix2pix_data.images import encode_png, write_png
from pix2pix_data.known_labels import LABEL_PALETTES
from pix2pix_data.shards import shard_path, write_shard
from pix2pix_model.evaluation.features import load_features
from pix2pix_model.evaluation.label_classes import LabelClasses
from pix2pix_model.evaluation.label_scores import Confusion
from pix2pix_model.evaluation.onnx_network import OnnxNetwork, find_onnx
from pix2pix_model.evaluation.segmenter import OnnxSegmenter, SegmentationUNet
from pix2pix_model.evaluation.train_segmenter import SegmenterTraining, own_segmenter

CLASSES = LabelClasses(LABEL_PALETTES["facades"], 12, "B", "facades")
CPU = torch.device("cpu")
SHORT = SegmenterTraining(steps=40, batch=4, width=6)


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright wall with a dark window on it, with noise; and its labels: facade and window."""
    rng = np.random.default_rng(seed)
    labels = np.ones((32, 32), np.uint8)
    top, left = rng.integers(2, 18, 2)
    labels[top : top + 12, left : left + 10] = 2
    photo = np.where(labels[:, :, None] == 2, 50, 200) + rng.normal(0, 15, (32, 32, 3))
    return np.clip(photo, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    folder = tmp_path_factory.mktemp("walls")
    for i in range(8):
        photo, labels = draw(i)
        write_png(folder / "train" / f"{i}.png", np.hstack([photo, CLASSES.painted(labels)]))
    return open_dataset(folder)


def photos() -> tuple[Tensor, list[np.ndarray]]:
    drawn = [draw(100 + i) for i in range(4)]
    return torch.from_numpy(np.stack([photo for photo, _ in drawn])), [labels for _, labels in drawn]


def train(dataset: PairDataset, cache: Path, training: SegmenterTraining = SHORT) -> list[np.ndarray]:
    segmenter = own_segmenter(dataset, CLASSES, (32, 32), cache, device=CPU, training=training)
    return segmenter(photos()[0])


def test_a_trained_segmenter_finds_windows_on_new_walls_and_is_kept(dataset, tmp_path, capsys):
    first = train(dataset, tmp_path)
    confusion = Confusion(12)
    for ours, theirs in zip(first, photos()[1], strict=True):
        confusion.add(ours, theirs)
    assert confusion.scores().class_iou > 0.8
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "segmenter.json").read_text())["dataset"]["fingerprint"] == dataset.fingerprint
    assert "trained before" not in capsys.readouterr().err
    again = train(dataset, tmp_path)
    assert "trained before" in capsys.readouterr().err
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_training_a_segmenter_is_deterministic_and_leaves_other_draws_alone(dataset, tmp_path):
    few = SegmenterTraining(steps=3, batch=2, width=4)
    torch.manual_seed(5)
    first, drawn = train(dataset, tmp_path / "one", few), torch.rand(1)
    torch.manual_seed(6)
    second = train(dataset, tmp_path / "two", few)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    weights = [path.read_bytes() for path in sorted(tmp_path.rglob("*.safetensors"))]
    assert weights[0] == weights[1]


def test_another_size_or_seed_is_another_network(dataset, tmp_path):
    for training in (
        SegmenterTraining(steps=2, batch=2, width=4),
        SegmenterTraining(steps=2, batch=2, width=4, seed=1),
    ):
        train(dataset, tmp_path, training)
    assert len(list(tmp_path.iterdir())) == 2


def test_damaged_weights_of_a_kept_segmenter_are_named(dataset, tmp_path):
    few = SegmenterTraining(steps=2, batch=2, width=4)
    train(dataset, tmp_path, few)
    (weights,) = tmp_path.rglob("*.safetensors")
    weights.write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="damaged"):
        train(dataset, tmp_path, few)


def test_a_dataset_without_training_pairs_cannot_teach(dataset, tmp_path):
    photo, labels = draw(0)
    sides = [encode_png(one) for one in (photo, CLASSES.painted(labels))]
    write_shard(shard_path(tmp_path / "d", "test", 0, 1), [EncodedPair("0", "", *sides)])
    (tmp_path / "d" / "build.json").write_text("{}")
    with pytest.raises(UsageError, match="no training pairs"):
        train(open_dataset(tmp_path / "d"), tmp_path / "cache")


def test_the_network_keeps_the_size():
    network = SegmentationUNet(5, width=4).eval()
    assert network(torch.zeros(1, 3, 32, 48)).shape == (1, 5, 32, 48)


# --- files of others ----------------------------------------------------------------------------------------------


def write_onnx(
    path: Path, operators: list[tuple[str, dict[str, object]]], out_rank: int, batch: int | None = None
) -> Path:
    """Write a network of operators in a row, on pictures (N, 3, H, W)."""
    onnx = pytest.importorskip("onnx", reason="onnx writes the networks of this test")
    names = ["pictures", *(f"made{i}" for i in range(len(operators)))]
    nodes = [
        onnx.helper.make_node(kind, [names[i]], [names[i + 1]], **attributes)
        for i, (kind, attributes) in enumerate(operators)
    ]
    kind = onnx.TensorProto.FLOAT
    given = onnx.helper.make_tensor_value_info("pictures", kind, [batch or "N", 3, "H", "W"])
    made = onnx.helper.make_tensor_value_info(names[-1], kind, [f"d{i}" for i in range(out_rank)])
    graph = onnx.helper.make_graph(nodes, "drawn", [given], [made])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def halving(path: Path) -> Path:
    """The three colours at half the size, as logits of three classes."""
    return write_onnx(path, [("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]})], 4)


def mean_color(path: Path, *, batch: int | None = None) -> Path:
    return write_onnx(path, [("GlobalAveragePool", {}), ("Flatten", {})], 2, batch)


def test_an_onnx_file_segments_pictures_of_any_size(tmp_path):
    segmenter = OnnxSegmenter(str(halving(tmp_path / "halving.onnx")), 3, "bytes")
    pixels = torch.zeros(3, 32, 40, 3, dtype=torch.uint8)
    pixels[:, :, :20, 0] = 255  # red on the left is class 0, blue on the right class 2
    pixels[:, :, 20:, 2] = 255
    found = segmenter(pixels)
    assert len(found) == 3
    assert found[0].shape == (32, 40)
    assert (found[0][:, :19] == 0).all()
    assert (found[0][:, 21:] == 2).all()
    assert "halving.onnx (sha256 " in segmenter.name


def test_an_onnx_file_gives_features_in_the_range_that_it_takes(tmp_path):
    path = mean_color(tmp_path / "colors.onnx", batch=1)
    pixels = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    pixels[1] = 255
    for input_range, ends in {"unit": (0, 1), "signed": (-1, 1), "bytes": (0, 255)}.items():
        features = load_features(str(path), device=CPU, input_range=input_range)(pixels)
        assert features[:, 0].tolist() == pytest.approx(ends)
    red = load_features(str(path), device=CPU)(pixels)[0, 0].item()
    assert red == pytest.approx(-0.485 / 0.229, abs=1e-4)


def test_a_network_for_other_classes_is_refused(tmp_path):
    path = halving(tmp_path / "halving.onnx")
    with pytest.raises(CheckpointError, match="12 classes"):
        OnnxSegmenter(str(path), 12, "bytes")(torch.zeros(1, 16, 16, 3, dtype=torch.uint8))


def test_files_that_may_hold_code_are_not_loaded(tmp_path):
    for name in ("network.pt", "network.pth", "network.pkl"):
        with pytest.raises(UsageError, match="ONNX"):
            find_onnx(str(tmp_path / name))


def test_a_file_that_is_no_network_is_named(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="no network"):
        OnnxNetwork(path, "imagenet")
    with pytest.raises(UsageError, match="no such file"):
        find_onnx(str(tmp_path / "nothing.onnx"))


def test_a_file_on_the_hub_is_fetched_by_repository_and_path(monkeypatch, tmp_path):
    import huggingface_hub

    asked: list[tuple[str, str]] = []

    def fetch(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / "model.onnx")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    assert find_onnx("hub:someone/networks/onnx/model.onnx") == tmp_path / "model.onnx"
    assert asked == [("someone/networks", "onnx/model.onnx")]


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch):
    import huggingface_hub

    def unreachable(*_: object) -> None:
        raise OSError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    with pytest.raises(HubError, match="no route"):
        find_onnx("hub:someone/networks/one.onnx")
    with pytest.raises(UsageError, match="no file on the hub"):
        find_onnx("hub:one.onnx")
