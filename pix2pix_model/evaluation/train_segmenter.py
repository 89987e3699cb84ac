"""A segmentation network of the dataset's own: trained once on its real pairs, and kept for every later evaluation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from pix2pix_data.atomic import write_file
from pix2pix_data.console import ProgressLine, say
from pix2pix_data.dataset import PairDataset
from pix2pix_data.errors import CheckpointError, UsageError
from pix2pix_data.images import resize
from pix2pix_data.palette_file import to_hex
from pix2pix_model.evaluation.label_classes import LabelClasses
from pix2pix_model.evaluation.segmenter import SegmentationUNet, UNetSegmenter

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB, LabelMap, Pair

__all__ = ["SegmenterTraining", "own_segmenter"]

_NOT_COUNTED = 255  # labels of no evaluated class; cross entropy leaves them out
_LONGEST_TRAINED_PX = 128  # of the shorter side: what it learns at 256 px costs four times as much
_MOST_PAIRS = 3000
_ROOM = 8  # one part in so many is cut off at random, as in the jitter of pix2pix


@dataclass(frozen=True, slots=True)
class SegmenterTraining:
    """How the network is trained; part of what its cached weights are called by."""

    steps: int = 1000
    batch: int = 8
    learning_rate: float = 2e-3
    width: int = 24
    seed: int = 0


def own_segmenter(
    dataset: PairDataset,
    classes: LabelClasses,
    size: tuple[int, int],
    cache_dir: Path,
    *,
    device: torch.device,
    training: SegmenterTraining | None = None,
) -> UNetSegmenter:
    """Return a segmentation network trained on the real training pairs: from the cache, or trained now.

    Parameters
    ----------
    dataset : PairDataset
    classes : LabelClasses
    size : (int, int)
        Height and width of the pictures to be judged.
    cache_dir : Path
        Its folder there is named after the dataset, and a fingerprint of all that decides the weights.
    device : torch.device
    training : SegmenterTraining, optional

    Raises
    ------
    UsageError
        If the dataset has no training pairs.
    ImageError
        If a pair cannot be decoded.
    """
    if "train" not in dataset.num_pairs:
        fix = "name a network with --segmenter FILE.onnx"
        raise UsageError("there are no training pairs that a segmentation network could learn from", fix=fix)
    training = training or SegmenterTraining()
    trained_size = _trained_size(size)
    facts = _facts(dataset, classes, trained_size, training)
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    dataset_name = dataset.path.resolve().name
    folder = cache_dir / f"{dataset_name}-{digest}"
    network = _first_network(classes.num_evaluated, training)
    if (folder / "segmenter.json").is_file():
        _load(network, folder / "segmenter.safetensors")
        say(f"segmentation network: {folder}, trained before")
    else:
        _train(network.to(device), dataset, classes, trained_size, training)
        write_file(folder / "segmenter.safetensors", save({k: v.cpu() for k, v in network.state_dict().items()}))
        write_file(folder / "segmenter.json", json.dumps(facts, indent=1) + "\n")  # last: says that all is there
        say(f"segmentation network: kept in {folder}")
    network.to(device).eval().requires_grad_(False)
    return UNetSegmenter(network, trained_size, f"a U-Net trained on the real pairs of {dataset_name} ({digest})")


def _trained_size(size: tuple[int, int]) -> tuple[int, int]:
    """Bring the shorter side to 128 px at most, and both to what the network divides."""
    multiple_px = SegmentationUNet.multiple_px
    scale = min(1.0, _LONGEST_TRAINED_PX / min(size))
    height, width = (max(multiple_px, round(side * scale / multiple_px) * multiple_px) for side in size)
    return height, width


def _facts(
    dataset: PairDataset, classes: LabelClasses, size: tuple[int, int], training: SegmenterTraining
) -> dict[str, object]:
    return {
        "format": 1,
        "dataset": {"name": dataset.path.resolve().name, "fingerprint": dataset.fingerprint},
        "labels": {"side": classes.side, "counted": classes.num_evaluated},
        "colors": [to_hex(color) for color in classes.palette.colors],
        "size": list(size),
        "training": {name: getattr(training, name) for name in SegmenterTraining.__dataclass_fields__},
    }


def _first_network(num_classes: int, training: SegmenterTraining) -> SegmentationUNet:
    """Build the network with first weights that depend on the seed alone; torch's own draws go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        return SegmentationUNet(num_classes, training.width)


def _load(network: SegmentationUNet, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        fix = "remove its folder, and it is trained again"
        raise CheckpointError(f"missing or damaged: {error}", where=path, fix=fix) from error


def _train(
    network: SegmentationUNet,
    dataset: PairDataset,
    classes: LabelClasses,
    size: tuple[int, int],
    training: SegmenterTraining,
) -> None:
    """Minimise the cross entropy by Adam, at a rate that rises to its highest and falls to nothing (one cycle)."""
    photos, labels = _read(dataset, classes, _with_room(size))
    device = next(network.parameters()).device
    rng = np.random.default_rng(training.seed)
    optimizer = torch.optim.Adam(network.parameters(), training.learning_rate)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.learning_rate, total_steps=training.steps)
    network.train()
    with ProgressLine("Training the segmentation network", training.steps, unit="steps") as progress:
        for step in range(training.steps):
            chosen = torch.from_numpy(rng.integers(len(photos), size=training.batch))
            given, true = _jittered(photos[chosen], labels[chosen], size, rng)
            logits = network(given.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1)
            loss = F.cross_entropy(logits, true.to(device).long(), ignore_index=_NOT_COUNTED)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rate.step()
            progress.set(step + 1, f"cross entropy {loss.item():.2f}" if step % 50 == 0 else None)


def _with_room(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (side + side // _ROOM for side in size)
    return height, width


def _read(dataset: PairDataset, classes: LabelClasses, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Read photos, uint8 (N, H, W, 3), and their labels, uint8 (N, H, W), of evenly spread training pairs."""
    total = dataset.num_pairs["train"]
    wanted = {i * total // min(total, _MOST_PAIRS) for i in range(min(total, _MOST_PAIRS))}
    photos = np.empty((len(wanted), *size, 3), np.uint8)
    labels = np.empty((len(wanted), *size), np.uint8)
    with ProgressLine("Reading real pairs", len(wanted), unit="pairs") as progress:
        for i, encoded in enumerate(dataset.encoded_pairs("train", wanted)):
            photos[i], labels[i] = _photo_and_labels(encoded.decode(), classes, size)
            progress.advance()
    return torch.from_numpy(photos), torch.from_numpy(labels)


def _photo_and_labels(pair: Pair, classes: LabelClasses, size: tuple[int, int]) -> tuple[RGB, LabelMap]:
    height, width = size
    photo, label_map = (pair.b, pair.a) if classes.side == "A" else (pair.a, pair.b)
    labels = classes.true_labels(label_map, height, width)
    return resize(photo, width, height), np.where(labels < classes.num_evaluated, labels, _NOT_COUNTED).astype(np.uint8)


def _jittered(photos: Tensor, labels: Tensor, size: tuple[int, int], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut each batch at one place drawn at random, and mirror it half of the time."""
    height, width = size
    top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(photos.shape[1:3], size, strict=True))
    photos, labels = (one[:, top : top + height, left : left + width] for one in (photos, labels))
    return (photos.flip(2), labels.flip(2)) if rng.random() < 0.5 else (photos, labels)
