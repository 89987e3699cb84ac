from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import pix2pix_model.data as data_module
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import ImageError, UsageError
from pix2pix_data.images import write_png
from pix2pix_model import pixel_files
from pix2pix_model.batch import Batch
from pix2pix_model.data import Cuts, PairCache, cut, draw_cuts
from pix2pix_model.pair_reader import PairReader
from pix2pix_model.picture_size import PictureSize
from pix2pix_model.pixel_files import FOLDER_VARIABLE
from pix2pix_model.recipe import DataSettings

CPU = torch.device("cpu")


def settings(path: Path, **changes: object) -> DataSettings:
    return DataSettings.model_validate({"path": path, "load_size": 36, "crop_size": 32, **changes})


def test_cut_and_mirror_hit_both_sides_alike():
    side = np.arange(36 * 36, dtype=np.uint16).reshape(36, 36, 1).repeat(3, 2)
    cuts = draw_cuts(np.random.default_rng(0), 50, settings(Path()))
    a, b = (cut([one] * 50, cuts, PictureSize(32, 32)) for one in (side, side + 10_000))
    assert np.array_equal(b, a + 10_000)
    assert a.shape == (50, 32, 32, 3)


def test_cut_is_slicing_and_mirror_is_a_flip():
    pictures = np.random.default_rng(0).integers(256, size=(2, 9, 9, 3), dtype=np.uint8)
    made = cut(pictures, Cuts(np.array([1, 3]), np.array([2, 0]), np.array([False, True])), PictureSize(6, 6))
    assert np.array_equal(made[0], pictures[0, 1:7, 2:8])
    assert np.array_equal(made[1], pictures[1, 3:9, 0:6][:, ::-1])


def test_a_cut_that_is_no_square_hits_both_sides_alike():
    side = np.arange(20 * 50, dtype=np.uint16).reshape(20, 50, 1).repeat(3, 2)
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
        PairCache(dataset, settings(dataset_dir, direction=way, **plain), split="train", device=CPU).batch(first, rng)
        for way in ("AtoB", "BtoA")
    ]
    assert torch.equal(batches[0].a, batches[1].b)
    assert torch.equal(batches[0].b, batches[1].a)
    assert batches[0].a.std(1).max() == 0  # the drawn A has no colour
    assert batches[0].b.std(1).max() > 0


@pytest.fixture
def cache_dir(tmp_path, monkeypatch) -> Path:
    """A folder for decoded pixels, where even those are kept that were decoded in no time."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(data_module, "WORTH_KEEPING_S", 0.0)
    return tmp_path / "cache" / "pixels"


def batch_of(path: Path, indices: tuple[int, ...] = (3, 1, 3), **changes: object) -> Batch:
    cache = PairCache(open_dataset(path), settings(path, **changes), split="train", device=CPU)
    return cache.batch(np.array(indices), np.random.default_rng(0))


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.a, other.a) and torch.equal(one.b, other.b)


@pytest.mark.parametrize("views", [{}, {"a_as": "gray16"}, {"b_as": "lab"}, {"a_as": "rgba"}])
def test_every_route_gives_the_same_batches(dataset_dir, cache_dir, monkeypatch, views):
    decoded = batch_of(dataset_dir, **views)
    monkeypatch.setattr(PairReader, "read", None)  # whoever decodes now fails
    assert same(batch_of(dataset_dir, **views), decoded)
    monkeypatch.setattr(data_module, "_free_on", lambda _: 2**30)
    assert same(batch_of(dataset_dir, **views), decoded)  # cut by one index, as on a GPU


def test_files_serve_where_memory_is_short(dataset_dir, cache_dir, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    in_memory = batch_of(dataset_dir)
    monkeypatch.setattr(data_module, "_free_memory", lambda: 0)
    with pytest.raises(UsageError, match="no files may hold them"):
        batch_of(dataset_dir)
    monkeypatch.setenv(FOLDER_VARIABLE, str(cache_dir.parent))
    assert same(batch_of(dataset_dir), in_memory)
    monkeypatch.setattr(PairReader, "read", None)
    assert same(batch_of(dataset_dir), in_memory)


def test_what_is_decoded_in_no_time_is_not_kept(dataset_dir, cache_dir, monkeypatch):
    monkeypatch.setattr(data_module, "WORTH_KEEPING_S", 60.0)
    batch_of(dataset_dir)
    assert not cache_dir.exists()


@pytest.mark.parametrize("changes", [{"load_size": 34}, {"resize": "linear"}, {"a_as": "gray"}, {"levels": (0, 9)}])
def test_other_settings_are_other_pixels(dataset_dir, cache_dir, changes):
    batch_of(dataset_dir)
    batch_of(dataset_dir, crop_size=24, mirror=False, cut_from=1)  # these leave what is stored as it is
    assert len(list(cache_dir.iterdir())) == 1
    batch_of(dataset_dir, **changes)
    assert len(list(cache_dir.iterdir())) == 2


def test_a_file_written_anew_is_read_anew_even_at_its_size(tmp_path, cache_dir):
    picture = tmp_path / "pairs" / "train" / "0.bmp"
    picture.parent.mkdir(parents=True)
    for level in (10, 200):
        Image.fromarray(np.full((36, 72, 3), level, np.uint8)).save(picture)
        batch = batch_of(picture.parent.parent, (0,))
        assert ((batch.a + 1) * 127.5).round().unique().tolist() == [level]


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        flip_a_byte,
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: (path.parent / "pixels.json").write_text("[1]"),
        lambda path: (path.parent / "pixels.json").unlink(),
    ],
)
def test_damaged_pixels_are_decoded_anew(dataset_dir, cache_dir, spoil):
    sound = batch_of(dataset_dir)
    (kept,) = cache_dir.glob("*/1.npy")
    content = kept.read_bytes()
    spoil(kept)
    assert same(batch_of(dataset_dir), sound)
    assert kept.read_bytes() == content


@pytest.mark.parametrize("fault", ["full", "fails"])
def test_a_cache_that_cannot_be_written_is_told_and_no_more(dataset_dir, cache_dir, monkeypatch, capsys, fault):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if fault == "full":
        monkeypatch.setattr(pixel_files.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    else:
        monkeypatch.setattr(pixel_files.np, "save", fail)
    batch_of(dataset_dir)
    assert "The pixels are not kept for the next run" in capsys.readouterr().err
    assert not list(cache_dir.iterdir())


def test_what_is_said_of_the_pixels_is_said_again(dataset_dir, cache_dir, capsys):
    batch_of(dataset_dir, a_as="gray16", levels=(0, 9))
    first = [line for line in capsys.readouterr().err.splitlines() if line.startswith("careful")]
    batch_of(dataset_dir, a_as="gray16", levels=(0, 9))
    assert first
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("careful")] == first


def test_the_cache_keeps_to_its_limit_and_the_oldest_goes(dataset_dir, cache_dir, monkeypatch):
    batch_of(dataset_dir)
    batch_of(dataset_dir, resize="linear")
    first, second = sorted(cache_dir.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.utime(second, (1, 1))
    stale = cache_dir / ".of-a-killed-run.1.part"
    stale.mkdir()
    os.utime(stale, (1, 1))
    size = sum(file.stat().st_size for file in first.iterdir())
    monkeypatch.setattr(pixel_files, "_MAX_BYTES", 2 * size + 100)
    batch_of(dataset_dir, load_size=35)
    left = set(cache_dir.iterdir())
    assert first in left
    assert not {second, stale} & left
    assert len(left) == 2


def test_free_memory_is_told():
    assert data_module._free_memory() > 2**20


def test_a_broken_pair_is_named(dataset_dir, tmp_path):
    (dataset_dir / "train" / "3.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="3"):
        PairCache(open_dataset(dataset_dir), settings(dataset_dir), split="train", device=CPU)


def test_pairs_come_in_the_order_of_the_dataset(tmp_path):
    for i in range(40):
        write_png(tmp_path / "train" / f"{i:02d}.png", np.full((32, 64, 3), i, np.uint8))
    cache = PairCache(open_dataset(tmp_path), settings(tmp_path, load_size=32), split="train", device=CPU)
    batch = cache.batch(np.arange(40), np.random.default_rng(0))
    assert ((batch.a[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() == list(range(40))
