"""Plant faults in real pairs and count what `p2p-data check` finds: fault x recall x false alarms.

Each fault is planted in every kind of dataset that it makes sense in: labels and photos (facades), strokes and photos
(edges of shoes, edges of BSDS), gray and photos (colorize of BSDS). Datasets are drawn anew from the clean pairs for
each trial, side-by-side PNG files but where the fault needs another format. Two figures are told: the share of the
datasets in which the finding was made, and, where a fault is in single pairs, the share of these that were named.

The datasets of strokes and gray are built first, with p2p-data, into --work.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pix2pix_data.check import check_dataset
from pix2pix_data.dataset import open_dataset
from pix2pix_data.findings import CheckResult

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

    Sides = tuple[RGB, RGB]

SHARE = 1 / 6  # of the pairs, where a fault is in single pairs; no more than the ten that a finding names
NUM_PAIRS = 40
HELD_OUT = 10


@dataclass(frozen=True)
class Fault:
    """What is planted, and by which findings it counts as caught.

    `spoil` takes the sides of a pair and a generator, and returns the spoilt sides, or the bytes of a whole file.
    """

    name: str
    kinds: tuple[str, ...]
    spoil: Callable[[RGB, RGB, np.random.Generator], Sides | bytes]
    in_single_pairs: bool = False
    sets: tuple[str, ...] = ("facades", "shoes", "bsds", "gray")
    leaks: bool = False  # spoilt pairs are copies of training pairs in another split


# --- faults -------------------------------------------------------------------------------------------------------


def shifted(a: RGB, b: RGB, right: int, down: int) -> Sides:
    """Cut both sides so that B lies shifted against A, and no pixel is made up."""
    height, width = a.shape[:2]
    rows, columns = height - abs(down), width - abs(right)
    top_a, left_a = max(0, -down), max(0, -right)
    top_b, left_b = max(0, down), max(0, right)
    return (
        np.ascontiguousarray(a[top_a : top_a + rows, left_a : left_a + columns]),
        np.ascontiguousarray(b[top_b : top_b + rows, left_b : left_b + columns]),
    )


def shifted_by(length_px: float) -> Callable[[RGB, RGB, np.random.Generator], Sides]:
    def spoil(a: RGB, b: RGB, rng: np.random.Generator) -> Sides:
        turn = rng.uniform(0, 2 * np.pi)
        return shifted(a, b, round(length_px * np.cos(turn)), round(length_px * np.sin(turn)))

    return spoil


def jpeg(a: RGB, b: RGB, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.concatenate([a, b], axis=1)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def smeared(picture: RGB, rng: np.random.Generator) -> RGB:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=int(rng.integers(70, 96)))
    return np.asarray(Image.open(file))


def resized_when_joined(a: RGB, b: RGB, rng: np.random.Generator) -> Sides:
    joined = Image.fromarray(np.concatenate([a, b], axis=1))
    width = int(rng.integers(150, 220))
    small = np.asarray(joined.resize((2 * width, width), Image.Resampling.BILINEAR))
    return small[:, :width], small[:, width:]


def off_centre(a: RGB, b: RGB, columns: int) -> Sides:
    joined = np.concatenate([a, b], axis=1)
    width = a.shape[1]
    joined = np.concatenate([joined[:, columns:], np.repeat(joined[:, -1:], columns, axis=1)], axis=1)
    return joined[:, :width], joined[:, width:]


def blank(a: RGB, b: RGB, rng: np.random.Generator) -> Sides:
    color = rng.integers(0, 256, 3).astype(np.uint8)
    return (np.broadcast_to(color, a.shape).copy(), b) if rng.random() < 0.5 else (a, np.broadcast_to(color, b.shape))


def framed(a: RGB, b: RGB, _: np.random.Generator) -> Sides:
    b = b.copy()
    b[:6] = b[-9:] = 0
    return a, b


def recoded(a: RGB, b: RGB, rng: np.random.Generator) -> bytes:
    return jpeg(a, b, int(rng.integers(60, 90)))


FAULTS = (
    *(Fault(f"all shifted by {px} px", ("shifted-sides",), shifted_by(px)) for px in (2, 5, 35)),
    Fault("one in six shifted by 5 px", ("shifted-pairs",), shifted_by(5), in_single_pairs=True),
    Fault("one in six shifted by 35 px", ("shifted-pairs",), shifted_by(35), in_single_pairs=True),
    Fault("B mirrored, all pairs", ("mirrored-sides",), lambda a, b, _: (a, b[:, ::-1])),
    Fault("B upside down, all pairs", ("mirrored-sides",), lambda a, b, _: (a, b[::-1])),
    Fault("B mirrored, one in six", ("mirrored-pairs",), lambda a, b, _: (a, b[:, ::-1]), in_single_pairs=True),
    Fault("sides swapped, all pairs", ("photos-on-a",), lambda a, b, _: (b, a)),
    Fault("sides swapped, one in six", ("swapped-sides",), lambda a, b, _: (b, a), in_single_pairs=True),
    Fault("A the same as B, one in six", ("identical-sides",), lambda _, b, __: (b, b), in_single_pairs=True),
    Fault("a blank side, one in six", ("blank-sides",), blank, in_single_pairs=True),
    Fault("the same pair in two splits", ("leaked-pairs",), lambda a, b, _: (a, b), leaks=True, in_single_pairs=True),
    Fault("a pair in two splits, coded anew", ("near-leaks",), recoded, leaks=True, in_single_pairs=True),
    Fault(
        "labels saved as JPEG",
        ("smeared-labels",),
        lambda a, b, rng: (smeared(a, rng), b),
        in_single_pairs=True,
        sets=("classes",),
    ),
    Fault(
        "joined as JPEG, seam within a block", ("jpeg-across-seam",), lambda a, b, _: jpeg(a[:, 2:-2], b[:, 2:-2], 85)
    ),
    Fault("resized after joining, bilinear", ("seam-bleed",), resized_when_joined),
    *(
        Fault(
            f"seam {px} px off the middle",
            ("seam-off-centre", "shifted-sides"),
            lambda a, b, _, px=px: off_centre(a, b, px),
        )
        for px in (3, 8)
    ),
    Fault("a black frame around B", ("constant-borders",), framed),
)


# --- datasets -----------------------------------------------------------------------------------------------------


def clean_sets(data: Path, work: Path) -> dict[str, list[Sides]]:
    """Read the clean pairs of each kind, A on the left as makers put it."""
    made = {
        "shoes": ("edges", data / "shoes"),
        "bsds": ("edges", data / "bsds500/images/test"),
        "gray": ("colorize", data / "bsds500/images/test"),
        "classes": ("kmeans", data / "bsds500/images/test"),
    }
    sets = {
        "facades": [(pair.b, pair.a) for split in ("train",) for pair in open_dataset(data / "facades").pairs(split)]
    }
    for name, (maker, photos) in made.items():
        if not (work / name / "build.json").is_file():
            command = [
                sys.executable,
                "-m",
                "pix2pix_data",
                maker,
                str(photos),
                "--out",
                str(work / name),
                "--lossless",
            ]
            subprocess.run(command, check=True)
        sets[name] = [(pair.a, pair.b) for pair in open_dataset(work / name).pairs("train")]
    return sets


def planted(pairs: Sequence[Sides], fault: Fault | None, folder: Path, seed: Sequence[int]) -> set[str]:
    """Write a dataset with a fault, and return the names of the pairs that have it."""
    rng = np.random.default_rng(seed)
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[: NUM_PAIRS + HELD_OUT]]
    names = [f"train/{i:03d}" for i in range(len(chosen) - HELD_OUT)]
    names += [f"validation/{i:03d}" for i in range(HELD_OUT)]
    spoilt = set() if fault is None else {*names}
    if fault is not None and fault.leaks:
        spoilt = {*names[-HELD_OUT:]}
    elif fault is not None and fault.in_single_pairs:
        spoilt = {names[i] for i in rng.choice(len(names), round(SHARE * len(names)), replace=False)}
    for i, (name, (a, b)) in enumerate(zip(names, chosen, strict=True)):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if fault is not None and name in spoilt:
            # What is in all pairs is in all of them alike: one direction, one size.
            draws = rng if fault.in_single_pairs else np.random.default_rng(seed)
            a, b = chosen[i - NUM_PAIRS] if fault.leaks else (a, b)
            outcome = fault.spoil(a, b, draws)
            if isinstance(outcome, bytes):
                path.with_suffix(".jpg").write_bytes(outcome)
                continue
            a, b = outcome
        Image.fromarray(np.concatenate([a, b], axis=1)).save(path, compress_level=1)
    return spoilt


# --- tables -------------------------------------------------------------------------------------------------------


def checked(pairs: Sequence[Sides], fault: Fault | None, seed: Sequence[int]) -> tuple[CheckResult, set[str]]:
    with TemporaryDirectory() as folder:
        spoilt = planted(pairs, fault, Path(folder), seed)
        return check_dataset(Path(folder), workers=1), spoilt


def fault_table(sets: dict[str, list[Sides]], trials: int, only: str) -> Iterator[str]:
    seeds = {name: [(i, trial) for trial in range(trials)] for i, name in enumerate(sets)}
    clean = [checked(pairs, None, seed)[0] for name, pairs in sets.items() for seed in seeds[name]]
    errors = [one.kind for result in clean for one in result.findings if one.severity == "error"]
    yield f"{len(clean)} clean datasets, {len(errors)} errors found in them {errors or ''}\n"
    yield "| fault | finding | datasets in which it is found | pairs that are named | false alarms, datasets | pairs |"
    yield "|---|---|---|---|---|---|"
    for name, faults in grouped().items():
        if only not in name:
            continue
        caught, named, kinds = [], [], faults[0].kinds
        for fault in faults:
            for set_name in fault.sets:
                for seed in seeds[set_name]:
                    result, spoilt = checked(sets[set_name], fault, seed)
                    names = names_in(result, kinds)
                    caught.append(any(one.kind in kinds for one in result.findings))
                    named.append(len(names & spoilt) / len(spoilt))
                    if not caught[-1] or (fault.in_single_pairs and named[-1] < 0.9):
                        print(f"  missed: {fault.name}, {set_name}, seed {seed}: {named[-1]:.2f}", file=sys.stderr)
        false = [one for result in clean for one in result.findings if one.kind in kinds]
        pairs_found = f"{100 * np.mean(named):.1f} %" if faults[0].in_single_pairs else "all"
        wrong = 100 * sum(one.count for one in false) / (len(clean) * (NUM_PAIRS + HELD_OUT))
        wrong_pairs = f"{wrong:.1f} %" if faults[0].in_single_pairs else ""
        yield (
            f"| {name} | {', '.join(kinds)} | {sum(caught)} of {len(caught)} | {pairs_found} "
            f"| {len(false)} of {len(clean)} | {wrong_pairs} |"
        )


def grouped() -> dict[str, list[Fault]]:
    """Put the faults of one name, such as shifts in four directions, together."""
    groups: dict[str, list[Fault]] = {}
    for fault in FAULTS:
        groups.setdefault(fault.name, []).append(fault)
    return groups


def names_in(result: CheckResult, kinds: Sequence[str]) -> set[str]:
    return {name for one in result.findings if one.kind in kinds for names in one.examples for name in names}


def clean_table(data: Path, work: Path) -> Iterator[str]:
    yield "| clean set, whole | pairs | errors | warnings |"
    yield "|---|---|---|---|"
    for folder in (data / "facades", data / "cityscapes", data / "photo_edges_shoes", work / "shoes"):
        result = check_dataset(folder, workers=1)
        told: defaultdict[str, list[str]] = defaultdict(list)
        for one in result.findings:
            if one.severity != "note":
                told[one.severity].append(f"{one.kind} ({one.count})")
        yield (
            f"| {folder.name} | {result.facts.num_looked_at} | {', '.join(told['error']) or 'none'} "
            f"| {', '.join(told['warning']) or 'none'} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, required=True, help="Where the datasets are built, and found again.")
    parser.add_argument("--trials", type=int, default=1, help="Datasets of each kind for each fault.")
    parser.add_argument("--only", default="", metavar="TEXT", help="Faults whose name holds this.")
    asked = parser.parse_args()
    for line in fault_table(clean_sets(asked.data, asked.work), asked.trials, asked.only):
        print(line, flush=True)
    print()
    for line in clean_table(asked.data, asked.work):
        print(line, flush=True)


if __name__ == "__main__":
    main()
