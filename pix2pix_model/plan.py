"""A recipe and its dataset in words, before anything is trained."""

from __future__ import annotations

from pathlib import Path

from pix2pix_data.dataset import PairDataset
from pix2pix_model.recipe import Recipe, to_toml
from pix2pix_model.schedule import Schedule

__all__ = ["describe", "describe_in_full"]


def describe(recipe: Recipe, dataset: PairDataset) -> str:
    """Say in one sentence what was understood."""
    splits = ", ".join(f"{num} {split}" for split, num in dataset.num_pairs.items())
    schedule = Schedule(recipe.train, dataset.num_pairs["train"])
    return (
        f"{recipe.name}: {splits} pairs of {recipe.data.path}, {recipe.data.direction} at {recipe.data.crop_size} px, "
        f"{schedule.num_steps} steps of {recipe.train.batch} ({schedule.steps_per_epoch} in an epoch)"
    )


def describe_in_full(recipe: Recipe, dataset: PairDataset, runs_dir: Path, *, resume: Path | None, new: bool) -> str:
    """Say all that a run would be: its settings, networks, device and folder. Changes nothing."""
    import torch

    from pix2pix_model.device import choose_device
    from pix2pix_model.nets import num_parameters
    from pix2pix_model.state import build_networks

    with torch.device("meta"):  # sizes without memory
        generator, discriminator = build_networks(recipe)
    device = choose_device(recipe.train.device, recipe.train.precision)
    facts = {
        "generator": f"{recipe.generator.name}, {num_parameters(generator) / 1e6:.2f} M parameters",
        "discriminator": f"{recipe.discriminator.name}, {num_parameters(discriminator) / 1e6:.2f} M parameters",
        "device": device.words,
        "samples": f"from the {'validation' if 'validation' in dataset.num_pairs else 'train'} split",
        "run": _where(recipe, dataset, runs_dir, resume=resume, new=new),
    }
    comments = "\n".join(f"# {name}: {fact}" for name, fact in facts.items())
    return f"{to_toml(recipe)}\n{comments}"


def _where(recipe: Recipe, dataset: PairDataset, runs_dir: Path, *, resume: Path | None, new: bool) -> str:
    from pix2pix_model.run_dir import find_unfinished

    if resume is not None:
        return f"would continue {resume}"
    run = None if new else find_unfinished(runs_dir, recipe, dataset.fingerprint)
    if run is None:
        return f"would start a new one in {runs_dir}"
    run.lock.release()
    return f"would continue {run.path}"
