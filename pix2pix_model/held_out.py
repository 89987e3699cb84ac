"""A few pairs that are looked at again and again while a run trains, and what its generator makes of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix_data.dataset import PairDataset
from pix2pix_model.device import Device
from pix2pix_model.pair_reader import PairReader
from pix2pix_model.recipe import Recipe
from pix2pix_model.schedule import seed_for
from pix2pix_model.views import to_tensor

__all__ = ["FixedPairs"]


class FixedPairs:
    """The same pairs of a split each time: spread evenly over it, whole, at crop size, never jittered or mirrored.

    Parameters
    ----------
    dataset : PairDataset
    recipe : Recipe
    split : str
    num : int
        How many; all of the split where it has no more.

    Attributes
    ----------
    keys, titles : list of str
        Of the pairs; and of what is given, made and real.
    b : Tensor of shape (num, H, W, 3), uint8
        The targets as pictures for the eye, on the CPU.
    """

    def __init__(self, dataset: PairDataset, recipe: Recipe, *, split: str, num: int) -> None:
        total = dataset.num_pairs[split]
        num = min(num, total)
        chosen = {i * total // num for i in range(num)}
        self._reader = PairReader(dataset, recipe.data)
        rows = list(self._reader.rows(split, chosen))
        self.keys = [row[0].key for row in rows]
        read = [self._reader.read(row, recipe.data.crop_size) for row in rows]
        self._stored = [to_tensor(np.stack(side)) for side in zip(*read, strict=True)]  # each (num, H, W, num_stored)
        self.b = self._reader.views.target.shown(self._reader.target(self._stored))
        self.titles = self._reader.sides.titles
        self._seed = seed_for("validation", recipe.train.seed)

    def given(self, index: int, device: Device) -> Tensor:
        """Return what the generator is given of one pair, (1, in_channels, H, W), in [-1, 1]."""
        return self._reader.given([side[index : index + 1].to(device.torch_device) for side in self._stored])

    @torch.no_grad()
    def pictures(self, generator: nn.Module, device: Device) -> Tensor:
        """Return what a generator makes of them, (num, H, W, 3), uint8, on the CPU; it works as it will once trained.

        The same weights give the same pictures, whatever was drawn before.
        """
        torch.manual_seed(self._seed)  # for networks that draw even in eval(); each training step has a seed of its own
        was_training = generator.training
        generator.eval()
        target, made = self._reader.views.target, []
        for index in range(len(self.keys)):
            given = self.given(index, device)
            with device.autocast():
                picture = generator(given)
            made.append(target.shown(target.made(picture, given)).cpu())
        generator.train(was_training)
        return torch.cat(made)

    def conditions(self) -> list[Tensor]:
        """Return each input as the generator sees it, as pictures for the eye, (num, H, W, 3), uint8."""
        inputs = zip(self._reader.views.inputs, self._reader.inputs(self._stored), strict=True)
        return [view.shown(stored) for view, stored in inputs]
