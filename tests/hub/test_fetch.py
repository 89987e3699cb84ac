"""Fetching from a hub on loopback: our datasets, foreign ones, and merged copies of public ones."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pix2pix_data import public_sets
from pix2pix_data.dataset import EncodedPair, open_dataset
from pix2pix_data.errors import BuildError, FormatError, HubError, UsageError
from pix2pix_data.fetching import fetch_pairs, find_source
from pix2pix_data.images import encode_jpeg, encode_png, read_rgb
from pix2pix_data.importing import ImportOptions
from pix2pix_data.layouts.found import Found, RawPair
from pix2pix_data.public_sets import PUBLIC_SETS, PublicSet, divide_officially, landmark_of
from pix2pix_data.pushing import push_dataset

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning"),  # the hub's own client
]

CUT = 0
FLAT = encode_png(np.full((8, 8, 3), 200, np.uint8))
FACADES = Path(__file__).parents[3] / "shared" / "data" / "facades"


def fetch(name, out, *, revision=None, only=(), **options):
    source = find_source(name, revision=revision, only=only, options=ImportOptions(**options))
    return fetch_pairs(source, out, workers=1)


def table(pairs, a="imageA", b="imageB"):
    """A Parquet file of pairs, as `Dataset.push_to_hub` writes it: without names."""
    column = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{a: {"bytes": one[0], "path": None}, b: {"bytes": one[1], "path": None}} for one in pairs]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema([(a, column), (b, column)])), stream)
    return stream.getvalue()


def contents_of(folder, split):
    return [(pair.a, pair.b) for pair in open_dataset(folder).encoded_pairs(split)]


# --- datasets of ours


def test_a_dataset_comes_back_as_it_was_pushed(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    fetch("owner/shoes", tmp_path / "back")
    for path in dataset.rglob("*.parquet"):
        assert (tmp_path / "back" / path.relative_to(dataset)).read_bytes() == path.read_bytes()
    assert open_dataset(tmp_path / "back").fingerprint == open_dataset(dataset).fingerprint
    assert not list(tmp_path.glob(".*")), "no downloads are left behind"


def test_an_older_revision_can_be_fetched(client, dataset, make_dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    old = client.repos["owner/shoes"].branches["main"]
    push_dataset(make_dataset("fewer", {"train": 4}), "owner/shoes")
    fetch("owner/shoes", tmp_path / "new")
    fetch("owner/shoes", tmp_path / "old", revision=old)
    assert open_dataset(tmp_path / "new").num_pairs == {"train": 4}
    assert open_dataset(tmp_path / "old").num_pairs == {"train": 9, "validation": 2, "test": 1}


def test_with_sides_swapped_a_dataset_of_ours_is_a_table_like_others(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    fetch("owner/shoes", tmp_path / "back", swap=True)
    assert contents_of(tmp_path / "back", "test") == [(b, a) for a, b in contents_of(dataset, "test")]


def test_half_a_dataset_is_not_taken_for_a_whole_one(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    files = client.head("owner/shoes")
    del files["data/train-00001-of-00003.parquet"]
    client.repos["owner/shoes"].commit(files)
    with pytest.raises(FormatError, match="should push it again"):
        fetch("owner/shoes", tmp_path / "back")
    assert not (tmp_path / "back").exists()


# --- foreign datasets


def test_a_foreign_set_with_other_names_of_columns(client, draw_pair, tmp_path):
    pairs = [draw_pair(i) for i in range(6)]
    files = {
        "README.md": b"---\nlicense: mit\n---\n",
        "data/train-00000-of-00001.parquet": table(pairs[:4], "conditioning_image", "image"),
        "data/validation-00000-of-00001.parquet": table(pairs[4:], "conditioning_image", "image"),
    }
    client.create("someone/lines", files)
    fetched = fetch("someone/lines", tmp_path / "lines")
    assert fetched.layout == "Parquet tables, A is conditioning_image and B is image"
    assert contents_of(tmp_path / "lines", "train") == pairs[:4]
    assert contents_of(tmp_path / "lines", "validation") == pairs[4:]
    record = json.loads((tmp_path / "lines" / "build.json").read_text())
    assert record["identity"]["source"]["name"] == "someone/lines"
    assert record["identity"]["source"]["revision"] == client.repos["someone/lines"].branches["main"]
    card = (tmp_path / "lines" / "README.md").read_text()
    assert "p2p-data fetch someone/lines --revision " in card
    assert str(tmp_path) not in card + json.dumps(record)


def test_only_some_files_are_fetched(client, draw_pair, tmp_path):
    pairs = [draw_pair(i) for i in range(4)]
    files = {f"{name}/train-0.parquet": table(pairs[i : i + 2]) for i, name in ((0, "day"), (2, "night"))}
    client.create("someone/both", files)
    fetch("someone/both", tmp_path / "night", only=["night/*"])
    assert contents_of(tmp_path / "night", "train") == pairs[2:]
    assert " --only 'night/*'" in (tmp_path / "night" / "README.md").read_text()
    assert not client.count("GET .*/day/")


def test_one_of_several_sets_is_to_be_chosen(client, draw_pair, tmp_path):
    card = b"---\nconfigs:\n- config_name: day\n  data_files: day/*\n- config_name: night\n  data_files: night/*\n---\n"
    files = {f"{name}/train-0.parquet": table([draw_pair(i)]) for i, name in enumerate(("day", "night"))}
    client.create("someone/both", files | {"README.md": card})
    with pytest.raises(UsageError, match=r"2 sets in this repository: day, night.*--only"):
        fetch("someone/both", tmp_path / "both")
    fetch("someone/both", tmp_path / "night", only=["night/*"])
    assert contents_of(tmp_path / "night", "train") == [draw_pair(1)]


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("someone/nothing", HubError, "no such dataset, or it is private"),
        ("someone/texts", FormatError, "no pictures and no tables"),
        ("facade", UsageError, "choose from facades, cityscapes"),
        ("edges2handbags", UsageError, "authors' archive"),
    ],
)
def test_what_cannot_be_fetched_is_told(client, tmp_path, name, error, told):
    client.create("someone/texts", {"story.txt": b"once"})
    with pytest.raises(error, match=told):
        fetch(name, tmp_path / "out")


def test_a_revision_that_is_not_there_is_told(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    with pytest.raises(HubError, match="no revision v9"):
        fetch("owner/shoes", tmp_path / "out", revision="v9")


def test_a_hub_that_was_switched_off_is_told(client, tmp_path, monkeypatch):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        fetch("owner/shoes", tmp_path / "out")


def test_a_private_dataset_needs_a_token(client, dataset, tmp_path, monkeypatch):
    push_dataset(dataset, "owner/secret", private=True)
    fetch("owner/secret", tmp_path / "mine")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="hf auth login"):
        fetch("owner/secret", tmp_path / "theirs")


def test_a_full_folder_is_refused_before_anything_is_downloaded(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(BuildError, match="not empty"):
        fetch("owner/shoes", tmp_path / "full")
    assert not client.count("GET .*/resolve/.*parquet")


def test_a_file_that_leads_outside_is_refused(client, draw_pair, tmp_path):
    client.create("someone/evil", {"/tmp/evil/train.parquet": table([draw_pair(0)])})
    with pytest.raises(FormatError, match="leads out of its folder"):
        fetch("someone/evil", tmp_path / "evil")


# --- interrupted downloads


def test_a_download_that_is_cut_goes_on_where_it_stood(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    client.fail("GET .*/resolve/.*/data/train-00001", CUT)
    fetch("owner/shoes", tmp_path / "back")
    assert client.count("GET .*/resolve/.*/data/train-00001") == 2
    num_bytes = (dataset / "data" / "train-00001-of-00003.parquet").stat().st_size
    assert client.num_bytes_sent["data/train-00001-of-00003.parquet"] < num_bytes + 100, "but for a chunk"


def test_a_fetch_that_failed_goes_on_with_what_is_missing(client, dataset, tmp_path, capsys):
    push_dataset(dataset, "owner/shoes")
    client.fail("GET .*/resolve/.*/data/validation", 503, times=99)
    with pytest.raises(HubError, match=r"status 503.*same command again"):
        fetch("owner/shoes", tmp_path / "back")
    assert f"kept in {tmp_path / '.back.fetch'}, for the next time" in capsys.readouterr().err
    assert not (tmp_path / "back").exists()
    client.mend()
    num_trains = client.count("GET .*/resolve/.*/data/train")
    fetch("owner/shoes", tmp_path / "back")
    assert client.count("GET .*/resolve/.*/data/train") == num_trains
    assert open_dataset(tmp_path / "back").num_pairs == open_dataset(dataset).num_pairs


def test_a_file_that_changed_on_its_way_is_refused(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    client.fail("GET .*/resolve/.*/data/train-00001", 200, first=client.garble_next)
    with pytest.raises(HubError, match="not what the hub states by checksum"):
        fetch("owner/shoes", tmp_path / "back")
    fetch("owner/shoes", tmp_path / "back")


# --- public sets


@pytest.fixture
def streets(draw_pair, monkeypatch) -> tuple[PublicSet, dict[str, list[tuple[bytes, bytes]]]]:
    """A small public set, which `fetch streets` knows; A is the photo."""
    splits = {
        split: [(photo, lines) for lines, photo in map(draw_pair, indices)]
        for split, indices in {"train": range(12), "validation": range(12, 17), "test": range(17, 21)}.items()
    }
    public = PublicSet(
        "owner/streets",
        {split: len(pairs) for split, pairs in splits.items()},
        "the photo",
        "the lines",
        "a",
        "facades",
        "Drawn for a test.",
        {split: [landmark_of(photo) for photo, _ in pairs[::2]] for split, pairs in splits.items()},
    )
    monkeypatch.setitem(public_sets.PUBLIC_SETS, "streets", public)
    return public, splits


def merged(splits, order):
    return [pair for split in order for pair in splits[split]]


@pytest.mark.parametrize("order", [("train", "validation", "test"), ("test", "train", "validation")])
def test_a_merged_copy_gets_its_official_splits_back(client, streets, tmp_path, order):
    _, splits = streets
    rows = merged(splits, order)
    files = {f"data/train-0000{i}-of-00002.parquet": table(part) for i, part in enumerate((rows[:8], rows[8:]))}
    client.create("owner/streets", files)
    fetched = fetch("streets", tmp_path / "streets")
    assert {split: contents_of(tmp_path / "streets", split) for split in splits} == splits
    assert fetched.notes[0].startswith(f"divided officially: rows of {', '.join(order)} in turn")
    assert fetched.notes[1] == "A is the photo, B is the lines"
    record = json.loads((tmp_path / "streets" / "build.json").read_text())
    assert record["identity"]["source"]["splits"] == "official"
    assert "Drawn for a test." in (tmp_path / "streets" / "README.md").read_text()


def test_a_copy_with_its_sides_the_other_way_is_turned(client, streets, tmp_path):
    _, splits = streets
    rows = [(lines, photo) for photo, lines in merged(splits, splits)]
    client.create("owner/streets", {"data/train-0.parquet": table(rows)})
    fetched = fetch("streets", tmp_path / "streets")
    assert {split: contents_of(tmp_path / "streets", split) for split in splits} == splits
    assert fetched.layout.endswith("A is imageA and B is imageB, with the sides swapped")


def test_a_shuffled_copy_is_not_divided_and_that_is_said(client, streets, tmp_path):
    _, splits = streets
    rows = merged(splits, splits)
    shuffled = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    client.create("owner/streets", {"data/train-0.parquet": table(shuffled)})
    fetched = fetch("streets", tmp_path / "streets")
    assert open_dataset(tmp_path / "streets").num_pairs == {"train": 21}
    assert "lie elsewhere. All pairs are in train" in fetched.notes[0]
    assert "not divided" in (tmp_path / "streets" / "README.md").read_text()


def test_without_landmarks_a_copy_is_not_divided_and_that_is_said(client, streets, tmp_path, monkeypatch):
    public, splits = streets
    monkeypatch.setitem(public_sets.PUBLIC_SETS, "streets", replace(public, landmarks={}))
    client.create("owner/streets", {"data/train-0.parquet": table(merged(splits, splits))})
    assert "nobody recorded in which order they lie" in fetch("streets", tmp_path / "streets").notes[0]
    assert open_dataset(tmp_path / "streets").num_pairs == {"train": 21}


def test_a_copy_with_its_splits_keeps_them(client, streets, tmp_path):
    _, splits = streets
    client.create("owner/streets", {f"data/{split}-0.parquet": table(pairs) for split, pairs in splits.items()})
    assert fetch("streets", tmp_path / "streets").notes == ["the copy has the official splits"]
    assert {split: contents_of(tmp_path / "streets", split) for split in splits} == splits


def test_a_copy_that_lacks_pairs_is_refused(client, streets, tmp_path):
    _, splits = streets
    client.create("owner/streets", {"data/train-0.parquet": table(merged(splits, splits)[1:])})
    with pytest.raises(FormatError, match="holds 20 train; the official set has 21 pairs"):
        fetch("streets", tmp_path / "streets")


def test_landmarks_are_of_every_split_and_well_apart():
    for name, public in PUBLIC_SETS.items():
        assert set(public.landmarks) in ({*public.num_pairs}, set()), name
        prints = [one for of_split in public.landmarks.values() for one in of_split]
        for i, one in enumerate(prints):
            nearest = min((int(one, 16) ^ int(other, 16)).bit_count() for other in prints[:i] + prints[i + 1 :])
            assert nearest > 2 * public_sets._SAME


# --- the command


def test_the_command_says_what_came(hub, streets, draw_pair, p2p_data):
    hub.create("someone/lines", {"data/train-0.parquet": table([draw_pair(i) for i in range(4)], "source", "target")})
    done = p2p_data("fetch", "someone/lines", "--workers", "1")
    assert done.returncode == 0, done.stderr
    err, out = done.stderr.splitlines(), done.stdout.splitlines()
    assert err[0].startswith("fetch: someone/lines at ")
    assert err[0].endswith("(1 file, 0.0 MB) -> lines")
    assert err[1] == "  Parquet tables, A is source and B is target"
    assert out[0].startswith("4 pairs (4 train), 0 failed, in ")
    assert out[1] == "look at lines/report.html, or at lines/preview.png"
    assert out[2] == "next: p2p-data check lines"


# --- with the real facades


@pytest.mark.skipif(not FACADES.is_dir(), reason="the facades are not here")
def test_the_real_facades_are_divided_officially():
    raws = []
    for split, folder in (("test", "test"), ("train", "train"), ("validation", "val")):
        files = sorted((FACADES / folder).iterdir())
        for i in np.random.default_rng(0).permutation(len(files)):
            photo = encode_jpeg(np.ascontiguousarray(np.hsplit(read_rgb(files[i]), 2)[0]))
            raws.append(RawPair(EncodedPair(f"{split}/{files[i].stem}", "", FLAT, photo), ""))
    division = divide_officially(Found("", {"train": 606}, lambda _: iter(raws)), PUBLIC_SETS["facades"])
    assert division.photo_side == "b"
    assert division.found.num_pairs == {"train": 400, "validation": 100, "test": 106}
    for split, num in division.found.num_pairs.items():
        keys = [raw.pair.key for raw in division.found.read(split)]
        assert len(keys) == num
        assert {key.partition("/")[0] for key in keys} == {split}
    shuffled = [raws[i] for i in np.random.default_rng(1).permutation(len(raws))]
    division = divide_officially(Found("", {"train": 606}, lambda _: iter(shuffled)), PUBLIC_SETS["facades"])
    assert not division.is_official


# --- downloads across processes


def test_half_a_file_that_an_earlier_process_left_is_continued(client, dataset, tmp_path):
    push_dataset(dataset, "owner/shoes")
    name = "data/train-00001-of-00003.parquet"
    half = tmp_path / ".back.fetch" / client.repos["owner/shoes"].branches["main"] / f"{name}.part"
    half.parent.mkdir(parents=True)
    half.write_bytes((dataset / name).read_bytes()[:5000])
    fetch("owner/shoes", tmp_path / "back")
    assert client.num_bytes_sent[name] == (dataset / name).stat().st_size - 5000
    assert (tmp_path / "back" / name).read_bytes() == (dataset / name).read_bytes()
