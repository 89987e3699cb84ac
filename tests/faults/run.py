"""Break the commands at random, give each one again, and see whether anything is lost. Prints a table.

    python tests/faults/run.py --faults 500 --seed 0 [--only build-edges,train:full] [--log faults.jsonl]

Each fault is drawn by the seed and its number: a command, a way to break it, and a moment. The command runs, is
disturbed, and is given again as it was; then every byte that it left (of a training: its weights, checkpoints and log)
is held against what an undisturbed one left. It is a loss if the second command fails, anything differs, or a file of
the user's was changed; a hang if a process stays longer than a minute (four, where it speaks to a hub) and
twenty times what it takes; unclear if it
ends in a traceback, or in failure without a word.

With --log, outcomes are kept, and the same line goes on where it was stopped. It mounts small disks, for which one must
be root or be allowed user namespaces.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from commands import COMMANDS
from sandbox import Starter, enter_own_mounts
from table import table
from trials import Outcome, Reference, make_reference, order, try_once

from pix2pix_data.console import result, say


def drawn(num: int, seed: int, only: Sequence[str]) -> list[tuple[int, str, str]]:
    """Draw so many faults, as (number, command, way); with `only`, those of some commands, ways, or command:way."""
    every = [(name, way) for name, one in COMMANDS.items() for way, count in one.weights.items() for _ in range(count)]
    random.Random(seed).shuffle(every)
    wanted = [(name, way) for name, way in every if not only or any(o in (name, way, f"{name}:{way}") for o in only)]
    if not wanted:
        sys.exit(f"no fault is one of {', '.join(only)}")
    return [(number, *wanted[number % len(wanted)]) for number in range(num)]


def read_log(path: Path | None) -> list[Outcome]:
    lines = path.read_text().splitlines() if path is not None and path.is_file() else []
    return [Outcome(**json.loads(line)) for line in lines]


def outcomes(
    faults: Sequence[tuple[int, str, str]], seed: int, jobs: int, until: float, scratch: Path
) -> Iterator[Outcome]:
    """Try faults, some at once, and give what became of each; no new one is begun after `until`."""
    names = order(sorted({name for _, name, _ in faults}))
    starters = [Starter({COMMANDS[name].line[0] for name in names}) for _ in range(jobs)]
    for starter in starters:
        starter.answer()
    references: dict[str, Reference] = {}
    for name in names:
        references[name] = make_reference(COMMANDS[name], references, scratch, starters[0])
        times = [f"{one.ended.seconds:.2f} s" for one in (references[name].whole, references[name].fork)]
        say(f"{name} takes {' as a program, '.join(times)} as a fork")
    waiting = list(reversed(faults))
    running: dict[Future[Outcome], Starter] = {}
    with ThreadPoolExecutor(jobs) as threads:
        while running or (waiting and time.monotonic() < until):
            while waiting and starters and time.monotonic() < until:
                number, name, way = waiting.pop()
                starter = starters.pop()
                running[threads.submit(try_once, number, seed, references[name], way, scratch, starter)] = starter
            for one in wait(running, return_when=FIRST_COMPLETED).done:
                starters.append(running.pop(one))
                yield one.result()
    for starter in starters:
        starter.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="commands, ways, or command:way, with commas")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no new one after so many")
    parser.add_argument("--log", type=Path, help="keep outcomes here, and go on from those that are there")
    options = parser.parse_args()
    enter_own_mounts()
    until = time.monotonic() + 60 * options.minutes
    known = read_log(options.log)
    numbers = {one.number for one in known}
    faults = [
        one
        for one in drawn(options.faults, options.seed, [*filter(None, options.only.split(","))])
        if one[0] not in numbers
    ]
    with tempfile.TemporaryDirectory(prefix="p2p-faults-") as scratch:
        for outcome in outcomes(faults, options.seed, options.jobs, until, Path(scratch)) if faults else ():
            known.append(outcome)
            if options.log is not None:
                with options.log.open("a") as log:
                    log.write(json.dumps(asdict(outcome)) + "\n")
            if not outcome.is_well:
                say(json.dumps(asdict(outcome), indent=1))
    result(table(known))
    bad = [one for one in known if not one.is_well]
    result(f"{len(known)} faults, {len(bad)} of them not well" if bad else f"{len(known)} faults, and all is well")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
