"""What a build of a million pairs takes: time, and memory of the process that plans and of those that make pairs.

    python benchmarks/million_photos.py
    python benchmarks/million_photos.py --counts 20000,40000 --workers 1

The pairs are drawn from their numbers, 32 px, by a maker that p2p-data finds as that of any other package: by its entry
point. Each count is a build by the command line, in processes of its own. Peaks are VmHWM of /proc: ru_maxrss of a new
process starts at that of the one that started it.
"""

from __future__ import annotations

import argparse
import atexit
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from pix2pix_data.maker import PairMaker
from pix2pix_data.pair import Failed, Other, Pair, PairPlan

SIZE_PX = 32
PEAK_VARIABLE = "P2P_PEAK_FILE"
POLL_S = 1.0


class DrawnMaker(PairMaker):
    """Draw discs from their numbers, without a file: A is the outline, B the disc."""

    examples: ClassVar[tuple[str, ...]] = ("p2p-data drawn ./nothing --num 1000 --group file",)

    num: int = Field(1000, ge=1, description="Pairs to draw.")

    def plan(self, source: Path) -> Iterator[PairPlan | Failed | Other]:  # noqa: ARG002
        for i in range(self.num):
            key = f"{i // 1000:05}/{i:08}"
            yield PairPlan(key, (), key)

    def make(self, plans: Sequence[PairPlan]) -> Iterator[Pair | Failed]:
        rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
        for plan in plans:
            number = int(plan.key[-8:])
            row, column, radius = number * 7 % 16, number * 11 % 16, number * 3 % 6
            distance = np.hypot(rows - 8 - row, columns - 8 - column) - radius - 2
            b = np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8)
            b[distance < 0] = number % 256, number // 256 % 256, number // 65536  # no two are the same
            a = np.repeat(np.where(np.abs(distance) < 1, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
            yield Pair(plan.key, a, b, plan.group)


# --- one build ----------------------------------------------------------------------------------------------------


def build(num: int, work: Path, workers: int) -> int:
    """Build `num` pairs by the command line and print their row; returns the peak of the parent, in bytes."""
    source, out, peak = work / "nothing", work / f"drawn-{num}", work / f"peak-{num}"
    source.mkdir(exist_ok=True)
    command = ["drawn", source, "--num", num, "--group", "file", "--workers", workers, "--out", out]
    paths = [work, Path(__file__).parent, os.environ.get("PYTHONPATH", "")]
    begun = time.monotonic()
    parent = subprocess.Popen(
        [sys.executable, __file__, "--as-p2p-data", *map(str, command)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "OMP_NUM_THREADS": "1",
            PEAK_VARIABLE: str(peak),
        },
        stdout=sys.stderr,
    )
    of_worker = 0
    while parent.poll() is None:
        of_worker = max([of_worker, *map(peak_of, children_of(parent.pid))])
        time.sleep(POLL_S)
    if parent.returncode:
        raise SystemExit(f"the build ended with exit code {parent.returncode}")
    elapsed_s = time.monotonic() - begun
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    of_parent = int(peak.read_text())
    cells = [
        f"{num:,}",
        f"{elapsed_s:.0f} s",
        f"{num / elapsed_s:.0f}",
        *(f"{n / 2**20:.0f} MiB" for n in (of_parent, of_worker, size)),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)
    return of_parent


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    except OSError:
        return []


def peak_of(pid: int | str) -> int:
    """Return the most memory that a process has held, in bytes; 0 where it has ended."""
    try:
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        )
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        return 0


def as_p2p_data(arguments: list[str]) -> None:
    """Be p2p-data, and leave the peak of this process where it is asked for."""
    from pix2pix_data.cli import main

    atexit.register(lambda: Path(os.environ[PEAK_VARIABLE]).write_text(str(peak_of("self")), encoding="utf-8"))
    sys.argv = ["p2p-data", *arguments]
    main()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="100000,1000000", help="Pairs of each build.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help="Where the datasets stay; else they are removed.")
    options = parser.parse_args()
    counts = [int(count) for count in options.counts.split(",")]
    with tempfile.TemporaryDirectory(prefix="p2p-million-") as folder:
        work = options.work or Path(folder)
        info = work / "drawn_pairs-1.dist-info"  # what pip leaves of a package: here the module is this file
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drawn-pairs\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            f"[pix2pix_data.pair_makers]\ndrawn = {Path(__file__).stem}:DrawnMaker\n"
        )
        print(
            "| pairs | time | pairs/s | peak of the parent | of a worker | dataset |\n|---:|---:|---:|---:|---:|---:|",
            flush=True,
        )
        peaks = [build(num, work, options.workers) for num in counts]
    if len(counts) > 1:
        grown = (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])
        print(f"\nfrom {counts[0]:,} to {counts[-1]:,} pairs the parent grows by {grown:.0f} bytes a pair")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-p2p-data"]:
        as_p2p_data(sys.argv[2:])
    else:
        main()
