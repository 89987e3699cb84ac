"""A recipe and its dataset in words, before anything is trained."""

from __future__ import annotations

import torch

from pix2pix_data.dataset import PairDataset
from pix2pix_data.urls import shown_place
from pix2pix_model.device import Device, choose_device
from pix2pix_model.nets import num_parameters
from pix2pix_model.pair_reader import PairReader
from pix2pix_model.recipe import Recipe
from pix2pix_model.schedule import Schedule
from pix2pix_model.state import build_networks
from pix2pix_model.views import View

__all__ = ["describe", "stretching"]

_MOST_STRETCHED = 1.1  # of one side against the other: what nobody sees need not be told


def describe(recipe: Recipe, dataset: PairDataset) -> str:
    """Say what was understood: data and steps, networks and device.

    Raises
    ------
    FormatError
        If the palette of a side that is seen as classes is not there, or a further dataset lacks keys.
    UsageError
        If the networks cannot be built, or the device is not there: before a run folder is made.
    """
    splits = ", ".join(f"{num} {split}" for split, num in dataset.num_pairs.items())
    schedule = Schedule(recipe.train, dataset.num_pairs["train"])
    with torch.device("meta"):  # sizes without memory
        generator, discriminator = (f"{num_parameters(network) / 1e6:.2f} M" for network in build_networks(recipe))
    taught = "by L1 alone" if recipe.loss.gan == "none" else f"against {recipe.discriminator.name} ({discriminator})"
    device = choose_device(recipe.train.device, recipe.train.precision)
    reader = PairReader(dataset, recipe.data)
    reader.rows("train")  # tells now which keys a further dataset lacks
    place = shown_place(recipe.data.path)
    return (
        f"{recipe.name}: {splits} pairs of {place}, {reader.sides.words} at {recipe.data.crop_size} px, "
        f"{schedule.num_steps} steps of {recipe.train.batch} ({schedule.steps_per_epoch} in an epoch)\n"
        f"{recipe.generator.name} ({generator} parameters) {taught}, on {device.words}"
        + _too_few_bits(reader.views.target, device)
    )


def _too_few_bits(target: View, device: Device) -> str:
    if target.dtype.itemsize == 1 or device.precision == "float32":
        return ""
    return f"\ncareful: 16 bits are to be made, and {device.precision} has 8 to 11: --set train.precision=float32"


def stretching(recipe: Recipe, dataset: PairDataset) -> str | None:
    """Say that pairs of another shape than the recipe's are stretched, going by the first of them; None if they fit.

    Raises
    ------
    ImageError
        If that pair cannot be decoded.
    """
    first = next(dataset.encoded_pairs("train", {0})).decode()
    height, width = first.b.shape[:2]
    load_size = recipe.data.load_size
    stretched = (load_size.width / width) / (load_size.height / height)
    if 1 / _MOST_STRETCHED <= stretched <= _MOST_STRETCHED:
        return None
    return (
        f"pairs of {width}x{height} px are stretched to {load_size.width}x{load_size.height}; to keep their shape, "
        "say data.load_size and data.crop_size as [height, width]"
    )
