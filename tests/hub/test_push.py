"""Pushing a dataset to a hub on loopback, in fair weather and in foul."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from pix2pix_data.errors import FormatError, HubError, UsageError
from pix2pix_data.pushing import push_dataset

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning"),  # the hub's own client
]

NAME = "owner/shoes"
CUT = 0


def num_commits(hub):
    return len(hub.repos[NAME].commits) - 1  # without the one that made the repository


# --- fair weather


def test_a_push_is_one_commit_of_the_very_files(client, dataset, contents):
    before = contents(dataset)
    pushed = push_dataset(dataset, NAME)
    there = client.head(NAME)
    shards = {name: content for name, content in before.items() if name.startswith("data/")}
    assert len(shards) == 5
    assert [name for name, content in shards.items() if there[name] != content] == []
    assert set(there) == {".gitattributes", "README.md", "build.json", "failures.jsonl", "preview.png", *shards}
    assert num_commits(client) == 1
    assert (pushed.num_changed, pushed.num_deleted, pushed.is_private) == (9, 0, False)
    assert contents(dataset) == before


def test_the_card_names_the_repository(client, dataset):
    push_dataset(dataset, NAME)
    assert 'load_dataset("owner/shoes")' in client.head(NAME)["README.md"].decode()


def test_a_second_push_uploads_nothing_and_makes_no_commit(client, dataset):
    push_dataset(dataset, NAME)
    num_bytes = client.num_bytes_uploaded
    pushed = push_dataset(dataset, NAME)
    assert (pushed.num_changed, pushed.num_deleted, pushed.num_bytes) == (0, 0, 0)
    assert num_commits(client) == 1
    assert client.num_bytes_uploaded == num_bytes


def test_a_smaller_dataset_takes_the_place_of_a_larger_one_in_one_commit(client, dataset, make_dataset):
    push_dataset(dataset, NAME)
    smaller = make_dataset("shoes-fewer", {"train": 4, "test": 1})
    pushed = push_dataset(smaller, NAME)
    assert num_commits(client) == 2
    assert pushed.num_deleted == 4
    assert sorted(name for name in client.head(NAME) if name.startswith("data/")) == [
        "data/test-00000-of-00001.parquet",
        "data/train-00000-of-00001.parquet",
    ]


def test_what_others_put_into_the_repository_stays(client, dataset):
    push_dataset(dataset, NAME)
    client.repos[NAME].commit(client.head(NAME) | {"LICENSE": b"terms", "data/notes.txt": b"mine"})
    (dataset / "failures.jsonl").write_text('{"key": "x"}\n')
    pushed = push_dataset(dataset, NAME)
    assert (pushed.num_changed, pushed.num_deleted) == (1, 0)
    assert client.head(NAME)["LICENSE"] == b"terms"
    assert client.head(NAME)["data/notes.txt"] == b"mine"


def test_a_licence_that_was_added_on_the_hub_is_kept(client, dataset):
    assert not push_dataset(dataset, NAME).has_licence
    files = client.head(NAME)
    licensed = files["README.md"].replace(b"---\n", b"---\nlicense: other\nlicense_name: shoes\ntags_too: 1\n", 1)
    client.repos[NAME].commit(files | {"README.md": licensed})
    (dataset / "failures.jsonl").write_text('{"key": "x"}\n')
    assert push_dataset(dataset, NAME).has_licence
    assert client.head(NAME)["README.md"].startswith(b"---\nlicense: other\nlicense_name: shoes\npretty_name")


def test_a_revision_is_a_branch_and_main_stays(client, dataset):
    push_dataset(dataset, NAME, revision="v2")
    assert "build.json" in client.head(NAME, "v2")
    assert "build.json" not in client.head(NAME)


def test_private_is_for_new_repositories(client, dataset):
    assert push_dataset(dataset, NAME, private=True).is_private
    assert client.repos[NAME].private
    assert push_dataset(dataset, NAME).is_private, "it stays so"
    client.create("owner/public")
    with pytest.raises(UsageError, match="there already, and public"):
        push_dataset(dataset, "owner/public", private=True)


# --- what cannot be pushed


@pytest.mark.parametrize("name", ["shoes", "a/b/c", "owner/sh oes", "owner/", "-x/y"])
def test_a_name_that_cannot_be_one_is_told_before_anything_is_sent(client, dataset, name):
    with pytest.raises(UsageError, match="user/name"):
        push_dataset(dataset, name)
    assert not client.requests


def test_a_dataset_that_lacks_pairs_is_not_pushed(client, dataset):
    (dataset / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(FormatError, match=r"'test': 1}, and the files hold 9 train, 2 validation"):
        push_dataset(dataset, NAME)
    assert not client.requests


def test_another_layout_is_to_be_imported_first(client, tmp_path, write_ab):
    with pytest.raises(FormatError, match="p2p-data import"):
        push_dataset(write_ab(tmp_path / "classic"), NAME)


def test_a_repository_of_other_things_is_left_alone(client, dataset):
    client.create(NAME, {"train.csv": b"a,b\n"})
    with pytest.raises(UsageError, match=r"holds other things, such as train\.csv"):
        push_dataset(dataset, NAME)
    assert set(client.head(NAME)) == {".gitattributes", "train.csv"}


def test_a_card_that_the_hub_does_not_take_is_told_in_its_words(client, dataset):
    client.fail("POST /api/validate-yaml", 400)
    with pytest.raises(HubError, match=r"Invalid metadata in README\.md.*a fault on request"):
        push_dataset(dataset, NAME)
    assert num_commits(client) == 0


# --- foul weather


def test_without_a_token_it_says_how_to_get_one(client, dataset, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="hf auth login"):
        push_dataset(dataset, NAME)
    assert not client.requests


@pytest.mark.parametrize(("token", "name"), [("hf_guest", NAME), ("hf_owner", "another/shoes")])
def test_without_permission_it_says_so(client, dataset, monkeypatch, token, name):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match="your token may not do this"):
        push_dataset(dataset, name)
    assert not client.repos


def test_without_permission_for_a_repository_that_is_there_nothing_is_uploaded(client, dataset):
    client.create("another/shoes")
    with pytest.raises(HubError, match="your token may not do this"):
        push_dataset(dataset, "another/shoes")
    assert client.num_bytes_uploaded == 0


def test_a_token_that_the_hub_does_not_know_is_told(client, dataset):
    client.fail("POST /api/repos/create", 401)
    with pytest.raises(HubError, match="does not know this token"):
        push_dataset(dataset, NAME)


@pytest.mark.parametrize("secret", ["hf_se\tcret", "hf_secret\u00e9"])
def test_a_broken_token_is_never_shown(client, dataset, monkeypatch, secret):
    monkeypatch.setenv("HF_TOKEN", secret)
    with pytest.raises(HubError) as caught:
        push_dataset(dataset, NAME)
    assert "secret" not in str(caught.value)
    assert "se\\tcret" not in str(caught.value)


def test_no_network_is_told_at_once(client, dataset, monkeypatch):
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(HubError, match="the hub cannot be reached"):
        push_dataset(dataset, NAME)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("status", [503, 429, CUT])
def test_an_upload_that_fails_twice_is_tried_again(client, dataset, status):
    client.fail("PUT /lfs/", status, times=2)
    push_dataset(dataset, NAME)
    assert num_commits(client) == 1
    assert "data/train-00002-of-00003.parquet" in client.head(NAME)


@pytest.mark.parametrize("status", [503, CUT])
def test_a_commit_that_fails_twice_is_tried_again(client, dataset, status):
    client.fail("POST .*/commit/", status, times=2)
    push_dataset(dataset, NAME)
    assert num_commits(client) == 1


def test_a_hub_that_stays_busy_is_told_and_the_next_push_goes_on(client, dataset):
    client.fail("POST .*/commit/", 503, times=99)
    with pytest.raises(HubError, match=r"status 503.*same command again"):
        push_dataset(dataset, NAME)
    assert "build.json" not in client.head(NAME)
    client.mend()
    num_puts = client.count("PUT ")
    push_dataset(dataset, NAME)
    assert client.count("PUT ") == num_puts, "every large file was in the store already"
    assert num_commits(client) == 1


def test_a_commit_that_was_made_though_the_answer_was_lost_is_not_made_twice(client, dataset):
    client.fail("POST .*/commit/", CUT, after=True)
    pushed = push_dataset(dataset, NAME)
    assert num_commits(client) == 1
    assert pushed.num_changed == 9


def test_a_commit_of_somebody_else_in_between_is_never_overwritten(client, dataset):
    push_dataset(dataset, NAME)
    (dataset / "failures.jsonl").write_text('{"key": "x"}\n')
    theirs = client.head(NAME) | {"build.json": b"{}"}
    client.fail("POST .*/commit/", 200, first=lambda: client.repos[NAME].commit(theirs))
    with pytest.raises(HubError, match="changed while this ran"):
        push_dataset(dataset, NAME)
    assert client.head(NAME) == theirs


def test_a_killed_push_shows_nothing_and_the_next_one_continues(hub, dataset, environment, p2p_data):
    hub.fail("PUT /lfs/", 200, first=lambda: threading.Event().wait(60))  # the first upload hangs, four others arrive
    push = [sys.executable, "-m", "pix2pix_data", "push", str(dataset), NAME]
    with subprocess.Popen(push, env=environment, stderr=subprocess.PIPE) as running:
        while len(hub.blobs) < 4:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert "build.json" not in hub.head(NAME)
    num_puts = hub.count("PUT ")
    done = p2p_data("push", dataset, NAME)
    assert done.returncode == 0, done.stderr
    assert hub.count("PUT ") == num_puts + 2, "the one that hung, and the preview, which was not begun"
    assert num_commits(hub) == 1
    assert "hf_owner" not in done.stdout + done.stderr


# --- the command, and the other clients


def test_the_command_says_what_it_does_and_what_is_left_to_do(hub, dataset, p2p_data):
    done = p2p_data("push", dataset.name, NAME)
    assert done.returncode == 0, done.stderr
    err = done.stderr.splitlines()
    assert err[0].startswith("push: shoes-edges (9 train, 2 validation, 1 test; 9 files, 0.")
    assert err[1] == "  not pushed: report.html"
    assert "names no licence" in err[2]
    out = done.stdout.splitlines()
    assert out[0].startswith("new or changed: 9 files, 0.1 MB, in one commit, in ")
    assert out[1] == f"look at {hub.url}/datasets/owner/shoes (public)"
    assert out[2] == "next: datasets.load_dataset('owner/shoes'), or p2p-data fetch owner/shoes"


def test_datasets_loads_and_streams_what_was_pushed(client, dataset, environment, tmp_path):
    push_dataset(dataset, NAME)
    code = (
        "import os\n"
        "from datasets import load_dataset\n"
        f"whole = load_dataset('{NAME}')\n"
        "print({split: rows.num_rows for split, rows in whole.items()}, whole['train'].column_names)\n"
        "first = whole['train'][0]\n"
        "print(first['imageA'].mode, first['imageA'].size, first['imageB'].size, first['key'])\n"
        f"print([row['key'] for row in load_dataset('{NAME}', split='test', streaming=True)], flush=True)\n"
        "os._exit(0)\n"  # else pyarrow's threads, which read ahead, now and then abort it at its end
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "{'train': 9, 'validation': 2, 'test': 1} ['imageA', 'imageB', 'key', 'group']",
        "RGB (64, 48) (64, 48) 000",
        "['011']",
    ]


def test_a_maker_builds_and_pushes_in_one_go(client, photos, p2p_data):
    done = p2p_data("inpaint", photos, "--size", "48x32", "--group", "file", "--push", NAME, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "push: photos-inpaint (" in done.stderr
    assert f"look at {client.url}/datasets/owner/shoes (public)" in done.stdout
    assert 'load_dataset("owner/shoes")' in client.head(NAME)["README.md"].decode()


def test_a_push_that_cannot_begin_is_told_before_the_build(client, photos, p2p_data, tmp_path, monkeypatch):
    done = p2p_data("inpaint", photos, "--push", "no slash")
    assert (done.returncode, done.stderr.splitlines()[1]) == (1, "where: no slash")
    monkeypatch.delenv("HF_TOKEN")
    done = p2p_data("inpaint", photos, "--push", NAME)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: there is no token for the hub"
    assert not (tmp_path / "photos-inpaint").exists()
    assert NAME not in client.repos


def test_a_dataset_with_too_many_failures_is_not_pushed(client, photos, p2p_data):
    (photos / "broken.jpg").write_bytes(b"no picture")
    done = p2p_data("inpaint", photos, "--group", "file", "--push", NAME, "--workers", "1", "--max-failed", "0.05")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].endswith("; not pushed")
    assert NAME not in client.repos


def test_nothing_of_this_machine_travels(client, tmp_path, photos, p2p_data):
    (photos / "broken.jpg").write_bytes(b"no picture")
    done = p2p_data("inpaint", photos, "--size", "48x32", "--group", "file", "--max-failed", "1")
    assert done.returncode == 0, done.stderr
    push_dataset(tmp_path / "photos-inpaint", NAME)
    assert "broken" in client.head(NAME)["failures.jsonl"].decode()
    for name, content in client.head(NAME).items():
        assert str(tmp_path).encode() not in content, name
