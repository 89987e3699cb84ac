from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_data.build import BuildOptions, build, plan_build
from pix2pix_data.dataset import open_dataset
from pix2pix_data.engines.local import run_local
from pix2pix_data.errors import BuildError, UsageError
from pix2pix_data.images import write_png
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.makers.combine import CombineMaker
from pix2pix_data.makers.kmeans import KMeansMaker
from pix2pix_data.one_at_a_time import one_at_a_time
from pix2pix_data.splits import splits_fingerprint

MAKER = ColorizeMaker(size=(48, 32))


def built(source: Path, out: Path, maker=MAKER, workers: int = 1, overwrite: bool = False, **options):
    plan = plan_build("colorize", maker, source, BuildOptions(**options))
    return build(plan, maker, source, out, workers=workers, overwrite=overwrite)


def keys(folder: Path, split: str) -> list[str]:
    return [pair.key for pair in open_dataset(folder).encoded_pairs(split)]


@pytest.fixture
def divided(tmp_path) -> Path:
    """Photos in folders train/, val/ and test/; a copy of one for training is in test/."""
    folder = tmp_path / "divided"
    for split, num in (("train", 6), ("val", 2), ("test", 3)):
        for i in range(num):
            blocks = np.random.default_rng([len(split), i]).integers(0, 256, (8, 8, 3), np.uint8)
            write_png(folder / split / f"{i}.png", blocks.repeat(8, axis=0).repeat(8, axis=1))
    shutil.copy(folder / "train" / "4.png", folder / "test" / "again.png")
    return folder


def test_splits_that_the_folders_make_are_kept_and_leaks_told(divided, tmp_path):
    plan = plan_build("colorize", MAKER, divided, BuildOptions(val=0.4, seed=3))
    assert {split: {one.key.split("/")[0] for one in plans} for split, plans in plan.splits.items()} == {
        "train": {"train"},
        "validation": {"val"},
        "test": {"test"},
    }
    told = "\n".join(plan.notes)
    assert "these splits are kept" in told
    assert "in more than one split, as the folders say: test/again (test) and train/4 (train)" in told
    built(divided, tmp_path / "out")
    assert keys(tmp_path / "out", "validation") == ["val/0", "val/1"]
    assert told in (tmp_path / "out" / "README.md").read_text(), "who gets the dataset is told as well"


def test_splits_that_both_folders_of_pairs_make_are_kept(divided, tmp_path):
    shutil.copytree(divided, tmp_path / "other side")
    plan = plan_build("combine", CombineMaker(folder_b=tmp_path / "other side"), divided, BuildOptions(limit=6))
    assert {split: [one.key for one in plans] for split, plans in plan.splits.items()} == {
        "train": ["train/0", "train/1", "train/2"],
        "validation": ["val/0"],
        "test": ["test/0", "test/1"],
    }


def test_folders_are_divided_anew_where_asked(divided):
    plan = plan_build("colorize", MAKER, divided, BuildOptions(val=0.3, test=0.3, new_splits=True))
    assert {one.key.split("/")[0] for one in plan.splits["train"]} > {"train"}
    split_of = {one.key: split for split, plans in plan.splits.items() for one in plans}
    assert split_of["test/again"] == split_of["train/4"]


def test_every_photo_is_a_pair_or_a_failure_with_its_reason(photos, tmp_path):
    (photos / "left" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    (photos / "notes.txt").write_text("hello")
    summary = built(photos, tmp_path / "out")
    assert sum(summary.num_pairs.values()) == 12
    assert summary.num_failed == 1
    assert summary.others == ["notes.txt"]
    lines = (tmp_path / "out" / "failures.jsonl").read_text().splitlines()
    failure = json.loads(lines[0])
    assert failure["key"] == "left/broken"
    assert failure["source"] == "left/broken.jpg"
    assert "picture" in failure["reason"]


def test_one_worker_and_two_give_the_same_bytes(tmp_path, draw, contents):
    source = tmp_path / "photos"
    for i in range(70):
        write_png(source / f"{i:02d}.png", draw(i, 24, 20))
    built(source, tmp_path / "one", workers=1, group="file")
    built(source, tmp_path / "two", workers=2, group="file")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    one.pop("README.md"), two.pop("README.md")  # which name their folders
    assert one == two
    assert "data/train-00001-of-00002.parquet" in one


def test_nothing_is_left_of_the_work(photos, tmp_path, contents):
    before = contents(photos)
    built(photos, tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == [
        "README.md",
        "build.json",
        "data/test-00000-of-00001.parquet",
        "data/train-00000-of-00001.parquet",
        "data/validation-00000-of-00001.parquet",
        "failures.jsonl",
        "preview.png",
    ]
    assert contents(photos) == before, "the user's own files are never changed"


def test_the_same_build_again_changes_nothing(photos, tmp_path):
    built(photos, tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert built(photos, tmp_path / "out").was_complete
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times


def test_another_build_in_the_same_folder_is_refused_with_the_differences(photos, tmp_path):
    built(photos, tmp_path / "out")
    with pytest.raises(BuildError, match=r"options.val was 0.1, now 0.2; .*settings.fit was crop, now pad") as caught:
        built(photos, tmp_path / "out", ColorizeMaker(size=(48, 32), fit="pad"), val=0.2)
    assert "--overwrite" in str(caught.value)
    assert built(photos, tmp_path / "out", val=0.2, overwrite=True).num_pairs["validation"] == 2


def test_more_photos_are_noticed(photos, tmp_path, draw):
    built(photos, tmp_path / "out")
    write_png(photos / "new.png", draw(50))
    with pytest.raises(BuildError, match=r"source\.photos was 12, now 13"):
        built(photos, tmp_path / "out")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_things_is_never_touched(photos, tmp_path, overwrite):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("all my work")
    with pytest.raises(BuildError, match="other things"):
        built(photos, tmp_path / "out", overwrite=overwrite)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "all my work"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["build.json", ".build/build.json"])
def test_a_build_json_of_another_program_does_not_make_a_folder_ours(photos, tmp_path, overwrite, name):
    record = tmp_path / "out" / name
    record.parent.mkdir(parents=True)
    record.write_text('{"scripts": {"build": "make"}}')
    with pytest.raises(BuildError, match="other things"):
        built(photos, tmp_path / "out", overwrite=overwrite)
    assert "make" in record.read_text()


def test_overwriting_goes_on_after_a_kill_without_old_pairs(photos, tmp_path, contents, monkeypatch):
    built(photos, tmp_path / "out")
    built(photos, tmp_path / "fresh" / "out", val=0.3)
    monkeypatch.setattr("pix2pix_data.engines.local.run_local", _killed)
    with pytest.raises(KeyboardInterrupt):
        built(photos, tmp_path / "out", val=0.3, overwrite=True)
    monkeypatch.undo()
    built(photos, tmp_path / "out", val=0.3)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh" / "out")


def test_not_one_readable_photo_is_an_error_that_names_the_reasons(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(BuildError, match=r"failures.jsonl"):
        built(tmp_path / "photos", tmp_path / "out")
    assert "known format" in (tmp_path / "out" / "failures.jsonl").read_text()


def test_folders_stay_on_one_side(photos, tmp_path):
    built(photos, tmp_path / "out", group="folder", val=0.5, test=0)
    sides = [{key.split("/")[0] for key in keys(tmp_path / "out", split)} for split in ("train", "validation")]
    assert sides[0].isdisjoint(sides[1])


def test_limit_takes_the_first(photos, tmp_path):
    built(photos, tmp_path / "out", limit=4, val=0, test=0)
    assert keys(tmp_path / "out", "train") == ["left/01", "left/03", "left/05", "left/07"]


def test_a_photo_of_the_right_size_keeps_its_own_bytes(photos, tmp_path):
    built(photos, tmp_path / "out", ColorizeMaker(size=(90, 70)), val=0, test=0)
    first = next(open_dataset(tmp_path / "out").encoded_pairs("train"))
    assert first.b == (photos / "left" / "01.png").read_bytes()


def test_lossless_targets_are_exact(photos, tmp_path):
    built(photos, tmp_path / "out", lossless=True, val=0, test=0)
    first = next(open_dataset(tmp_path / "out").pairs("train"))
    expected, _ = MAKER.read_target(str(photos / "left" / "01.png"))
    assert np.array_equal(first.b, expected)


def test_a_build_that_goes_on_uses_the_palette_it_began_with(photos, tmp_path, contents, monkeypatch):
    maker = KMeansMaker(size=(48, 32), colors=3)
    built(photos, tmp_path / "undisturbed", maker)
    monkeypatch.setattr("pix2pix_data.engines.local.run_local", _killed)
    with pytest.raises(KeyboardInterrupt):
        built(photos, tmp_path / "killed", maker)
    monkeypatch.undo()
    monkeypatch.setattr(KMeansMaker, "fitted", lambda *_: pytest.fail("the palette was fitted twice"))
    built(photos, tmp_path / "killed", maker)
    assert contents(tmp_path / "killed")["palette.json"] == contents(tmp_path / "undisturbed")["palette.json"]


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_killed_build_goes_on_to_the_same_bytes(tmp_path, draw, contents):
    source = tmp_path / "photos"
    for i in range(150):
        write_png(source / f"{i:03d}.png", draw(i, 60, 50))
    command = [sys.executable, "-m", "pix2pix_data", "colorize", str(source), "--workers", "2", "--out", "pairs"]
    folders = [tmp_path / "undisturbed", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    subprocess.run(command, cwd=folders[0], check=True, capture_output=True)
    for delay_s in (0.3, 1.0, 1.3, 1.6, 1.9):
        process = subprocess.Popen(
            command, cwd=folders[1], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay_s)
        os.kill(process.pid, signal.SIGKILL)  # the parent alone: its workers must not linger
        process.wait()
    subprocess.run(command, cwd=folders[1], check=True, capture_output=True)
    assert contents(folders[0] / "pairs") == contents(folders[1] / "pairs")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path, draw):
    source = tmp_path / "photos"
    for i in range(80):
        write_png(source / f"{i:03d}.png", draw(i, 400, 300))
    command = [sys.executable, "-m", "pix2pix_data", "kmeans", str(source), "--per-image", "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    _wait_until(lambda: len(_session(process.pid)) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _wait_until(lambda: not _session(process.pid))


def _session(leader: int) -> list[int]:
    """Processes of a session, by field 6 of /proc/PID/stat."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _wait_until(holds, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


# --- groups and locks


def test_a_photo_that_cannot_be_read_is_no_near_duplicate(photos, tmp_path):
    for i in range(3):
        (photos / f"broken{i}.jpg").write_bytes(b"nothing")
    plan = plan_build("colorize", MAKER, photos, BuildOptions())
    groups = {one.key: one.group for plans in plan.splits.values() for one in plans}
    assert [groups[f"broken{i}"] for i in range(3)] == [f"broken{i}" for i in range(3)]


def test_a_changed_table_of_groups_is_noticed(photos, tmp_path):
    table = tmp_path / "groups.csv"
    names = [f"{'left' if i % 2 else 'right'}/{i:02d}.png" for i in range(12)]
    for per_group in (2, 3):
        table.write_text("file,scene\n" + "".join(f"{name},{i // per_group}\n" for i, name in enumerate(names)))
        if per_group == 2:
            built(photos, tmp_path / "out", group=f"csv:{table}:scene")
    with pytest.raises(BuildError, match=r"\(splits was \w+, now \w+\)"):
        built(photos, tmp_path / "out", group=f"csv:{table}:scene")
    assert str(tmp_path) not in (tmp_path / "out" / "build.json").read_text()


def test_a_lock_file_keeps_old_photos_where_they_were(photos, tmp_path, draw):
    lock = tmp_path / "splits.csv"
    built(photos, tmp_path / "old", group="file", lock=lock, val=3, test=2)
    assert built(photos, tmp_path / "old", group="file", lock=lock, val=3, test=2).was_complete
    for i in range(20, 32):
        write_png(photos / f"{i}.png", draw(i))
    built(photos, tmp_path / "new", group="file", lock=lock, val=6, test=4, seed=5)
    for split, num in (("validation", 6), ("test", 4)):
        assert set(keys(tmp_path / "old", split)) < set(keys(tmp_path / "new", split))
        assert len(keys(tmp_path / "new", split)) == num


def test_a_lock_file_among_the_photos_is_refused(photos, tmp_path):
    with pytest.raises(UsageError, match="in the folder of photos"):
        built(photos, tmp_path / "out", lock=photos / "splits.csv")


def test_two_builds_in_one_folder_do_not_meet(photos, tmp_path):
    at_work = one_at_a_time(tmp_path / "out" / ".build", tmp_path / "out")
    with at_work, pytest.raises(BuildError, match="another process is at work in this folder"):
        built(photos, tmp_path / "out")
    assert built(photos, tmp_path / "out").num_pairs["train"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"another picture")])
def test_a_photo_that_changes_while_it_is_read_is_told_and_the_same_build_ends_well(
    photos, tmp_path, contents, monkeypatch, change, workers
):
    changed, content = photos / "left" / "01.png", (photos / "left" / "01.png").read_bytes()

    def changing_first(*given: Any, **options: Any) -> None:
        change(changed)
        run_local(*given, **options)

    built(photos, tmp_path / "undisturbed" / "out")
    monkeypatch.setattr("pix2pix_data.engines.local.run_local", changing_first)
    with pytest.raises(BuildError, match="a photo changed, or went away"):
        built(photos, tmp_path / "disturbed" / "out", workers=workers)
    monkeypatch.undo()
    changed.write_bytes(content)
    built(photos, tmp_path / "disturbed" / "out")
    assert contents(tmp_path / "disturbed" / "out") == contents(tmp_path / "undisturbed" / "out")


def test_a_photo_that_goes_away_while_the_plan_is_made_is_told(photos, tmp_path, monkeypatch):
    def after_the_fingerprint(splits: Any) -> str:
        (photos / "left" / "01.png").unlink()
        return splits_fingerprint(splits)

    monkeypatch.setattr("pix2pix_data.build.splits_fingerprint", after_the_fingerprint)
    plan = plan_build("colorize", MAKER, photos, BuildOptions())
    with pytest.raises(BuildError, match="a photo changed, or went away"):
        build(plan, MAKER, photos, tmp_path / "out", workers=1)


def test_a_photo_that_changes_after_the_plan_is_told(photos, tmp_path):
    plan = plan_build("colorize", MAKER, photos, BuildOptions())
    (photos / "left" / "01.png").write_bytes(b"another picture")
    with pytest.raises(BuildError, match="a photo changed, or went away"):
        build(plan, MAKER, photos, tmp_path / "out", workers=1)
    assert not list((tmp_path / "out").glob("data/*"))
