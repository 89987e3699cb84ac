"""Datasets built from and to an object store, and read from it, with faults on the way."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_proxy import CUT, DENY, ERROR, SLOW, WRONG, Faults

from pix2pix_data.dataset import open_dataset
from pix2pix_data.errors import FormatError, MissingExtraError, StoreError, UsageError
from pix2pix_data.mirror import mirrored
from pix2pix_data.object_store import Store
from pix2pix_data.urls import url_of

pytestmark = pytest.mark.network
Run = Callable[..., subprocess.CompletedProcess[str]]
Contents = Callable[[Path], dict[str, bytes]]

PHOTOS, PAIRS = "s3://bucket/photos", "s3://bucket/sets/pairs"
SETTINGS = ("--size", "32", "--group", "file", "--test", "0")


def upload(folder: Path, url: str) -> None:
    store = Store(url)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.upload(path, path.relative_to(folder).as_posix())


@pytest.fixture
def local(photos: Path, p2p_data: Run, tmp_path: Path) -> Path:
    """The dataset of a local build."""
    made = p2p_data("colorize", photos, "--out", "here/pairs", *SETTINGS)
    assert made.returncode == 0, made.stderr
    return tmp_path / "here/pairs"


def assert_published(ours: dict[str, bytes]) -> None:
    store = Store(PAIRS)
    names = {name for name in store.files() if name != "published.json"}
    assert names == ours.keys() - {"report.html"}
    assert all(store.read(name) == ours[name] for name in names)


def test_a_build_from_a_store_to_a_store_has_the_bytes_of_a_local_one_whatever_happens_on_the_way(
    s3: Faults, photos: Path, local: Path, p2p_data: Run, contents: Contents
):
    upload(photos, PHOTOS)
    s3.add("GET /bucket/photos/0/010.jpg", ERROR, 3)
    s3.add("GET /bucket/photos/0/020.jpg", CUT)
    s3.add("GET /bucket/photos/1/031.jpg", WRONG)
    s3.add("GET /bucket/photos/1/041.jpg", SLOW)
    s3.add("PUT /bucket/sets/pairs/data/train-00000.*", ERROR, 3)
    s3.add("PUT /bucket/sets/pairs/data/train-00001.*", WRONG)
    s3.add("PUT /bucket/sets/pairs/data/valid.*", CUT)
    s3.add("PUT /bucket/sets/pairs/published.json", ERROR, 2)
    made = p2p_data("colorize", PHOTOS, "--out", PAIRS, *SETTINGS)
    assert made.returncode == 0, made.stderr
    assert s3.all_used
    assert_published(contents(local))
    assert "very-secret" not in made.stdout + made.stderr

    s3.requests.clear()
    again = p2p_data("colorize", PHOTOS, "--out", PAIRS, *SETTINGS)
    assert "nothing was uploaded" in again.stdout
    assert s3.count("GET .*jpg") == s3.count("PUT .*") == 0


def test_a_killed_publication_is_no_dataset_and_is_continued(
    s3: Faults, local: Path, p2p_data: Run, contents: Contents
):
    command = [sys.executable, "-m", "pix2pix_data", "push", str(local), PAIRS]
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s3.add("PUT /bucket/sets/pairs/data/train-00002.*", SLOW, first=process.kill)
    assert process.wait(60) == -signal.SIGKILL
    with pytest.raises(FormatError, match="not published whole yet"):
        open_dataset(PAIRS)

    s3.requests.clear()
    assert p2p_data("push", local, PAIRS).returncode == 0
    assert s3.count("PUT /bucket/sets/pairs/data/train-0000[01]-.*") == 0
    assert_published(contents(local))


def test_a_killed_fetch_is_continued(s3: Faults, photos: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents):
    upload(photos / "0", PHOTOS)
    s3.add("GET /bucket/photos/090.jpg", DENY)
    with pytest.raises(StoreError, match="does not allow this"):
        mirrored(PHOTOS)
    s3.requests.clear()
    assert contents(mirrored(PHOTOS)) == contents(photos / "0")
    assert 0 < s3.count("GET .*jpg") < 35


def test_what_changed_in_the_store_is_fetched_anew_and_what_left_it_leaves(
    s3: Faults, photos: Path, contents: Contents
):
    upload(photos / "0", PHOTOS)
    mirrored(PHOTOS)
    (photos / "0" / "000.jpg").write_bytes((photos / "0" / "002.jpg").read_bytes())
    Store(PHOTOS).upload(photos / "0" / "000.jpg", "000.jpg")
    Store(PHOTOS).remove("004.jpg")
    (photos / "0" / "004.jpg").unlink()
    assert contents(mirrored(PHOTOS)) == contents(photos / "0")


def test_a_dataset_whose_bytes_are_not_those_of_its_manifest_is_refused(s3: Faults, local: Path, p2p_data: Run):
    p2p_data("push", local, PAIRS)
    content = Store(PAIRS).read("data/train-00001-of-00003.parquet")
    assert content is not None
    Store(PAIRS).write(content[:-1] + bytes([content[-1] ^ 1]), "data/train-00001-of-00003.parquet")
    with pytest.raises(StoreError, match=r"not what the store states.*train-00001"):
        open_dataset(PAIRS)


def test_another_dataset_is_replaced_only_when_told_to_and_whole(s3: Faults, photos: Path, local: Path, p2p_data: Run):
    p2p_data("push", local, PAIRS)
    fewer = ("colorize", photos, "--out", PAIRS, *SETTINGS, "--limit", "20")
    refused = p2p_data(*fewer)
    assert refused.returncode == 1
    assert "made differently" in refused.stderr
    assert p2p_data(*fewer, "--overwrite").returncode == 0
    assert sum(open_dataset(PAIRS).num_pairs.values()) == 20
    assert not Store(PAIRS).file("data/train-00001-of-00003.parquet")


def test_other_things_are_never_written_among(s3: Faults, photos: Path, local: Path, p2p_data: Run):
    upload(photos / "0", PAIRS)
    refused = p2p_data("push", local, PAIRS)
    assert refused.returncode == 1
    assert "holds other things" in refused.stderr


def test_faults_of_the_user_are_named_with_a_remedy(s3: Faults, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StoreError, match=r"no such bucket.*correct the URL"):
        mirrored("s3://no-such-bucket/photos")
    with pytest.raises(FormatError, match="nothing at this URL"):
        mirrored("s3://bucket/nothing")
    s3.add(".*", DENY, 20)
    with pytest.raises(StoreError, match=r"does not allow this.*ask its owner"):
        mirrored(PHOTOS)
    s3.waiting.clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreError, match=r"nobody is logged in.*aws configure"):
        mirrored("s3://bucket/elsewhere")


def test_a_store_that_keeps_failing_ends_in_a_named_error(s3: Faults, photos: Path):
    upload(photos / "0", PHOTOS)
    s3.add("GET /bucket/photos/010.jpg", ERROR, 1000)
    with pytest.raises(StoreError, match=r"010.jpg.*goes on where it stood"):
        mirrored(PHOTOS)


def test_a_store_that_is_not_there_ends_in_a_named_error(s3: Faults, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"127.0.0.1:9.*look at the network"):
        mirrored("s3://bucket/far")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)
    with pytest.raises(MissingExtraError, match=r"pix2pix-kit\[s3\]"):
        Store("s3://bucket/photos")


def test_a_path_of_a_url_has_lost_a_slash_and_is_one_still():
    assert url_of(Path("s3://bucket/photos/")) == "s3://bucket/photos"
    assert url_of(Path("file:///a/b")) == "file:///a/b"
    assert url_of("C:/photos") is url_of("photos") is url_of("/a:/b") is None


def test_passwords_are_refused_and_not_repeated():
    with pytest.raises(UsageError) as told:
        url_of("s3://me:hunter2@bucket/photos")
    assert "hunter2" not in str(told.value)


def test_the_memory_of_a_process_is_no_place():
    with pytest.raises(UsageError, match="memory of one process"):
        url_of(Path("memory://photos"))


def test_machines_that_share_folders_take_no_url(s3: Faults, photos: Path, p2p_data: Run):
    refused = p2p_data("colorize", photos, "--out", PAIRS, "--shard-index", 0, "--num-shards", 2)
    assert refused.returncode == 1
    assert "several machines" in refused.stderr


def test_a_dry_run_fetches_nothing(s3: Faults, photos: Path, p2p_data: Run):
    upload(photos / "0", PHOTOS)
    s3.requests.clear()
    told = p2p_data("colorize", PHOTOS, "--dry-run")
    assert "would fetch 50 files" in told.stderr
    assert s3.count("GET .*jpg") == 0


def test_a_folder_has_a_url_too(photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contents: Contents):
    monkeypatch.setenv("P2P_CACHE", str(tmp_path / "cache"))
    assert contents(mirrored(f"file://{photos}")) == contents(photos)
