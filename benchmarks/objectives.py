"""What L1 and the GAN loss each do, as in table 1 and figures 4 and 7 of the paper, small enough for two CPU cores.

    python benchmarks/objectives.py --data ../shared/data/facades --work DIR

Trains three generators, labels to photos at 64 px, that differ in their objective alone: L1, cGAN, L1+cGAN. Evaluates
them on the test photos, prints the table, and draws a sheet of the same labels by all three. Half an hour of processor
time for each training; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from pix2pix_data.dataset import open_dataset
from pix2pix_data.images import read_rgb, resize, write_png
from pix2pix_data.sheet import draw_sheet

OBJECTIVES = {"L1": ["loss.gan=none"], "cGAN": ["loss.l1=0.0"], "L1+cGAN": []}

# The recipe facades at a quarter of its size: load size in proportion, half the width and the patch, and 12,000 pairs
# seen in place of 80,000.
SMALL = ["data.load_size=72", "data.crop_size=64", "discriminator.patch=34", "generator.width=32"]
SMALL += ["discriminator.width=32", "train.batch=4", "train.epochs=20", "train.decay_epochs=20"]

SCORES = {"l1": 4, "psnr": 2, "ssim": 3, "sharpness": 4, "lab_l": 3, "lab_a": 3, "lab_b": 3, "kernel": 4}
"""Keys of evaluation.json, and how many digits of each are worth a column."""

NUM_ON_SHEET = 8


def call(module: str, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


def trained(name: str, data: Path, work: Path, steps: int) -> Path:
    """Return the run of an objective, trained to its end."""
    run_name = name.lower().replace("+", "-")
    finished = sorted(work.glob(f"runs/????-{run_name}/model"))
    if not finished:
        settings = [*SMALL, *OBJECTIVES[name], f"name={run_name}", f"data.path={data}", f"train.max_steps={steps}"]
        options = [part for setting in settings for part in ("--set", setting)]
        call("pix2pix_model", "facades", *options, "--runs", work / "runs")
        finished = sorted(work.glob(f"runs/????-{run_name}/model"))
    return finished[-1].parent


def evaluated(run: Path, data: Path) -> dict[str, dict[str, float]]:
    """Return the scores of a run on the test photos, by their keys."""
    folder = run / "evaluation-test"
    if not (folder / "evaluation.json").is_file():
        call("pix2pix_model.cli_model", "evaluate", run, "--on", data, "--split", "test", "--out", folder)
    scores: dict[str, dict[str, float]] = json.loads((folder / "evaluation.json").read_text())["scores"]
    return scores


def draw(runs: dict[str, Path], data: Path, out: Path, *, with_data: bool) -> None:
    """Draw what each generator makes of the same labels, beside labels and photo if asked for."""
    groups, keys = [], open_dataset(data).keys("test")
    chosen = {keys[i * len(keys) // NUM_ON_SHEET] for i in range(NUM_ON_SHEET)}
    for run in runs.values():
        made = run / "translated"
        if not made.is_dir():
            call("pix2pix_model.cli_model", "translate", run, data, "--split", "test", "--out", made)
    for pair in open_dataset(data).pairs("test"):
        if pair.key in chosen:
            made = [read_rgb(run / "translated" / f"{pair.key}.png") for run in runs.values()]
            sides = [resize(side, made[0].shape[1], made[0].shape[0]) for side in (pair.b, pair.a)]
            groups.append([sides[0], *made, sides[1]] if with_data else made)
    titles = ["labels", *runs, "photo"] if with_data else list(runs)
    write_png(out, draw_sheet(groups, titles, sorted(chosen)))


def main() -> None:
    parser = argparse.ArgumentParser(description="What L1 and the GAN loss each do.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/facades"), help="the facades, A|B files")
    parser.add_argument("--work", type=Path, required=True, help="for runs, evaluations and sheets")
    parser.add_argument("--steps", type=int, default=3000, help="of each training")
    options = parser.parse_args()
    runs = {name: trained(name, options.data.resolve(), options.work, options.steps) for name in OBJECTIVES}
    scores = {name: evaluated(run, options.data) for name, run in runs.items()}

    print(f"| objective | {' | '.join(SCORES)} |\n|---{'|---' * len(SCORES)}|")
    for name, of_run in scores.items():
        print(f"| {name} |", " | ".join(f"{of_run[key]['value']:.{digits}f}" for key, digits in SCORES.items()), "|")
    real = [f"{of_run[key]['real']:.{digits}f}" if "real" in of_run[key] else "" for key, digits in SCORES.items()]
    print("| real photos |", " | ".join(real), "|")
    for name, with_data in (("objectives.png", False), ("objectives-with-data.png", True)):
        draw(runs, options.data, options.work / name, with_data=with_data)
        print(f"sheet: {options.work / name}")


if __name__ == "__main__":
    main()
