"""One dataset made by many jobs, each its share of the shards: the bytes are those of one local build."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pix2pix_data.atomic import write_once
from pix2pix_data.build import BuildOptions, Share, build, build_share, plan_build
from pix2pix_data.closing import close, read_closing
from pix2pix_data.errors import BuildError, FormatError, UsageError
from pix2pix_data.images import write_png
from pix2pix_data.makers.colorize import ColorizeMaker
from pix2pix_data.makers.kmeans import KMeansMaker

NUM_JOBS = 3


@pytest.fixture
def many(tmp_path, draw) -> Path:
    """Photos for four shards, two of them for training, a broken one, and a file that is none."""
    folder = tmp_path / "many"
    for i in range(79):
        write_png(folder / f"{i:02d}.png", draw(i, 24, 20))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    (folder / "notes.txt").write_text("hello")
    return folder


def run_job(source: Path, out: Path, index: int, num: int = NUM_JOBS, maker=None, **options) -> bool:
    maker = maker or ColorizeMaker(size=(16, 16))
    plan = plan_build("colorize", maker, source, BuildOptions(group="file", **options))
    return build_share(plan, maker, source, out, Share(index, num), workers=1)


def finish(out: Path):
    closing = read_closing(out)
    assert closing is not None
    return close(out, closing)


@pytest.mark.parametrize(
    "maker", [ColorizeMaker(size=(16, 16)), KMeansMaker(size=(16, 16))], ids=["colorize", "kmeans"]
)
def test_jobs_in_any_order_and_again_give_the_bytes_of_one_build(many, tmp_path, contents, maker):
    plan = plan_build("colorize", maker, many, BuildOptions(group="file", lock=tmp_path / "one.csv"))
    whole = build(plan, maker, many, tmp_path / "a" / "out", workers=1)
    (tmp_path / "one.csv").rename(tmp_path / "of one build.csv")
    for index in (2, 0, 2, 1):
        assert run_job(many, tmp_path / "b" / "out", index, maker=maker, lock=tmp_path / "one.csv")
        assert not (tmp_path / "one.csv").exists()
    assert finish(tmp_path / "b" / "out") == whole
    assert whole.num_failed == 1
    assert contents(tmp_path / "b") == contents(tmp_path / "a")
    assert len((tmp_path / "one.csv").read_text().splitlines()) == 1 + 80
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "of one build.csv").read_text()


def test_each_job_makes_its_own_shards_and_no_other(many, tmp_path):
    made = []
    for index in range(NUM_JOBS):
        before = set((tmp_path / "out" / "data").glob("*.parquet"))
        run_job(many, tmp_path / "out", index)
        made.append(set((tmp_path / "out" / "data").glob("*.parquet")) - before)
    assert [len(shards) for shards in made] == [2, 1, 1]


def test_missing_shards_are_named_and_the_build_stays_open(many, tmp_path):
    run_job(many, tmp_path / "out", 0)
    run_job(many, tmp_path / "out", 2)
    with pytest.raises(BuildError, match=r"1 of 4 shards are not made \(train-00001-of-00002\)") as caught:
        finish(tmp_path / "out")
    assert "run their jobs again" in str(caught.value)
    assert not (tmp_path / "out" / "build.json").exists()
    run_job(many, tmp_path / "out", 1)
    assert sum(finish(tmp_path / "out").num_pairs.values()) == 79


def test_after_the_end_jobs_and_finish_change_nothing(many, tmp_path, contents):
    for index in range(NUM_JOBS):
        run_job(many, tmp_path / "out", index)
    finish(tmp_path / "out")
    before = contents(tmp_path / "out")
    assert run_job(many, tmp_path / "out", 1) is False
    assert read_closing(tmp_path / "out") is None
    assert contents(tmp_path / "out") == before


def test_a_job_of_another_build_is_refused(many, tmp_path):
    run_job(many, tmp_path / "out", 0)
    with pytest.raises(BuildError, match=r"unfinished other build \(options.val was 0.1, now 0.2"):
        run_job(many, tmp_path / "out", 1, val=0.2)


def test_a_folder_without_a_build_cannot_be_finished(tmp_path):
    with pytest.raises(FormatError, match="there is no build to finish"):
        read_closing(tmp_path)


def test_a_job_that_is_none_of_them_is_told():
    with pytest.raises(UsageError, match="--shard-index 3 is none of 0 to 2"):
        Share(3, 3)


def test_the_first_to_write_is_the_one_all_read(tmp_path):
    write_once(tmp_path / "palette", "first")
    write_once(tmp_path / "palette", "second")
    assert (tmp_path / "palette").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["palette"]


def test_jobs_at_once_and_finish_from_the_command_line(many, p2p_data, tmp_path, contents):
    shared = ("--size", "16", "--group", "file", "--workers", "1")
    assert p2p_data("kmeans", many, *shared, "--out", "a/out").returncode == 0
    arguments = ["kmeans", str(many), *shared, "--out", "b/out", "--num-shards", "2", "--shard-index"]
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "pix2pix_data", *arguments, index],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in "01"
    ]
    told = [job.communicate() for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], told
    assert "when all jobs have ended: p2p-data finish b/out" in told[0][0]
    done = p2p_data("finish", "b/out")
    assert done.returncode == 0, done.stderr
    assert "79 pairs (" in done.stdout
    assert "next: p2p-train recipes/" in done.stdout
    one, many_jobs = contents(tmp_path / "a"), contents(tmp_path / "b")
    one["out/report.html"] = one["out/report.html"].replace(b"a/out", b"b/out")  # it names a file of the dataset
    assert one == many_jobs
    assert p2p_data("finish", "b/out").stdout == "b/out is complete\n"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--shard-index", "0"), "go together"),
        (("--shard-index", "0", "--num-shards", "2", "--overwrite"), "cannot overwrite"),
        (("--shard-index", "2", "--num-shards", "2"), "none of 0 to 1"),
    ],
)
def test_options_that_do_not_go_together_are_told(many, p2p_data, options, what):
    done = p2p_data("colorize", many, *options)
    assert done.returncode == 1
    assert what in done.stderr
