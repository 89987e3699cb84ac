from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pix2pix_model.data as data_module
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import ImageError
from pix2pix_data.images import write_png
from pix2pix_model.data import Cuts, PairCache, cut, draw_cuts
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.recipe import DataSettings

CPU = torch.device("cpu")


def settings(path: Path, **changes: object) -> DataSettings:
    return DataSettings.model_validate({"path": path, "load_size": 36, "crop_size": 32, **changes})


def test_cut_and_mirror_hit_both_sides_alike():
    side = np.arange(36 * 36).reshape(36, 36, 1).repeat(3, 2)
    cuts = draw_cuts(np.random.default_rng(0), 50, settings(Path()))
    a, b = (cut([one] * 50, cuts, PictureSize(32, 32)) for one in (side, side + 10_000))
    assert np.array_equal(b, a + 10_000)
    assert a.shape == (50, 32, 32, 3)


def test_cut_is_slicing_and_mirror_is_a_flip():
    pictures = np.random.default_rng(0).integers(256, size=(2, 9, 9, 3))
    made = cut(pictures, Cuts(np.array([1, 3]), np.array([2, 0]), np.array([False, True])), PictureSize(6, 6))
    assert np.array_equal(made[0], pictures[0, 1:7, 2:8])
    assert np.array_equal(made[1], pictures[1, 3:9, 0:6][:, ::-1])


def test_a_cut_that_is_no_square_hits_both_sides_alike():
    side = np.arange(20 * 50).reshape(20, 50, 1).repeat(3, 2)
    cuts = draw_cuts(np.random.default_rng(0), 300, settings(Path(), load_size=(20, 50), crop_size=(16, 32)))
    assert (set(cuts.top), set(cuts.left)) == (set(range(5)), set(range(19)))
    a, b = (cut([one] * 300, cuts, PictureSize(16, 32)) for one in (side, side + 10_000))
    assert a.shape == (300, 16, 32, 3)
    assert np.array_equal(b, a + 10_000)
    for i, (top, left, mirrored) in enumerate(zip(cuts.top, cuts.left, cuts.mirrored, strict=True)):
        plain = side[top : top + 16, left : left + 32]
        assert np.array_equal(a[i], plain[:, ::-1] if mirrored else plain)


def test_cuts_reach_from_0_to_the_full_slack():
    cuts = draw_cuts(np.random.default_rng(0), 500, settings(Path()))
    assert set(cuts.top) == set(cuts.left) == {0, 1, 2, 3, 4}
    assert 200 < cuts.mirrored.sum() < 300


def test_cuts_of_the_torch_code_never_begin_at_0():
    cuts = draw_cuts(np.random.default_rng(0), 500, settings(Path(), cut_from=1))
    assert set(cuts.top) == set(cuts.left) == {1, 2, 3, 4}
    whole = draw_cuts(np.random.default_rng(0), 50, settings(Path(), cut_from=1, load_size=32))
    assert not whole.top.any()


def test_without_jitter_and_mirror_nothing_is_drawn():
    cuts = draw_cuts(np.random.default_rng(0), 50, settings(Path(), load_size=32, mirror=False))
    assert not cuts.top.any()
    assert not cuts.left.any()
    assert not cuts.mirrored.any()


def test_direction_swaps_condition_and_target(dataset, dataset_dir, tmp_path):
    plain = {"load_size": 32, "mirror": False}
    first, rng = np.array([0]), np.random.default_rng(0)
    batches = [
        PairCache(dataset, settings(dataset_dir, direction=way, **plain), split="train", spill_dir=tmp_path).batch(
            first, rng, CPU
        )
        for way in ("AtoB", "BtoA")
    ]
    assert torch.equal(batches[0].a, batches[1].b)
    assert torch.equal(batches[0].b, batches[1].a)
    assert batches[0].a.std(1).max() == 0  # the drawn A has no colour
    assert batches[0].b.std(1).max() > 0


def test_a_file_serves_where_memory_is_short(dataset, dataset_dir, tmp_path, monkeypatch):
    def batch() -> torch.Tensor:
        cache = PairCache(dataset, settings(dataset_dir), split="train", spill_dir=tmp_path)
        return cache.batch(np.array([3, 1]), np.random.default_rng(0), CPU).b

    in_memory, before = batch(), set(tmp_path.iterdir())
    monkeypatch.setattr(data_module, "_free_memory", lambda: 0)
    assert torch.equal(batch(), in_memory)
    assert set(tmp_path.iterdir()) == before


def test_free_memory_is_told():
    assert data_module._free_memory() > 2**20


def test_a_broken_pair_is_named(dataset_dir, tmp_path):
    (dataset_dir / "train" / "3.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="3"):
        PairCache(open_dataset(dataset_dir), settings(dataset_dir), split="train", spill_dir=tmp_path)


def test_pairs_come_in_the_order_of_the_dataset(tmp_path):
    for i in range(40):
        write_png(tmp_path / "train" / f"{i:02d}.png", np.full((32, 64, 3), i, np.uint8))
    cache = PairCache(open_dataset(tmp_path), settings(tmp_path, load_size=32), split="train", spill_dir=tmp_path)
    batch = cache.batch(np.arange(40), np.random.default_rng(0), CPU)
    assert ((batch.a[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() == list(range(40))
