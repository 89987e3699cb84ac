from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from pix2pix_data.dataset import EncodedPair, encode_pair, open_dataset
from pix2pix_data.errors import FormatError, ImageError
from pix2pix_data.images import encode_png, write_png
from pix2pix_data.pair import Pair
from pix2pix_data.shards import shard_path, write_shard


def test_a_shard_gives_back_its_pairs(tmp_path, draw):
    pairs = [Pair(f"x/{i}", draw(i), draw(i + 100), "x") for i in range(70)]  # more than one row group
    path = shard_path(tmp_path, "train", 0, 1)
    assert write_shard(path, (encode_pair(pair, lossless=True) for pair in pairs)) == 70
    (tmp_path / "build.json").write_text("{}")
    dataset = open_dataset(tmp_path)
    assert dataset.num_pairs == {"train": 70}
    for old, new in zip(pairs, dataset.pairs("train"), strict=True):
        assert (old.key, old.group) == (new.key, new.group)
        assert np.array_equal(old.a, new.a)
        assert np.array_equal(old.b, new.b)


def test_large_pictures_are_written_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("pix2pix_data.shards._ROW_GROUP_BYTES", 1000)
    pairs = [EncodedPair(str(i), str(i), bytes(300), bytes(300)) for i in range(5)]
    path = shard_path(tmp_path, "train", 0, 1)
    assert write_shard(path, pairs) == 5
    with pq.ParquetFile(path) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2, 2, 1]
    (tmp_path / "build.json").write_text("{}")
    assert list(open_dataset(tmp_path).encoded_pairs("train")) == pairs


def test_chosen_pairs_are_read_alone(tmp_path, draw):
    for i, num in enumerate((130, 5)):
        pairs = (Pair(f"{i}-{j}", draw(0, 9, 7), draw(1, 9, 7), "x") for j in range(num))
        write_shard(shard_path(tmp_path, "train", i, 2), (encode_pair(pair, lossless=True) for pair in pairs))
    (tmp_path / "build.json").write_text("{}")
    dataset = open_dataset(tmp_path)
    assert [pair.key for pair in dataset.encoded_pairs("train", {3, 70, 129, 130})] == ["0-3", "0-70", "0-129", "1-0"]
    assert dataset.keys("train") == [pair.key for pair in dataset.encoded_pairs("train")]


def test_a_half_written_shard_is_not_there(tmp_path, draw):
    def pairs():
        yield encode_pair(Pair("0", draw(), draw(), "0"), lossless=False)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_shard(tmp_path / "train.parquet", pairs())
    assert list(tmp_path.iterdir()) == []


def test_the_target_keeps_its_own_file(draw):
    pair = Pair("0", draw(), draw(), "0", b_file=b"\x89PNG the very bytes")
    assert encode_pair(pair, lossless=False).b == b"\x89PNG the very bytes"


def test_sides_of_two_sizes_are_no_pair(draw):
    with pytest.raises(ImageError, match="A is 90x70 pixels and B is 80x70"):
        Pair("0", draw(), draw(0, 80), "0")


def test_side_by_side_files_are_split_in_the_middle(tmp_path, draw):
    left, right = draw(1), draw(2)
    write_png(tmp_path / "train" / "1.png", np.hstack([left, right]))
    write_png(tmp_path / "val" / "2.png", np.hstack([right, left]))
    dataset = open_dataset(tmp_path)
    assert dataset.num_pairs == {"train": 1, "validation": 1}
    pair = next(dataset.pairs("train"))
    assert np.array_equal(pair.a, left)
    assert np.array_equal(pair.b, right)


def test_two_folders_of_one_split_are_an_error(tmp_path, draw):
    for name in ("train", "val", "eval"):
        write_png(tmp_path / name / "1.png", draw(1, 140, 70))
    with pytest.raises(FormatError, match="more than one folder is that of the validation split"):
        open_dataset(tmp_path)


def test_photos_in_a_folder_called_train_raise_a_doubt(tmp_path, draw):
    write_png(tmp_path / "photos" / "train" / "1.png", draw(1, 90, 70))
    write_png(tmp_path / "pairs" / "train" / "1.png", draw(1, 140, 70))
    doubt = open_dataset(tmp_path / "photos").doubt
    assert doubt is not None
    assert "90x70" in doubt
    assert "sides of 45x70" in doubt
    assert open_dataset(tmp_path / "pairs").doubt is None


def test_a_side_by_side_file_without_a_middle_is_refused_by_name(draw):
    with pytest.raises(ImageError, match="no middle: 17"):
        EncodedPair("17", "17", encode_png(draw(0, 91)), None).decode()


def test_two_folders_are_matched_by_name(tmp_path, draw):
    for i in range(3):
        write_png(tmp_path / "trainA" / f"{i}.png", draw(i))
        write_png(tmp_path / "trainB" / f"{i}.png", draw(i + 10))
    pairs = list(open_dataset(tmp_path).pairs("train"))
    assert [pair.key for pair in pairs] == ["0", "1", "2"]
    assert np.array_equal(pairs[2].b, draw(12))


def test_two_folders_that_do_not_match_are_refused(tmp_path, draw):
    write_png(tmp_path / "trainA" / "1.png", draw())
    write_png(tmp_path / "trainB" / "2.png", draw())
    with pytest.raises(FormatError, match="2 pictures have no partner, such as 1: no picture of this name in trainB"):
        open_dataset(tmp_path)


def test_a_folder_of_plain_photos_says_what_to_run(photos):
    with pytest.raises(FormatError, match="p2p-data edges"):
        open_dataset(photos)


def test_an_unfinished_build_is_not_a_dataset(tmp_path):
    (tmp_path / ".build").mkdir()
    with pytest.raises(FormatError, match="not finished"):
        open_dataset(tmp_path)


def test_a_split_that_is_not_there_is_named(tmp_path, draw):
    write_png(tmp_path / "train" / "1.png", np.hstack([draw(), draw()]))
    for read in (open_dataset(tmp_path).encoded_pairs, open_dataset(tmp_path).keys):
        with pytest.raises(FormatError, match="no test split"):
            read("test")


def test_the_fingerprint_follows_the_pairs(tmp_path, draw):
    write_png(tmp_path / "train" / "1.png", np.hstack([draw(), draw()]))
    before = open_dataset(tmp_path).fingerprint
    assert open_dataset(tmp_path).fingerprint == before
    write_png(tmp_path / "train" / "2.png", np.hstack([draw(), draw()]))
    assert open_dataset(tmp_path).fingerprint != before


@pytest.mark.parametrize("read", [lambda one: list(one.pairs("train")), lambda one: one.keys("train")])
def test_a_shard_that_is_cut_after_it_was_opened_is_named(tmp_path, draw, read):
    shard = shard_path(tmp_path, "train", 0, 1)
    write_shard(shard, [encode_pair(Pair("0", draw(0), draw(1), "0"), lossless=True)])
    (tmp_path / "build.json").write_text("{}")
    dataset = open_dataset(tmp_path)
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(FormatError, match="damaged file") as told:
        read(dataset)
    assert told.value.where == str(shard)
