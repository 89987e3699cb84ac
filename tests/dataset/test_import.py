"""Pairs from the layouts that people have: their bytes, their splits, and a reason for what gives no pair."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pix2pix_data.errors import BuildError, FormatError
from pix2pix_data.images import encode_jpeg, encode_png
from pix2pix_data.importing import ImportOptions, open_layout

sys.path.insert(0, str(Path(__file__).parent))
from layout_files import folders_of, write, write_tar

# --- pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["{}{}", "{}_{}", "{1}/{0}"])
def test_two_folders_keep_their_bytes_and_splits(take_in, sides, tmp_path, pattern):
    files = {}
    for i, contents in enumerate(sides):
        for side, content in zip("AB", contents, strict=True):
            folder = pattern.format("val" if i == 3 else "train", side)
            files[f"{folder}/{i}.{'png' if side == 'A' else 'jpg'}"] = content
    pairs, failed = take_in(write(tmp_path / "in", files))
    assert list(pairs) == [
        ("train", "train/0"),
        ("train", "train/1"),
        ("train", "train/2"),
        ("validation", "validation/3"),
    ]
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides
    assert failed == {}


def test_a_picture_without_a_partner_is_accounted_for(take_in, sides, tmp_path):
    files = folders_of(sides) | {"trainA/7.png": sides[0][0], "trainB/8.jpg": sides[0][1], "trainA/notes.txt": b"hello"}
    files["trainA/prices.csv"] = b"1,2"
    pairs, failed = take_in(write(tmp_path / "in", files))
    assert len(pairs) == 4
    assert failed == dict.fromkeys(("trainA/7.png", "trainB/8.jpg"), "no partner, or in no folder of a split")
    assert json.loads((tmp_path / "out" / "build.json").read_text())["others"] == [
        "trainA/notes.txt",
        "trainA/prices.csv",
    ]


def test_folders_a_and_b_without_splits_are_training_pairs(take_in, sides, tmp_path):
    files = {name.replace("train", "").replace("val", ""): content for name, content in folders_of(sides).items()}
    pairs, _ = take_in(write(tmp_path / "in", files))
    assert list(pairs) == [("train", f"train/{i}") for i in range(4)]


def test_swapped_sides_are_swapped_back(take_in, sides, tmp_path):
    pairs, _ = take_in(write(tmp_path / "in", folders_of(sides)), swap=True)
    assert [(pair.b, pair.a) for pair in pairs.values()] == sides


def test_what_holds_more_than_pixels_is_stored_as_pixels(take_in, sides, draw, tmp_path):
    turned, transparent = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw(5, 70, 90)).save(turned, "JPEG", exif=exif)
    Image.fromarray(draw(6)).convert("RGBA").save(transparent, "WEBP", lossless=True)
    files = {"trainA/1.webp": transparent.getvalue(), "trainB/1.jpg": turned.getvalue()}
    pairs, _ = take_in(write(tmp_path / "in", files))
    (pair,) = pairs.values()
    assert pair.a == encode_png(draw(6))
    assert pair.b.startswith(b"\x89PNG")
    assert pair.decode().b.shape == (70, 90, 3)


def test_sides_of_two_sizes_are_accounted_for(take_in, sides, draw, tmp_path):
    files = folders_of(sides) | {"trainA/0.png": encode_png(draw(0, 80))}
    pairs, failed = take_in(write(tmp_path / "in", files))
    assert len(pairs) == 3
    assert failed == {"trainA/0.png, trainB/0.jpg": "A is 80x70 pixels and B is 90x70 pixels"}


def test_side_by_side_pictures_keep_every_pixel(take_in, draw, tmp_path):
    both = [np.hstack([draw(i), draw(i + 9)]) for i in range(3)]
    files = {"train/x/0.png": encode_png(both[0]), "val/1.jpg": encode_jpeg(both[1]), "test/2.png": encode_png(both[2])}
    pairs, failed = take_in(write(tmp_path / "in", files | {"train/odd.png": encode_png(draw(0, 91))}))
    assert list(pairs) == [("train", "train/x/0"), ("validation", "validation/1"), ("test", "test/2")]
    assert np.array_equal(np.hstack([pairs["train", "train/x/0"].decode().a, draw(9)]), both[0])
    with Image.open(tmp_path / "in" / "val" / "1.jpg") as image:
        pair = pairs["validation", "validation/1"].decode()
        assert np.array_equal(np.hstack([pair.a, pair.b]), np.asarray(image))
    assert failed == {"train/odd.png": "a side-by-side picture of 91 pixels has no middle"}


def test_jpeg_is_for_side_b_alone(take_in, draw, tmp_path):
    pairs, _ = take_in(write(tmp_path / "in", {"train/0.png": encode_png(np.hstack([draw(1), draw(2)]))}), jpeg=True)
    assert [(pair.a, pair.b) for pair in pairs.values()] == [(encode_png(draw(1)), encode_jpeg(draw(2)))]


def test_narrow_pictures_are_doubtful_in_a_split_and_refused_without(draw, tmp_path):
    write(tmp_path / "in", {"train/0.png": encode_png(draw())})
    with open_layout(tmp_path / "in", ImportOptions(), scratch=tmp_path) as opened:
        assert "sides of 45x70" in opened.found.doubt
    write(tmp_path / "flat", {"0.png": encode_png(np.hstack([draw(), draw()])), "1.png": encode_png(draw())})
    with (
        pytest.raises(FormatError, match="no paired pictures"),
        open_layout(tmp_path / "flat", ImportOptions(), scratch=tmp_path),
    ):
        pass


def test_wide_pictures_in_one_folder_are_training_pairs(take_in, draw, tmp_path):
    pairs, _ = take_in(write(tmp_path / "in", {"0.png": encode_png(np.hstack([draw(), draw()]))}))
    assert list(pairs) == [("train", "0")]


# --- tables and shards --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_an_image_folder_is_read_by_its_table(take_in, sides, tmp_path, table):
    rows = [{"conditioning_image_file_name": f"c/{i}.png", "file_name": f"{i}.jpg", "text": "x"} for i in range(3)]
    files = {f"train/c/{i}.png": a for i, (a, _) in enumerate(sides)} | {
        f"train/{i}.jpg": b for i, (_, b) in enumerate(sides)
    }
    root = write(tmp_path / "in", files)
    if table.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), root / "train" / table)
    elif table.endswith("csv"):
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        (root / "train" / table).write_text("\n".join(lines))
    else:
        (root / "train" / table).write_text("\n".join(map(json.dumps, rows)))
    pairs, failed = take_in(root)
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides[:3]
    assert failed == dict.fromkeys(("train/3.jpg", "train/c/3.png"), "no row of a table names this picture")


def test_one_table_above_the_splits_names_the_pictures_of_all(take_in, sides, tmp_path):
    rows = [{"source": f"{split}/0.png", "target": f"{split}/0.jpg"} for split in ("train", "val")]
    files = {f"{split}/0.png": sides[0][0] for split in ("train", "val")}
    files |= {f"{split}/0.jpg": sides[0][1] for split in ("train", "val")}
    files["metadata.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    pairs, _ = take_in(write(tmp_path / "in", files))
    assert list(pairs) == [("train", "train/0"), ("validation", "val/0")]


def test_rows_that_lead_outside_are_refused(take_in, sides, tmp_path):
    write(tmp_path, {"secret.png": sides[0][0]})
    bad = ["../secret.png", str(tmp_path / "secret.png"), "C:\\secret.png", "file://secret.png", "no.png", "", 7]
    rows = [{"input_image": name, "edited_image": "1.jpg"} for name in ["1.png", *bad]]
    files = {"1.png": sides[1][0], "1.jpg": sides[1][1], "metadata.jsonl": "\n".join(map(json.dumps, rows)).encode()}
    pairs, _ = take_in(write(tmp_path / "in", files))
    assert [(pair.a, pair.b) for pair in pairs.values()] == [sides[1]]
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    assert len(reasons) == len(bad)
    assert sum(reason.startswith("refused: ") for reason in reasons) == 4


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("names", [("imageA", "imageB"), ("conditioning_image", "image"), ("sketch", "photo")])
def test_tables_with_pictures_are_read(take_in, sides, tmp_path, suffix, names):
    rows = [{names[0]: {"bytes": a, "path": None}, names[1]: {"bytes": b, "path": "x.jpg"}} for a, b in sides]
    table = pa.Table.from_pylist([*rows, {names[0]: rows[0][names[0]], names[1]: {"bytes": None, "path": "../x.jpg"}}])
    (tmp_path / "in").mkdir()
    for split in ("train", "test"):
        path = tmp_path / "in" / f"{split}-00000-of-00001.{suffix}"
        if suffix == "parquet":
            pq.write_table(table, path)
        else:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
                writer.write_table(table)
    pairs, failed = take_in(tmp_path / "in", columns=names if "photo" in names else None)
    assert [key for key in pairs if key[0] == "test"] == [("test", f"test-00000-of-00001/{i}") for i in range(4)]
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides * 2
    assert set(failed) == {f"{split}-00000-of-00001.{suffix}, row 4" for split in ("train", "test")}


def test_columns_that_are_left_out_are_told(tmp_path, sides):
    rows = [{"imageA": a, "imageB": b, "key": "1", "caption": "a shoe"} for a, b in sides[:1]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    with open_layout(tmp_path / "x.parquet", ImportOptions(), scratch=tmp_path) as opened:
        assert opened.found.layout == "Parquet tables, A is imageA and B is imageB (left out: caption)"


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_damaged_tables_are_told(take_in, sides, tmp_path, suffix):
    table = pa.table({"imageA": [sides[0][0]], "imageB": [sides[0][1]]})
    whole = io.BytesIO()
    if suffix == "parquet":
        pq.write_table(table, whole)
    else:
        with pa.ipc.new_stream(whole, table.schema) as writer:
            writer.write_table(table)
    damaged = [whole.getvalue()[: len(whole.getvalue()) // 2], whole.getvalue().replace(b"imageA", b"\xffmageA")]
    if suffix == "arrow":  # a picture that ends before it begins
        damaged.append(whole.getvalue().replace(struct.pack("<ii", 0, len(sides[0][0])), struct.pack("<ii", 0, -7)))
    for content in damaged:
        path = write(tmp_path, {f"in.{suffix}": content}) / f"in.{suffix}"
        with pytest.raises(FormatError):
            take_in(path)


def test_odd_schemas_are_told(take_in, sides, tmp_path):
    pictures = pa.array([{"bytes": None, "path": b"x.png"}])
    twice = pa.table([[sides[0][0]], [sides[0][1]], [sides[0][1]]], names=["imageA", "imageB", "imageB"])
    for table in (pa.table({"imageA": pictures, "imageB": pictures}), twice):
        pq.write_table(table, tmp_path / "in.parquet")
        with pytest.raises((BuildError, FormatError)):
            take_in(tmp_path / "in.parquet")


def test_halves_of_characters_are_escaped(take_in, sides, tmp_path):
    row = {"source": "1.png", "target": "1.jpg", "key": "x\ud800", "group": "\udfff", "\ud800": "z"}
    bad = {"source": "\ud800.png", "target": "1.jpg"}
    table = "\n".join(map(json.dumps, [row, bad])).encode()
    files = {"1.png": sides[0][0], "1.jpg": sides[0][1], "metadata.jsonl": table}
    pairs, failed = take_in(write(tmp_path / "in", files))
    assert [(pair.key, pair.group) for pair in pairs.values()] == [("x\\ud800", "\\udfff")]
    assert failed == {"metadata.jsonl": "no such picture: \\ud800.png"}


def test_unknown_columns_are_listed(tmp_path, sides):
    pq.write_table(pa.table({"sketch": [sides[0][0]], "photo": [sides[0][1]], "n": [1]}), tmp_path / "x.parquet")
    with (
        pytest.raises(FormatError, match="no known pair of columns among: sketch, photo, n") as caught,
        open_layout(tmp_path / "x.parquet", ImportOptions(), scratch=tmp_path),
    ):
        pass
    assert caught.value.fix == "name A and B: --columns A,B"


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_shards_are_read_and_what_is_incomplete_accounted_for(take_in, sides, tmp_path, ending):
    (tmp_path / "in").mkdir()
    for split in ("train", "val"):
        members = [
            (f"{i}.{field}", content)
            for i, pair in enumerate(sides)
            for field, content in zip(("input.png", "target.jpg"), pair, strict=True)
        ]
        path = tmp_path / "in" / f"{split}-000000.{ending}"
        write_tar(path, [*members, ("9.input.png", b""), ("9.json", b"[]")], "w:gz" if "gz" in ending else "w")
    pairs, failed = take_in(tmp_path / "in")
    assert [(pair.a, pair.b) for pair in pairs.values()] == sides * 2
    assert failed == {f"{split}-000000.{ending}": "no target in this sample" for split in ("train", "val")}


def test_keys_that_come_twice_are_accounted_for(take_in, sides, tmp_path):
    rows = [{"imageA": a, "imageB": b, "key": "same", "group": "g"} for a, b in sides[:2]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.parquet")
    pairs, failed = take_in(tmp_path / "in.parquet")
    assert list(pairs) == [("train", "same")]
    assert failed == {"in.parquet, row 1": "another pair has this key"}


# --- the whole ----------------------------------------------------------------------------------------------------


def test_any_number_of_workers_gives_the_same_bytes(take_in, draw, tmp_path, contents):
    files = {f"train/{i}.png": encode_png(np.hstack([draw(i), draw(i + 1)])) for i in range(40)}
    files |= {"train/10 odd.png": encode_png(draw(0, 91)), "train/x.png": b""}
    write(tmp_path / "in", files)
    take_in(tmp_path / "in", workers=1)
    one = contents(tmp_path / "out")
    assert sorted(name for name in one if name.startswith("data")) == [
        f"data/train-0000{i}-of-00002.parquet" for i in (0, 1)
    ]
    (tmp_path / "out").rename(tmp_path / "one")
    take_in(tmp_path / "in", workers=3)
    assert contents(tmp_path / "out") == one


def test_nothing_to_train_on_is_told_with_reasons_and_leaves_nothing(take_in, tmp_path):
    write(tmp_path / "in", {"train/0.png": b"no picture"})
    with pytest.raises(BuildError, match=r"not one pair to train on \(train/0.png: not a picture in a known format"):
        take_in(tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_dataset_of_ours_need_not_be_imported(tmp_path):
    (tmp_path / "build.json").write_text("{}")
    with pytest.raises(FormatError, match="already"), open_layout(tmp_path, ImportOptions(), scratch=tmp_path):
        pass


def test_the_command_says_what_it_did(sides, p2p_data, tmp_path):
    write(tmp_path / "maps", folders_of(sides) | {"trainA/7.png": sides[0][0]})
    done = p2p_data("import", "maps", "--max-failed", "0.5")
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert told[0] == "import: maps (3 train, 1 validation; two folders, A and B, matched by name) -> maps-pairs"
    assert told[1].startswith("  a look at 4 pairs found ")
    out = done.stdout.splitlines()
    assert out[0].startswith("4 pairs (3 train, 1 validation), 1 failed, in ")
    assert out[1:] == [
        "  pictures stored as their own bytes: 8",
        "  1 x no partner, or in no folder of a split",
        "  each one: maps-pairs/failures.jsonl",
        "look at maps-pairs/report.html, or at maps-pairs/preview.png",
        "next: p2p-data check maps-pairs",
    ]
    assert "p2p-data import maps" in Path(tmp_path / "maps-pairs" / "README.md").read_text(encoding="utf-8")
    page = (tmp_path / "maps-pairs" / "report.html").read_text()
    assert "two folders, A and B, matched by name" in page
    assert "trainA/7.png" in page, "what gave no pair"
    record = json.loads((tmp_path / "maps-pairs" / "build.json").read_text())
    assert record["identity"]["options"] == {"columns": None, "swap": False, "jpeg": False}
    assert p2p_data("import", "maps", "--out", "again").returncode == 3
    assert p2p_data("import", "maps", "--columns", "a").returncode == 1
