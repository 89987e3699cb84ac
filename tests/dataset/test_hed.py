"""HED: three layouts of weights against forward passes written anew, and registration."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pix2pix_data.edges import hed
from pix2pix_data.edges.hed import HED, HedDetector, load_hed
from pix2pix_data.edges.hed_weights import load_state

sys.path.insert(0, str(Path(__file__).parent))
from hed_files import (
    LAYOUTS,
    controlnet_tensors,
    expected_map,
    random_layers,
    random_photo,
    write_weights,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """So small a network spends its time on waking threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
