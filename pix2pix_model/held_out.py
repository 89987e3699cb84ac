"""A few pairs that are looked at again and again while a run trains, and what its generator makes of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pix2pix_data.dataset import PairDataset
from pix2pix_model.color_space import COLOR_SPACES
from pix2pix_model.data import read_pair
from pix2pix_model.device import Device
from pix2pix_model.recipe import Recipe
from pix2pix_model.schedule import seed_for

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
    keys : list of str
    a, b : Tensor of shape (num, H, W, 3), uint8
        Condition and target as pixels, on the CPU.
    """

    def __init__(self, dataset: PairDataset, recipe: Recipe, *, split: str, num: int) -> None:
        total = dataset.num_pairs[split]
        num = min(num, total)
        chosen = {i * total // num for i in range(num)}
        encoded = list(dataset.encoded_pairs(split, chosen))
        self.keys = [pair.key for pair in encoded]
        pairs = [read_pair(one, recipe.data, recipe.data.crop_size) for one in encoded]
        sides = torch.from_numpy(np.stack(pairs, axis=1))  # uint8 (sides, num, H, W, 3)
        self.a, self.b = sides[0], sides[-1]
        self._space = COLOR_SPACES[recipe.data.color_space]
        self._seed = seed_for("validation", recipe.train.seed)

    def given(self, index: int, device: Device) -> Tensor:
        """Return what the generator is given of one pair, (1, in_channels, H, W), in [-1, 1]."""
        return self._space.given(self.a[index : index + 1].to(device.torch_device))

    @torch.no_grad()
    def pictures(self, generator: nn.Module, device: Device) -> Tensor:
        """Return what a generator makes of them, (num, H, W, 3), uint8, on the CPU; it works as it will once trained.

        The same weights give the same pictures, whatever was drawn before.
        """
        torch.manual_seed(self._seed)  # for networks that draw even in eval(); each training step has a seed of its own
        was_training = generator.training
        generator.eval()
        made = []
        for index in range(len(self.keys)):
            given = self.given(index, device)
            with device.autocast():
                picture = generator(given)
            made.append(self._space.picture(given, picture).cpu())
        generator.train(was_training)
        return torch.cat(made)

    def conditions(self) -> Tensor:
        """Return the conditions as the generator sees them, as pixels (num, H, W, 3)."""
        return self._space.seen(self.a)
