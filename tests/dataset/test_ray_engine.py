"""A build on a real Ray cluster, whatever is lost on the way, is the local one to the byte."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socket import gethostname

import pytest

from pix2pix_data import __version__
from pix2pix_data.engines.ray import RayEngine, check_node
from pix2pix_data.errors import BuildError, MissingExtraError
from pix2pix_data.images import write_png

sys.path.insert(0, str(Path(__file__).parent))
from ray_cluster import RayCluster

NUM_PHOTOS = 260
OPTIONS = ("--size", "64", "--group", "file", "--workers", "1")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'pix2pix-kit[ray]'")
    with RayCluster(2) as started:
        yield started


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
    assert cluster.kill_node() == 1
    assert end(driver) == (0, "")
    assert cluster.add_node() == 2
    assert contents(out) == contents(expected("edges"))


def test_what_a_shard_raises_is_told_as_it_is_locally(cluster, many, tmp_path):
    photos, elsewhere = tmp_path / "seen" / "photos", tmp_path / "moved"
    shutil.copytree(many, photos)
    driver = start("edges", photos, tmp_path / "pairs", "--engine", "ray", "--address", cluster.address)
    wait_for_shards(tmp_path / "pairs", 1, driver)
    photos.rename(elsewhere)
    code, told = end(driver)
    assert code == 1
    assert "\nerror: " in told
    assert f"\nwhere: {photos}\nto do: " in told
    assert "Traceback" not in told


def test_a_node_that_sees_other_folders_or_has_another_version_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_node(str(tmp_path), (str(tmp_path),), __version__)
    with pytest.raises(BuildError, match=f"{gethostname()} does not see what the build needs: {tmp_path}/none"):
        check_node(str(tmp_path), (f"{tmp_path}/none",), __version__)
    with pytest.raises(BuildError, match=f"pix2pix-kit is {__version__} on {gethostname()}, and 9.9 where"):
        check_node(str(tmp_path), (), "9.9")


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


def test_an_address_without_its_engine_is_refused(photos, p2p_data):
    done = p2p_data("colorize", photos, "--address", "head:6379")
    assert done.returncode == 1
    assert "add --engine ray" in done.stderr


def test_jobs_of_an_array_and_a_cluster_exclude_each_other(photos, p2p_data):
    done = p2p_data("colorize", photos, "--engine", "ray", "--shard-index", "0", "--num-shards", "2")
    assert done.returncode == 1
    assert "leave out --shard-index" in done.stderr
