"""Thousands of broken and odd pictures: does any crash us, hang, or take too much memory, and is each accounted for?

Every file is first decoded by itself in a process that is watched: processor time, and the most memory it had. Then
`p2p-data colorize`, `check` and `import` go over all of them, and what they say of pairs and failures must add up to
the number of files. The files are drawn by spoilt_pictures.py; those of --also join them, and with --large some of as
many pixels as we read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spoilt_pictures import large_files, spoilt_pictures

from pix2pix_data.images import MAX_PIXELS

PATIENCE_S = 300  # of the clock, on a busy machine; what is asked for is 5 s of processor time
MOST_S, MOST_MB = 5.0, 1500


@dataclass(frozen=True)
class Outcome:
    """What became of one file: "read", "refused", "crashed" or "hung"."""

    kind: str
    processor_s: float = 0.0
    memory_mb: float = 0.0
    told: str = ""


# --- one by one ---------------------------------------------------------------------------------------------------


def decode_each(files: Connection) -> None:
    """Decode the files whose paths arrive, in a process of its own."""
    import warnings

    from pix2pix_data.errors import ImageError
    from pix2pix_data.images import read_photo

    warnings.simplefilter("ignore")
    while (path := files.recv()) is not None:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the most memory so far is forgotten
        start, kind, told = time.process_time(), "read", ""
        try:
            photo, _ = read_photo(path)
            assert photo.rgb.ndim == 3, photo.rgb.shape
            del photo
        except ImageError as error:
            kind, told = "refused", str(error)
        except BaseException as error:
            kind, told = "crashed", repr(error)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak_kb = int(status.partition("VmHWM:")[2].split()[0])
        files.send(Outcome(kind, time.process_time() - start, peak_kb / 1024, told))


class Watched:
    """The process that decodes; a new one when it dies or does not answer."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._files, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=decode_each, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def decode(self, path: Path) -> Outcome:
        self._files.send(str(path))
        try:
            if self._files.poll(PATIENCE_S):
                return self._files.recv()
            self._process.kill()
            outcome = Outcome("hung")
        except EOFError:
            outcome = Outcome("crashed", told="the process died")
        self._process.join()
        self._start()
        return outcome

    def close(self) -> None:
        self._files.send(None)
        self._process.join()


def table(families: dict[str, list[Path]]) -> Iterator[str]:
    yield "| family | files | read | refused | crashed | hung | slowest | most memory |"
    yield "|---|---|---|---|---|---|---|---|"
    watched = Watched()
    for family, paths in families.items():
        outcomes = {path: watched.decode(path) for path in paths}
        count = {
            kind: sum(one.kind == kind for one in outcomes.values()) for kind in ("read", "refused", "crashed", "hung")
        }
        slowest = max(one.processor_s for one in outcomes.values())
        memory = max(one.memory_mb for one in outcomes.values())
        numbers = " | ".join(str(num) for num in count.values())
        yield f"| {family} | {len(paths)} | {numbers} | {slowest:.2f} s | {memory:.0f} MB |"
        for path, one in outcomes.items():
            if one.kind in ("crashed", "hung") or one.processor_s > MOST_S or one.memory_mb > MOST_MB:
                print(
                    f"  {one.kind}: {path.name}, {one.processor_s:.1f} s, {one.memory_mb:.0f} MB {one.told}",
                    file=sys.stderr,
                )
    watched.close()


# --- all of them --------------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[str, str]:
    """Run p2p-data; returns what it wrote to stdout, and its cost in words."""
    command = [sys.executable, "-m", "pix2pix_data", *arguments, "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = process.stdout.read()
        err = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3) or "Traceback" in err:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}:\n{err}")
    return out, f"{used.ru_utime + used.ru_stime:.0f} s of processor time, at most {used.ru_maxrss / 1024:.0f} MB"


def accounted(num_pairs: int, num_failed: int, num_others: int, num_files: int) -> str:
    told = f"{num_pairs} pairs + {num_failed} with a reason + {num_others} no pictures"
    missing = num_files - num_pairs - num_failed - num_others
    return f"{told} = {num_files} files" if not missing else f"{told}, and {missing} MISSING of {num_files}"


def made(folder: Path, num_files: int) -> str:
    record: dict[str, Any] = json.loads((folder / "build.json").read_text())
    num_failed = len((folder / "failures.jsonl").read_text().splitlines())
    return accounted(sum(record["pairs"].values()), num_failed, len(record["others"]), num_files)


def commands(work: Path, num_files: int) -> Iterator[str]:
    pictures = work / "pictures"
    _, cost = run("colorize", str(pictures), "--out", str(work / "gray"), "--size", "64", "--max-failed", "1")
    yield f"colorize: {made(work / 'gray', num_files)}; {cost}"
    out, cost = run("check", str(pictures), "--json")
    told = json.loads(out)
    num_damaged = sum(one["count"] for one in told["findings"] if one["kind"] == "damaged-pairs")
    num_pairs, num_pictures = sum(told["facts"]["sizes"].values()), sum(told["facts"]["num_pairs"].values())
    yield f"check: {accounted(num_pairs, num_damaged, num_files - num_pictures, num_files)}; {cost}"
    _, cost = run("import", str(pictures), "--out", str(work / "pairs"), "--max-failed", "1")
    yield f"import: {made(work / 'pairs', num_files)}; {cost}"


def write_pictures(folder: Path, seed: int, per_family: int, also: Path, large_px: int) -> dict[str, list[Path]]:
    """Write the files into a folder train/, which all three commands read."""
    families: defaultdict[str, list[Path]] = defaultdict(list)
    folder.mkdir(parents=True)
    for family, name, content in spoilt_pictures(seed, per_family):
        families[family].append(folder / name)
        families[family][-1].write_bytes(content)
    if also.is_dir():
        files = sorted(path for path in also.rglob("*") if path.is_file())
        for i, file in enumerate(files):
            families[f"{also.name} (--also)"].append(folder / f"also-{i:04d}-{file.name}")
            families[f"{also.name} (--also)"][-1].symlink_to(file.resolve())
    for name, content in large_files(large_px) if large_px else ():
        families["as many pixels as we read"].append(folder / name)
        families["as many pixels as we read"][-1].write_bytes(content)
    return dict(families)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="A new folder for the files and datasets.")
    parser.add_argument("--also", type=Path, default=Path("../shared/data/nasty"), help="Further difficult files.")
    parser.add_argument("--per-family", type=int, default=150, help="Files for each way to spoil one.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--large", type=int, default=int(MAX_PIXELS**0.5), metavar="PX", help="Their sides; 0 for none."
    )
    asked = parser.parse_args()
    folder = asked.work / "pictures" / "train"
    # In a process of its own: what a command is said to have had at most begins with what its parent has.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        drawn = pool.submit(write_pictures, folder, asked.seed, asked.per_family, asked.also, asked.large)
        families = drawn.result()
    for line in table(families):
        print(line, flush=True)
    print()
    for line in commands(asked.work, sum(map(len, families.values()))):
        print(line, flush=True)


if __name__ == "__main__":
    main()
