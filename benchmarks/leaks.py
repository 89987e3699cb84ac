"""Whether memory and open files stay flat in long work: builds in one process, training steps, requests of the page.

    python benchmarks/leaks.py
    python benchmarks/leaks.py --builds 1000 --steps 10000 --requests 5000

Each kind of work is a process of its own, looked at from outside: resident memory, open files and threads, at ten
moments evenly spread over the work, the first after a tenth of it, when all is imported and warm. Flat is what grows by
less than 2%, or 4 MiB, from the first to the last of them, and in which no file or thread more is open. Pictures are
32 px, networks two channels wide, so that what is kept by mistake is not hidden by what is in use.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import cv2
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from pix2pix_model.batch import Batch
    from pix2pix_model.course import Course
    from pix2pix_model.state import TrainState

_MOMENTS = 10
_RECIPE = """
name = "tiny"
[data]
path = "pairs"
load_size = 36
crop_size = 32
[generator]
width = 2
[discriminator]
width = 4
patch = 16
[train]
batch = 1
max_steps = {steps}
device = "cpu"
[validation]
every = {every}
[log]
metrics_every = {every}
samples_every = {every}
num_samples = 2
checkpoint_minutes = 0.05
"""


class Look(NamedTuple):
    """A process at one moment."""

    memory_mib: float
    files: int
    threads: int


def look_at(pid: int) -> Look:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return Look(
        int(status["VmRSS"].split()[0]) / 1024, len([*Path(f"/proc/{pid}/fd").iterdir()]), int(status["Threads"])
    )


def draw_photos(folder: Path, num: int = 8) -> None:
    folder.mkdir()
    for i in range(num):
        blocks = np.random.default_rng(i).integers(0, 256, (4, 5, 3), np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(blocks, (40, 32), interpolation=cv2.INTER_CUBIC))


def moments(num: int) -> set[int]:
    return {round(num * (i + 1) / _MOMENTS) for i in range(_MOMENTS)}


def builds(num: int) -> Iterator[Look]:
    """Build one shard so many times in this process."""
    from pix2pix_data.build import BuildOptions, build, plan_build
    from pix2pix_data.makers.edges import EdgesMaker

    draw_photos(Path("photos"))
    source, maker = Path("photos"), EdgesMaker(size=(32, 32))
    for i in range(1, num + 1):
        plan = plan_build("edges", maker, source, BuildOptions(val=0, test=0))
        build(plan, maker, source, Path("out"), workers=1)
        shutil.rmtree("out")
        if i in moments(num):
            yield look_at(os.getpid())


def steps(num: int) -> Iterator[Look]:
    """Train for so many steps in this process, and save, measure and draw samples on the way."""
    import torch

    from pix2pix_data.build import BuildOptions, build, plan_build
    from pix2pix_data.dataset import open_dataset
    from pix2pix_data.makers.colorize import ColorizeMaker
    from pix2pix_model.course import Course
    from pix2pix_model.recipe_file import load_recipe
    from pix2pix_model.run_dir import make_run
    from pix2pix_model.train import train

    torch.set_num_threads(1)
    draw_photos(Path("photos"))
    maker = ColorizeMaker(size=(32, 32))
    plan = plan_build("colorize", maker, Path("photos"), BuildOptions(val=2, test=0))
    build(plan, maker, Path("photos"), Path("pairs"), workers=1)
    Path("tiny.toml").write_text(_RECIPE.format(steps=num, every=max(1, num // 50)), encoding="utf-8")
    recipe = load_recipe(Path("tiny.toml"))
    looks: list[Look] = []
    advance = Course.advance

    def looked_at(course: Course, state: TrainState, batch: Batch) -> dict[str, Tensor]:
        done = advance(course, state, batch)
        if state.step in moments(num):
            looks.append(look_at(os.getpid()))
        return done

    with patch.object(Course, "advance", looked_at):
        train(recipe, open_dataset(Path("pairs")), make_run(Path("runs"), "tiny"))
    yield from looks


def requests(num: int) -> Iterator[Look]:
    """Ask the painting page for so many things: its files, its model, and what it makes of a drawing."""
    *_, _ = steps(4)
    (run,) = Path("runs").iterdir()
    line = [sys.executable, "-c", "from pix2pix_model.cli_model import main; main()", "paint", str(run), "--no-browser"]
    page = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert page.stdout is not None
    try:
        port = int(page.stdout.readline().strip().strip("/").rpartition(":")[2])
        drawing = cv2.imencode(".png", np.full((32, 32, 3), 200, np.uint8))[1].tobytes()
        asked = (("GET", "/", b""), ("GET", "/api/model", b""), ("POST", "/api/translate", drawing))
        for i in range(1, num + 1):
            method, path, body = asked[i % len(asked)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path, body)
            answer = connection.getresponse()
            assert answer.status == 200, (path, answer.status, answer.read())
            answer.read()
            connection.close()
            if i in moments(num):
                time.sleep(0.5)  # or the server may not have closed the last connection yet
                yield look_at(page.pid)
    finally:
        page.terminate()
        page.wait()


WORK: dict[str, Callable[[int], Iterator[Look]]] = {"builds": builds, "steps": steps, "requests": requests}


def row(name: str, num: int) -> tuple[str, bool]:
    """Do the work in a process of its own; returns a row of the table, and whether all stayed flat."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, __file__, "--work", name, "--num", str(num)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "P2P_CACHE": ""}
        told = subprocess.run(line, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    looks = [Look(float(a), int(b), int(c)) for a, b, c in (text.split() for text in told.splitlines()[-_MOMENTS:])]
    first, last = looks[0], looks[-1]
    growth = last.memory_mib - first.memory_mib
    is_flat = growth < max(4, 0.02 * first.memory_mib) and last.files <= first.files and last.threads <= first.threads
    most = max(one.memory_mib for one in looks)
    cells = (
        f"{num:,} {name}",
        f"{first.memory_mib:.1f}",
        f"{last.memory_mib:.1f}",
        f"{most:.1f}",
        f"{first.files} / {last.files}",
        f"{first.threads} / {last.threads}",
        "yes" if is_flat else "NO",
    )
    return f"| {' | '.join(cells)} |", is_flat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--num", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        for one in WORK[options.work](options.num):
            print(*one, flush=True)
        return
    print("| work | MiB after a tenth | at the end | at most | files | threads | flat |\n|---|--:|--:|--:|--:|--:|---|")
    flat = True
    for name in WORK:
        if num := getattr(options, name):
            text, is_flat = row(name, num)
            print(text, flush=True)
            flat &= is_flat
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()
