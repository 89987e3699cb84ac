"""Kill training runs at random moments, continue them, and see whether they end in the same bytes. Prints a table.

    python tests/faults/killed_runs.py --moments 20 [--how kill|term|workers] [--seed 0]

A run of 60 steps on the CPU, with everything that a checkpoint must carry: dropout, jitter, mirroring, an averaged
generator, validation, a best checkpoint. One undisturbed run is the reference. Then, for each moment, a run is killed
(SIGKILL, or SIGTERM) there, and the same command is given again until it ends. `workers` kills too, and continues with
another number of decoding threads. The moments are spread over the whole length of a run, from its first file to its
last, one drawn in each part.

Runs are forked from this process, which has loaded torch once and trained nothing: a start takes no seconds, and a kill
meets the run and not the imports.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tiny_recipe import tiny_recipe

from pix2pix_data.console import result
from pix2pix_data.dataset import open_dataset
from pix2pix_data.images import write_png
from pix2pix_model import data
from pix2pix_model.recipe_file import load_recipe
from pix2pix_model.run_dir import find_unfinished, make_run
from pix2pix_model.train import train

NUM_STEPS = 60
SPEEDS = ("images_per_s", "data_share")
WAYS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "workers": signal.SIGKILL}


@dataclass(frozen=True)
class Outcome:
    """What became of one killed run."""

    moment_s: float
    ended_by: str
    saved_step: int
    left_over: str
    is_same: bool


def preload() -> None:
    """Import what a run imports on its way."""
    import torch.utils.tensorboard.writer  # noqa: F401


def draw_pairs(folder: Path) -> None:
    for split, num in (("train", 9), ("val", 4)):
        for i in range(num):
            rng = np.random.default_rng((split == "val", i))
            a, b = (np.full((40, 48, 3), 255, np.uint8) for _ in range(2))
            center = (int(rng.integers(12, 36)), int(rng.integers(12, 28)))
            cv2.circle(a, center, 9, (0, 0, 0), 1)
            cv2.circle(b, center, 9, tuple(map(int, rng.integers(0, 200, 3))), -1)
            write_png(folder / split / f"{i}.png", np.hstack([a, b]))


def start(runs_dir: Path, num_workers: int) -> int:
    """Fork a process that does what p2p-train does; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 2)
        data.num_processors = lambda: num_workers  # what the decoding threads are counted by
        recipe = load_recipe(Path("killed.toml"))
        dataset = open_dataset(recipe.data.path)
        run = find_unfinished(runs_dir, recipe, dataset.fingerprint) or make_run(runs_dir, recipe.name)
        train(recipe, dataset, run)
        code = 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        import traceback

        Path("failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(code)


def finish(pid: int) -> int:
    """Wait for a process; returns its exit code, or the signal that ended it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kept(runs_dir: Path) -> dict[str, object]:
    """Return all that a run ends in and that must not depend on how often it was stopped."""
    (run,) = runs_dir.glob("*-killed")
    paths = [path for folder in ("model", "checkpoints") for path in (run / folder).rglob("*") if path.is_file()]
    lasting = [run / "checkpoints" / "last", run / "checkpoints" / "best"]
    steps = {pointer.read_text().strip() for pointer in lasting}
    files = {
        str(path.relative_to(run)): path.read_bytes()
        for path in paths
        if path.parent.name in steps or path.parent == run / "model" or path in lasting
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logged = [{name: value for name, value in line.items() if name not in SPEEDS} for line in lines]
    return {**files, "metrics.jsonl": logged}


def kill_one(runs_dir: Path, moment_s: float, how: str, rng: random.Random, reference: dict[str, object]) -> Outcome:
    pid = start(runs_dir, num_workers=rng.choice((1, 2, 3, 8)) if how == "workers" else 2)
    time.sleep(moment_s)
    os.kill(pid, WAYS[how])
    code = finish(pid)
    ended_by = signal.Signals(-code).name if code < 0 else {0: "its end", 130: "saving"}.get(code, f"error {code}")
    pointers = list(runs_dir.glob("*/checkpoints/last"))
    saved_step = int(pointers[0].read_text().strip().removeprefix("step-")) if pointers else 0
    left_over = ", ".join(sorted(path.name.split(".")[1] for path in runs_dir.rglob("*.part")))
    if code != 0:
        code = finish(start(runs_dir, num_workers=rng.choice((1, 2, 3, 8)) if how == "workers" else 2))
    is_same = code == 0 and kept(runs_dir) == reference
    return Outcome(moment_s, ended_by, saved_step, left_over, is_same)


def undisturbed() -> tuple[dict[str, object], float]:
    """Return what a run ends in that nothing disturbs, and how long it takes in seconds."""
    start_s = time.monotonic()
    if code := finish(start(Path("undisturbed"), 2)):
        sys.exit(f"the undisturbed run ended with {code}: {Path('failure.txt').read_text(encoding='utf-8')}")
    return kept(Path("undisturbed")), time.monotonic() - start_s


def outcomes(num_moments: int, how: str, seed: int, reference: dict[str, object], length_s: float) -> Iterator[Outcome]:
    """Give what became of each killed run."""
    for number in range(num_moments):
        rng = random.Random(f"{seed} {how} {number}")
        moment_s = (number + rng.random()) / num_moments * length_s
        for attempt in itertools.count():
            outcome = kill_one(Path(f"{how}-{number}-{attempt}"), moment_s, how, rng, reference)
            if outcome.ended_by != "its end" or not outcome.is_same:
                break
            moment_s *= 0.8  # it was over before: the speed of a machine varies
        yield outcome


def tell(options: argparse.Namespace) -> int:
    """Print the table, in the current folder; returns how many runs ended otherwise."""
    draw_pairs(Path("drawn"))
    Path("killed.toml").write_text(tiny_recipe("killed", "drawn", num_steps=NUM_STEPS), encoding="utf-8")
    reference, length_s = undisturbed()
    result(f"an undisturbed run of {NUM_STEPS} steps takes {length_s:.2f} s")
    result(f"{'':7}  {'moment':>8}  {'ended by':<9}  {'saved':>5}  {'same':<4}  half written")
    bad = 0
    for how in options.how or WAYS:
        for one in outcomes(options.moments, how, options.seed, reference, length_s):
            same = "yes" if one.is_same else "NO"
            result(f"{how:7}  {one.moment_s:7.2f}s  {one.ended_by:<9}  {one.saved_step:>5}  {same:<4}  {one.left_over}")
            bad += not one.is_same
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--how", choices=sorted(WAYS), action="append")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    preload()
    torch.set_num_threads(1)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        bad = tell(options)
        os.chdir(before)
    result("all end in the same bytes" if not bad else f"{bad} runs ended otherwise")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
