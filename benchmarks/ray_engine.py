"""What a build on a Ray cluster costs beside a local one, and whether it gives the same bytes whatever is lost.

    python benchmarks/ray_engine.py --work DIR [--data ../shared/data/shoes] [--photos 2000]

Photos of 96 px are cut out of those in --data. A cluster is three nodes on this machine: a head that makes nothing, and
workers of one processor. Times are those of the clock, of whole commands, in turn. The last table is of tasks that do
nothing.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dataset"))
from ray_cluster import RayCluster

from pix2pix_data.console import exit_with_errors_told, result
from pix2pix_data.engines import Engine, Tick
from pix2pix_data.engines.local import LocalEngine
from pix2pix_data.engines.ray import RayEngine
from pix2pix_data.listing import list_photos

MAKERS = ("edges", "kmeans")
PX = 96
MADE_PX = 64
NUM_EMPTY = 400


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What a build on a Ray cluster costs.")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder to work in")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/shoes"), help="photos to cut others out of")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    photos = options.work.resolve() / "photos"
    cut_out(options.data, photos, options.photos)
    with RayCluster(2) as two, RayCluster(1) as one:
        compare(photos, options.rounds, one, two)
        for maker in MAKERS:
            lose(photos, maker, two)
        count_empty(two)


def cut_out(data: Path, photos: Path, num: int) -> None:
    """Write photos that differ, the same ones each time."""
    photos.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, path in zip(range(num), itertools.cycle(list_photos(data).photos), strict=False):
        with Image.open(path) as photo:
            side = int(rng.integers(PX, max(min(photo.size), PX + 1)))
            left, top = (int(rng.integers(0, max(length - side, 0) + 1)) for length in photo.size)
            piece = photo.convert("RGB").crop((left, top, left + side, top + side)).resize((PX, PX))
        piece.save(photos / f"{i:05d}.jpg", quality=95)


def compare(photos: Path, num_rounds: int, one: RayCluster, two: RayCluster) -> None:
    """Time the same build by both engines, by one and by two processors."""
    num = len(list(photos.iterdir()))
    routes = {
        "local, 1 process": ("--workers", "1"),
        "Ray, 1 node": ("--workers", "1", *on(one)),
        "local, 2 processes": ("--workers", "2"),
        "Ray, 2 nodes": ("--workers", "2", *on(two)),
    }
    result(f"{num} photos, {MADE_PX} px, {num_rounds} rounds in turn")
    result("| maker | made by | s | lowest to highest | photos/s | against one process |")
    result("|---|---|---|---|---|---|")
    for maker in MAKERS:
        taken: dict[str, list[float]] = {name: [] for name in routes}
        for number in range(num_rounds):
            for route, (name, options) in enumerate(routes.items()):
                out = photos.with_name(f"{maker}-{route}-{number}") / "pairs"
                begun = time.perf_counter()
                end(start(maker, photos, out, options))
                taken[name].append(time.perf_counter() - begun)
                check_same(out, photos.with_name(f"{maker}-0-0") / "pairs")
        base = median(taken["local, 1 process"])
        for name, times in taken.items():
            row = f"| {maker} | {name} | {median(times):.1f} | {min(times):.1f} to {max(times):.1f} "
            result(f"{row}| {num / median(times):.0f} | {base / median(times):.2f} |")


def lose(photos: Path, maker: str, cluster: RayCluster) -> None:
    """Kill two drivers and a node in the middle of builds, and compare the bytes."""
    out = photos.with_name(f"{maker}-lost") / "pairs"
    num_shards = len(list((photos.with_name(f"{maker}-0-0") / "pairs" / "data").iterdir()))
    for share in (0.2, 0.5):
        driver = start(maker, photos, out, on(cluster))
        wait_for(out, int(share * num_shards), driver)
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
    driver = start(maker, photos, out, on(cluster))
    wait_for(out, int(0.7 * num_shards), driver)
    cluster.kill_node()
    end(driver)
    cluster.add_node()
    check_same(out, photos.with_name(f"{maker}-0-0") / "pairs")
    result(f"{maker}: two drivers and a node were killed in the middle of {num_shards} shards; the bytes are the same")


def count_empty(cluster: RayCluster) -> None:
    """Count the shards that each engine hands out in a second when there is nothing to make."""
    result("| tasks that do nothing | first, s | tasks/s |")
    result("|---|---|---|")
    ray = RayEngine.connected(cluster.address, ())
    engines: dict[str, Engine] = {"local, 2 processes": LocalEngine(2), "Ray, 2 nodes": ray}
    for name, engine in engines.items():
        begun = time.perf_counter()
        engine.run(do_nothing, range(2), tick=lambda _: None, on_gpu=False)
        first = time.perf_counter() - begun
        engine.run(do_nothing, range(NUM_EMPTY), tick=lambda _: None, on_gpu=False)
        taken = time.perf_counter() - begun - first
        result(f"| {name} | {first:.2f} | {NUM_EMPTY / taken:.0f} |")


def do_nothing(task: int, tick: Tick) -> None:  # noqa: ARG001
    """Stand for a shard."""
    tick(1)


def on(cluster: RayCluster) -> tuple[str, ...]:
    return ("--engine", "ray", "--address", cluster.address)


def start(maker: str, photos: Path, out: Path, options: tuple[str, ...]) -> subprocess.Popen[str]:
    out.parent.mkdir(exist_ok=True)
    line = [sys.executable, "-m", "pix2pix_data", maker, str(photos), "--out", out.name, "--size", str(MADE_PX)]
    line += ["--group", "file", *options]
    return subprocess.Popen(line, cwd=out.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    told = process.communicate()[1]
    if process.returncode:
        raise SystemExit(told)


def wait_for(out: Path, num_shards: int, driver: subprocess.Popen[str]) -> None:
    while len(list(out.glob(".build/*-of-*.json"))) < num_shards:
        if driver.poll() is not None:
            raise SystemExit(f"it ended before anything was lost: {driver.communicate()[1]}")
        time.sleep(0.02)


def check_same(one: Path, other: Path) -> None:
    found, expected = ({path.relative_to(d): path.read_bytes() for path in d.rglob("*.*")} for d in (one, other))
    if found != expected:
        raise SystemExit(f"{one} is not {other}")


if __name__ == "__main__":
    exit_with_errors_told(main)
