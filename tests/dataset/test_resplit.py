"""A dataset divided anew: the same bytes, other splits, the old folder untouched."""

from __future__ import annotations

import json

import pytest

from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import BuildError, FormatError, UsageError
from pix2pix_data.images import write_png
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.resplit import plan_resplit, resplit
from pix2pix_data.split_lock import read_lock


@pytest.fixture
def dataset(photos, tmp_path):
    maker = KMeansMaker(size=(48, 32), colors=3)
    (photos / "broken.jpg").write_bytes(b"nothing")
    plan = plan_build("kmeans", maker, photos, BuildOptions(group="file", val=2, test=2))
    build(plan, maker, photos, tmp_path / "pairs", workers=1)
    return tmp_path / "pairs"


def divided(dataset, out, **options):
    resplit(plan_resplit(dataset, BuildOptions(**options), workers=1), out)
    return out


def pictures(folder):
    dataset = open_dataset(folder)
    pairs = [pair for split in dataset.num_pairs for pair in dataset.encoded_pairs(split)]
    return {pair.key: (pair.a, pair.b) for pair in pairs}


def test_pictures_keep_their_bytes_and_the_old_folder_its_files(dataset, tmp_path, contents):
    before = contents(dataset)
    out = divided(dataset, tmp_path / "again", group="file", val=5, test=1)
    assert contents(dataset) == before
    assert open_dataset(out).num_pairs == {"train": 6, "validation": 5, "test": 1}
    assert pictures(out) == pictures(dataset)
    after = contents(out)
    assert sorted(after) == sorted(before)
    assert all(after[name] == before[name] for name in ("palette.json", "failures.jsonl"))


def test_card_and_record_say_what_was_done(dataset, tmp_path):
    readme = dataset / "README.md"
    readme.write_text(readme.read_text() + "\nOur own words.\n")
    out = divided(dataset, tmp_path / "again", group="folder", val=0.5, test=0)
    card = (out / "README.md").read_text()
    assert "| train | 6 |\n| validation | 6 |\n\nColumns" in card
    assert "split: test" not in card
    assert "\np2p-data split pairs --val 0.5 --test 0 --group folder\n```" in card
    assert 'load_dataset("again")' in card
    assert "Our own words." in card
    record = json.loads((out / "build.json").read_text())
    assert record["pairs"] == {"train": 6, "validation": 6}
    assert record["split_again"] == ["p2p-data split pairs --val 0.5 --test 0 --group folder"]
    assert str(tmp_path) not in json.dumps(record) + card


def test_groups_of_the_dataset_stay_whole(dataset, tmp_path):
    by_folder = divided(dataset, tmp_path / "folders", group="folder", val=0.5, test=0)
    by_file = open_dataset(divided(by_folder, tmp_path / "files", group="file", val=3, test=0))
    groups = [{pair.group for pair in by_file.encoded_pairs(split)} for split in by_file.num_pairs]
    assert sorted(map(sorted, groups)) == [["left"], ["right"]]


def test_near_duplicates_are_looked_for_in_b(tmp_path, photos, draw):
    maker = KMeansMaker(size=(48, 32), colors=3)
    write_png(photos / "copy of the first.png", draw(1))  # left/01
    plan = plan_build("kmeans", maker, photos, BuildOptions(group="file"))
    build(plan, maker, photos, tmp_path / "pairs", workers=1)
    plan = plan_resplit(tmp_path / "pairs", BuildOptions(), workers=1)
    group_of = {one.key: one.group for plans in plan.splits.values() for one in plans}
    assert group_of["copy of the first"] == group_of["left/01"]
    assert "near-duplicates" in plan.notes[0]


def test_the_same_twice_gives_the_same_bytes(dataset, tmp_path, contents):
    one, two = (divided(dataset, tmp_path / name / "again", group="file", val=3) for name in "ab")
    assert contents(one) == contents(two)


def test_a_killed_split_leaves_nothing(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("pix2pix_data.preview.write_preview", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        divided(dataset, tmp_path / "again", group="file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs", "photos"]


def test_a_lock_file_goes_from_one_dataset_to_the_next(dataset, tmp_path):
    lock = tmp_path / "splits.csv"
    divided(dataset, tmp_path / "one", group="file", val=3, test=1, lock=lock)
    assert len(read_lock(lock)) == 12
    two = divided(dataset, tmp_path / "two", group="file", val=3, test=1, seed=9, lock=lock)
    for split in ("train", "validation", "test"):
        assert open_dataset(two).keys(split) == open_dataset(tmp_path / "one").keys(split)


def test_what_cannot_be_done_is_said(dataset, tmp_path, draw):
    with pytest.raises(BuildError, match="not empty"):
        divided(dataset, dataset.parent, group="file")
    with pytest.raises(UsageError, match="lock file would lie in the dataset"):
        divided(dataset, tmp_path / "again", group="file", lock=dataset / "splits.csv")
    write_png(tmp_path / "classic" / "train" / "1.png", draw(0, 80, 40))
    with pytest.raises(FormatError, match="only a dataset that p2p-data built"):
        divided(tmp_path / "classic", tmp_path / "again")


def test_the_command_says_what_it_did(dataset, p2p_data, tmp_path):
    done = p2p_data("split", "pairs", "--val", "3", "--test", "0", "--group", "file")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == "split: pairs (9 train, 3 validation) -> pairs-resplit"
    assert done.stdout.splitlines()[0] == "12 pairs (9 train, 3 validation) in pairs-resplit"
    assert p2p_data("split", "pairs", "--out", "pairs/again").returncode == 1
    assert p2p_data("split", "pairs", "--out", "other", "--dry-run").returncode == 0
    assert not (tmp_path / "other").exists()


def test_a_split_stopped_before_its_report_can_be_given_again(dataset, p2p_data, tmp_path, monkeypatch):
    command = ("split", dataset, "--val", "3", "--test", "0", "--group", "file", "--out", "again")
    with monkeypatch.context() as patched:
        patched.setattr("pix2pix_data.report.write_report", full_disk)
        assert p2p_data(*command).returncode == 1
    assert not (tmp_path / "again").exists()
    assert p2p_data(*command).returncode == 0
    assert (tmp_path / "again" / "report.html").is_file()


def full_disk(*_: object, **__: object) -> None:
    raise OSError("no space left")
