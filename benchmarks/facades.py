"""The facades of the paper at its full size: our training beside one written as the authors' PyTorch code does it.

    python benchmarks/facades.py --data ../shared/data/facades --work DIR

Both train for 200 epochs on labels to photos at 256 px, on the same device. Both generators then translate the 106 test
photos and are evaluated alike: L1, SSIM, kernel distance on fixed features, and an FCN-score by a network trained on
the real pairs. Prints the table; the sheets to lay side by side are in the two `translated` folders. For a GPU: on two
CPU cores the two trainings take a day each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from authors_dataset import AuthorsDataset
from authors_style import AuthorsTraining, build_discriminator, build_generator

SCORES = ("l1", "psnr", "ssim", "sharpness", "lab_l", "lab_a", "lab_b", "kernel", "frechet")


def call(module: str, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


def train_ours(data: Path, work: Path, epochs: int) -> Path:
    runs = work / "runs"
    if not list(runs.glob("*-facades/model")):
        half = epochs // 2
        settings = [f"data.path={data}", f"train.epochs={half}", f"train.decay_epochs={epochs - half}"]
        call("pix2pix_model", "facades", *(part for one in settings for part in ("--set", one)), "--runs", runs)
    return sorted(runs.glob("*-facades/model"))[-1].parent


def train_authors_style(data: Path, work: Path, epochs: int) -> Path:
    """Train, then take the weights in by `p2p-model import`, as those of the authors' own files would be."""
    folder = work / "authors-style"
    if not (folder / "model" / "config.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        training = AuthorsTraining(build_generator(), build_discriminator(), device)
        pairs = AuthorsDataset(sorted((data / "train").iterdir()))
        loader = torch.utils.data.DataLoader(pairs, batch_size=1, shuffle=True, num_workers=4)
        half, start = epochs // 2, time.monotonic()
        for epoch in range(1, epochs + 1):
            rate = 2e-4 * (1 - max(0, epoch - half) / (epochs - half + 1))
            for optimizer in (training.optimizer_g, training.optimizer_d):
                for group in optimizer.param_groups:
                    group["lr"] = rate
            for photo, labels in loader:
                losses = training.step(labels.to(device), photo.to(device))
            told = ", ".join(f"{name} {value.item():.3f}" for name, value in losses.items())
            print(f"authors' style: epoch {epoch}/{epochs}, {time.monotonic() - start:.0f} s, {told}", flush=True)
        torch.save(training.generator.cpu().state_dict(), folder / "latest_net_G.pth")
        options = ("--direction", "BtoA", "--size", "256", "--out", folder / "model")
        call("pix2pix_model.cli_model", "import", folder / "latest_net_G.pth", *options)
    return folder / "model"


def scores_of(model: Path, data: Path, out: Path, *, fcn: bool) -> dict[str, dict[str, float]]:
    if not (out / "evaluation.json").is_file():
        judged = ("--on", data, "--split", "test", *(("--segmenter", "train", "--palette", "facades") if fcn else ()))
        call("pix2pix_model.cli_model", "evaluate", model, *judged, "--out", out)
        call("pix2pix_model.cli_model", "translate", model, data, "--split", "test", "--out", out / "translated")
    scores: dict[str, dict[str, float]] = json.loads((out / "evaluation.json").read_text())["scores"]
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description="Facades, ours beside the authors' way.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/facades"), help="the facades, A|B files")
    parser.add_argument("--work", type=Path, required=True, help="for runs and evaluations")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument(
        "--no-fcn", action="store_true", help="leave out the FCN-score: its network takes long on a CPU"
    )
    options = parser.parse_args()
    data, work = options.data.resolve(), options.work
    models = {"ours": train_ours(data, work, options.epochs)}
    models["authors' style"] = train_authors_style(data, work, options.epochs)
    scores = {
        name: scores_of(model, data, work / f"evaluation-{i}", fcn=not options.no_fcn)
        for i, (name, model) in enumerate(models.items())
    }
    keys = [*SCORES, *(key for key in scores["ours"] if key not in SCORES)]
    print(f"| | {' | '.join(scores)} | real photos |\n|---|{'---|' * (len(scores) + 1)}")
    for key in keys:
        if all(key in of_model for of_model in scores.values()):
            values = [of_model[key].get("value") for of_model in scores.values()] + [scores["ours"][key].get("real")]
            print(f"| {key} |", " | ".join("-" if value is None else f"{value:.4f}" for value in values), "|")


if __name__ == "__main__":
    main()
