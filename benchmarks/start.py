"""What commands take to start: processor time and memory, beside a bare interpreter and the imports rivals start with.

    python benchmarks/start.py
    python benchmarks/start.py --rounds 20

Every row is a new process, all rows in turn, so that a busy moment of the machine meets them alike. The first round,
which fills the disk's cache and writes bytecode, is not counted. A maker by itself is started with --dry-run on one
photo: up to where it would build.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

HELP = {
    "`p2p-data --help`": ["-m", "pix2pix_data", "--help"],
    "`p2p-data edges --help`": ["-m", "pix2pix_data", "edges", "--help"],
    "`p2p-train --help`": ["-c", "from pix2pix_model.cli_train import main; main()", "--help"],
    "`p2p-model --help`": ["-m", "pix2pix_model", "--help"],
}
STARTED = ("colorize", "kmeans", "inpaint")  # the makers of single photos that run no network
IMPORTED = ("numpy", "torch", "sklearn", "datasets")  # what rivals' scripts import before they read their options


class Start(NamedTuple):
    """What one process took."""

    processor_s: float
    wall_s: float
    memory_mib: float


def start(arguments: list[str]) -> Start:
    """Run Python with `arguments` to its end, on one thread."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"exit status {child.returncode}: {' '.join(arguments)}")
    return Start(usage.ru_utime + usage.ru_stime, time.perf_counter() - begun, usage.ru_maxrss / 2**10)


def rows(photos: Path) -> dict[str, list[str]]:
    """Return what is started, by its title; imports of what is not installed are left out."""
    # By hand, without Pillow: a new process is counted at least the memory of the one that starts it.
    (photos / "one.ppm").write_bytes(b"P6 256 256 255\n" + bytes(range(256)) * 3 * 256)
    build = [str(photos), "--dry-run", "--val", "0", "--test", "0", "--out", str(photos.with_name("pairs"))]
    makers = {f"`p2p-data {name} --dry-run`, one photo": ["-m", "pix2pix_data", name, *build] for name in STARTED}
    imports = {f"`import {name}`": ["-c", f"import {name}"] for name in IMPORTED if importlib.util.find_spec(name)}
    return {"a bare interpreter": ["-c", "pass"], **imports, **HELP, **makers}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What commands take to start.")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        photos = Path(work, "photos")
        photos.mkdir()
        commands = rows(photos)
        starts: dict[str, list[Start]] = {title: [] for title in commands}
        for number in range(options.rounds + 1):
            for title, arguments in commands.items():
                taken = start(arguments)
                if number:
                    starts[title].append(taken)
    print("| started | processor s | lowest to highest | wall s | memory MiB |")
    print("|---|---|---|---|---|")
    for title, taken_by_it in starts.items():
        processor_s, wall_s, memory_mib = zip(*taken_by_it, strict=True)
        spread = f"{min(processor_s):.2f} to {max(processor_s):.2f}"
        print(f"| {title} | {median(processor_s):.2f} | {spread} | {median(wall_s):.2f} | {median(memory_mib):.0f} |")


if __name__ == "__main__":
    main()
