"""A build on a real Ray cluster, whatever is lost on the way, is the local one to the byte."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pix2pix_data.engines.ray import RayEngine
from pix2pix_data.errors import MissingExtraError
from pix2pix_data.images import write_png

NUM_PHOTOS = 260
OPTIONS = ("--size", "64", "--group", "file", "--workers", "1")


class Cluster:
    """Three nodes: one that makes nothing, and two workers."""

    def __init__(self) -> None:
        program = [sys.executable, str(Path(__file__).with_name("ray_cluster.py"))]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address

    def tell(self, word: str) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'pix2pix-kit[ray]'")
    started = Cluster()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def many(draw, tmp_path_factory) -> Path:
    """Photos for nine shards, and one that is broken."""
    folder = tmp_path_factory.mktemp("ray") / "photos"
    for i in range(NUM_PHOTOS):
        write_png(folder / f"{i:03d}.png", draw(i))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    return folder


@pytest.fixture(scope="module")
def expected(many, tmp_path_factory):
    """Make the local build of each maker once; gives the files."""
    made: dict[str, Path] = {}

    def folder(maker: str) -> Path:
        if maker not in made:
            work = tmp_path_factory.mktemp("local")
            made[maker] = work / "pairs"
            assert end(start(maker, many, made[maker])) == (0, "")
        return made[maker]

    return folder


def start(maker: str, photos: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "pix2pix_data", maker, str(photos), "--out", out.name, *OPTIONS, *options]
    return subprocess.Popen(line, cwd=out.parent, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def end(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait; gives the exit status, and what was told where that is not 0."""
    told = driver.communicate(timeout=120)[1]
    return driver.returncode, told if driver.returncode else ""


def wait_for_shards(out: Path, num: int, driver: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.glob(".build/*-of-*.json"))) < num:
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("maker", ["edges", "kmeans"])
def test_a_cluster_gives_the_bytes_of_the_local_build(maker, cluster, many, expected, tmp_path, contents):
    driver = start(maker, many, tmp_path / "pairs", "--engine", "ray", "--address", cluster.address)
    assert end(driver) == (0, "")
    assert contents(tmp_path / "pairs") == contents(expected(maker))


def test_nothing_is_lost_with_a_node_and_with_two_drivers(cluster, many, expected, tmp_path, contents):
    out, ray = tmp_path / "pairs", ("--engine", "ray", "--address", cluster.address)
    for num in (1, 3):
        driver = start("edges", many, out, *ray)
        wait_for_shards(out, num, driver)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        assert not (out / "build.json").exists()
    driver = start("edges", many, out, *ray)
    wait_for_shards(out, 4, driver)
    assert cluster.tell("kill") == 1
    assert end(driver) == (0, "")
    assert cluster.tell("add") == 2
    assert contents(out) == contents(expected("edges"))


def test_what_a_shard_raises_is_told_as_it_is_locally(cluster, many, tmp_path):
    photos, elsewhere = tmp_path / "seen" / "photos", tmp_path / "moved"
    shutil.copytree(many, photos)
    driver = start("edges", photos, tmp_path / "pairs", "--engine", "ray", "--address", cluster.address)
    wait_for_shards(tmp_path / "pairs", 1, driver)
    photos.rename(elsewhere)
    code, told = end(driver)
    assert code == 1
    assert "does not see what the build needs" in told
    assert f"where: {photos}" in told
    assert "Traceback" not in told


def test_without_a_cluster_it_says_how_to_start_one(many, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'pix2pix-kit[ray]'")
    code, told = end(start("edges", many, tmp_path / "pairs", "--engine", "ray", "--address", "127.0.0.1:1"))
    assert code == 1
    assert "error: there is no Ray cluster" in told
    assert "ray start --head" in told
    assert not (tmp_path / "pairs").exists()


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pix2pix-kit\[ray\]"):
        RayEngine.connected("auto", ())


def test_jobs_of_an_array_and_a_cluster_exclude_each_other(photos, p2p_data):
    done = p2p_data("colorize", photos, "--engine", "ray", "--shard-index", "0", "--num-shards", "2")
    assert done.returncode == 1
    assert "leave out --shard-index" in done.stderr
