"""Datasets in the layouts of others, and back again."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile

import cv2
import numpy as np
import pytest

from pix2pix_data.dataset import EncodedPair, open_dataset
from pix2pix_data.errors import BuildError, FormatError, UsageError
from pix2pix_data.export import LAYOUTS, export_pairs, plan_export
from pix2pix_data.export.layout import parse_columns
from pix2pix_data.export.names import file_names
from pix2pix_data.images import encode_jpeg, encode_png, read_rgb
from pix2pix_data.importing import ImportOptions, import_pairs, open_layout
from pix2pix_data.shards import shard_path, write_shard

KEYS = {
    "train": ["left/01", "left/02", "a/b", "a_b", "../../etc/x", "..", "sch\u00f6n \U0001f45f"],
    "test": ["test/1", "LEFT/01"],
}


@pytest.fixture
def dataset(tmp_path, draw):
    """Nine pairs under difficult keys: A is PNG, B is JPEG but for one PNG."""
    for split, keys in KEYS.items():
        pairs = [
            EncodedPair(
                key, f"group of {key}", encode_png(draw(i)), (encode_png if i == 1 else encode_jpeg)(draw(i + 50))
            )
            for i, key in enumerate(keys)
        ]
        write_shard(shard_path(tmp_path / "pairs", split, 0, 1), pairs)
    (tmp_path / "pairs" / "build.json").write_text("{}")
    return tmp_path / "pairs"


def exported(dataset, to, **options):
    out = dataset.parent / "exported"
    return out, export_pairs(plan_export(dataset, to, **options), out)


def imported(path, **options):
    out = path.parent / "imported"
    with open_layout(path, ImportOptions(**options), scratch=path.parent) as opened:
        import_pairs(opened, out, workers=1)
    return out


def pairs_of(folder):
    dataset = open_dataset(folder)
    return {(split, pair.key): pair for split in dataset.num_pairs for pair in dataset.encoded_pairs(split)}


@pytest.mark.parametrize("to", ["folders", "imagefolder", "webdataset", "columns:controlnet", "columns:x,y"])
def test_bytes_keys_groups_and_splits_come_back(dataset, to):
    out, notes = exported(dataset, to)
    assert notes[0] == "every picture is the very file that it was"
    columns = ("x", "y") if to.endswith("x,y") else None
    assert pairs_of(imported(out, columns=columns)) == pairs_of(dataset)


def test_side_by_side_png_gives_the_same_pixels_back(dataset):
    out, notes = exported(dataset, "ab")
    assert notes[0].startswith("PNG: every pixel of both sides is as it was, in ")
    before, after = pairs_of(dataset), pairs_of(imported(out))
    assert before.keys() == after.keys()
    for name, pair in before.items():
        old, new = pair.decode(), after[name].decode()
        assert np.array_equal(old.a, new.a)
        assert np.array_equal(old.b, new.b)
        assert after[name].group == pair.group


@pytest.mark.parametrize("to", ["ab", "folders"])
def test_what_the_trainer_reads_is_the_same(dataset, to):
    out, _ = exported(dataset, to)
    read = open_dataset(out)
    assert read.num_pairs == {"train": 7, "test": 2}
    old = [pair.decode().b for pair in pairs_of(dataset).values()]
    new = [pair.b for split in read.num_pairs for pair in read.pairs(split)]
    assert sorted(map(np.ndarray.tobytes, old)) == sorted(map(np.ndarray.tobytes, new))


def test_one_jpeg_encoding_is_told_and_measured(dataset):
    out, notes = exported(dataset, "ab", jpeg=True)
    before, after = pairs_of(dataset), pairs_of(imported(out))
    errors = {"A": [], "B": []}
    for name, pair in before.items():
        old, new = pair.decode(), after[name].decode()
        errors["A"].append((old.a.astype(float) - new.a) ** 2)
        errors["B"].append((old.b.astype(float) - new.b) ** 2)
    told = [f"{side} has {10 * np.log10(255**2 / np.mean(error)):.1f} dB PSNR" for side, error in errors.items()]
    assert notes[1] == f"this encoding changed pixels: {' and '.join(told)}; without --jpeg no pixel changes"


def test_side_by_side_has_a_on_the_left(dataset, draw):
    out, _ = exported(dataset, "ab", splits=["train"])
    assert sorted(path.name for path in out.iterdir()) == ["pairs.jsonl", "train"]
    assert np.array_equal(read_rgb(out / "train" / "left_01.png")[:, :90], draw(0))


@pytest.mark.parametrize(
    "to", [f"{name}:x,y,text" if layout.default_columns else name for name, layout in LAYOUTS.items()]
)
def test_the_same_dataset_gives_the_same_files(dataset, contents, tmp_path, to):
    for out in ("one", "two"):
        export_pairs(plan_export(dataset, to, caption="x" * (":" in to)), tmp_path / out)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "pairs"}


def test_a_side_by_side_folder_can_be_exported(tmp_path, draw):
    (tmp_path / "ab" / "train").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "ab" / "train" / "1.bmp"), np.hstack([draw(1), draw(2)])[:, :, ::-1])
    out, notes = exported(tmp_path / "ab", "folders")
    assert np.array_equal(read_rgb(out / "trainA" / "1.png"), draw(1))
    assert np.array_equal(read_rgb(out / "trainB" / "1.png"), draw(2))
    assert notes == ["2 pictures had no PNG or JPEG file of their own: now they do, PNG with the same pixels"]


def test_file_names_are_safe_and_differ():
    keys = [
        "train/7",
        "x/y",
        "x_y",
        "X_Y",
        "..",
        "",
        "con",
        "-rf",
        "a.b",
        "\u00fc" * 300,
        "/etc/passwd",
        "a\0b",
        "C:\\x",
    ]
    names = file_names(keys, "train")
    assert names[0] == "7"
    assert len({name.casefold() for name in names}) == len(keys)
    for name in names:
        assert not set(name) & set("./\\:\0 ")
        assert name[0] not in "_-"
        assert 0 < len(name.encode()) <= 120
        assert name.casefold() != "con"


def test_two_pairs_of_one_key_are_an_error():
    with pytest.raises(FormatError, match="two pairs of the train split would have files of one name"):
        file_names(["x", "y", "x"], "train")


def test_members_of_shards_are_sorted_and_nobodys(dataset):
    out, notes = exported(dataset, "webdataset")
    assert notes[1] == "b holds PNG and JPEG files, all called .jpg: `datasets` wants one name"
    with tarfile.open(out / "test-00000-of-00001.tar") as tar:
        members = tar.getmembers()
    assert [one.name for one in members] == [
        f"{name}.{end}" for name in ("1", "LEFT_01") for end in ("a.png", "b.jpg", "json")
    ]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members} == {(0, 0, 0, "", 0o644)}


@pytest.mark.parametrize(
    ("to", "options", "told"),
    [
        ("zip", {}, "choose from ab, folders"),
        ("imagefolders", {}, "did you mean 'imagefolder'"),
        ("ab:x,y", {}, "has no columns"),
        ("columns:x", {}, "does not name columns"),
        ("columns:x,../y", {}, "does not name columns"),
        ("columns:x,x", {}, "a column twice"),
        ("columns:x,key", {}, "called key"),
        ("columns:x,y", {"caption": "a shoe"}, "no column for this text"),
        ("folders", {"jpeg": True}, "leave it out"),
    ],
)
def test_what_cannot_be_written_is_told(dataset, to, options, told):
    with pytest.raises(UsageError, match=told):
        plan_export(dataset, to, **options)


def test_a_split_that_is_not_there_is_told(dataset):
    with pytest.raises(FormatError, match="no validation split"):
        plan_export(dataset, "ab", splits=["validation"])


def test_a_folder_that_holds_something_is_not_written_to(dataset, tmp_path, contents):
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "mine.txt").write_text("mine")
    with pytest.raises(BuildError, match="not empty"):
        exported(dataset, "ab")
    assert contents(tmp_path / "exported") == {"mine.txt": b"mine"}


def test_an_export_that_fails_leaves_nothing(tmp_path, draw):
    (tmp_path / "ab" / "train").mkdir(parents=True)
    (tmp_path / "ab" / "train" / "1.png").write_bytes(encode_png(np.hstack([draw(), draw()])))
    (tmp_path / "ab" / "train" / "2.png").write_bytes(b"no picture")
    with pytest.raises(Exception, match="not a picture in a known format: 2"):
        exported(tmp_path / "ab", "folders")
    assert [path.name for path in tmp_path.iterdir()] == ["ab"]


def test_shortcuts_are_the_names_that_diffusers_looks_for():
    assert parse_columns("instruct", "make it a shoe").texts == (("edit_prompt", "make it a shoe"),)


def test_datasets_loads_what_was_exported(dataset, tmp_path):
    for to in ("imagefolder", "webdataset", "columns:instruct"):
        export_pairs(
            plan_export(dataset, to, caption="draw" if "instruct" in to else ""), tmp_path / to.partition(":")[0]
        )
    code = (
        "import json\n"
        "from datasets import load_dataset\n"
        "told = {}\n"
        "for name in ('imagefolder', 'webdataset', 'columns'):\n"
        "    whole = load_dataset('./' + name)\n"  # without the dot, some of these names are those of builders
        "    first = whole['train'][0]\n"
        "    pictures = {n: v.size for n, v in first.items() if hasattr(v, 'size')}\n"
        "    told[name] = [{s: d.num_rows for s, d in whole.items()}, pictures, sorted(first)]\n"
        "print(json.dumps(told))\n"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    size, splits = [90, 70], {"train": 7, "test": 2}
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "imagefolder": [
            splits,
            {"input_image": size, "target_image": size},
            ["group", "input_image", "key", "target_image"],
        ],
        "webdataset": [splits, {"a.png": size, "b.jpg": size}, ["__key__", "__url__", "a.png", "b.jpg", "json"]],
        "columns": [
            splits,
            {"input_image": size, "edited_image": size},
            ["edit_prompt", "edited_image", "group", "input_image", "key"],
        ],
    }


def test_the_command_says_what_it_did(dataset, p2p_data, tmp_path):
    done = p2p_data("export", "pairs", "--to", "folders", "--split", "test")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "export: pairs (2 test) -> pairs-folders"
    out = done.stdout.splitlines()
    assert out[0].startswith("2 pairs in pairs-folders, in ")
    assert out[1] == "  every picture is the very file that it was"
    assert p2p_data("export", "pairs", "--to", "ab", "--out", "pairs/ab").returncode == 1
