"""How good the generator is on pairs that it does not train on, measured while it trains."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from pix2pix_data.dataset import PairDataset
from pix2pix_model.best import Best
from pix2pix_model.device import Device
from pix2pix_model.held_out import FixedPairs
from pix2pix_model.metrics import l1, psnr, ssim
from pix2pix_model.recipe import Recipe

__all__ = ["Measured", "Validation"]

_HIGHEST_PSNR_DB = 100.0
"""What a picture without any fault counts as; one with a single level wrong in a channel has 101 dB at 256 px."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement.

    Attributes
    ----------
    values : dict of str to float
        Means over the pairs: val_l1 in [0, 1] (half the L1 of the loss, whose range is [-1, 1]), val_psnr in dB,
        val_ssim.
    pictures : Tensor of shape (num, H, W, 3), uint8
        What the generator made.
    """

    values: dict[str, float]
    pictures: Tensor


class Validation:
    """Measures a generator on a fixed part of the validation split: the same pairs each time, whole, without dropout.

    Parameters
    ----------
    dataset : PairDataset
        Without a validation split nothing is measured.
    recipe : Recipe

    Attributes
    ----------
    pairs : FixedPairs or None
        None where nothing is measured.
    """

    def __init__(self, dataset: PairDataset, recipe: Recipe) -> None:
        self._settings = recipe.validation
        self.pairs: FixedPairs | None = None
        if "validation" in dataset.num_pairs and self._settings.every:
            self.pairs = FixedPairs(dataset, recipe, split="validation", num=self._settings.num_pairs)

    @property
    def num_pairs(self) -> int:
        return len(self.pairs.keys) if self.pairs else 0

    def is_due(self, step: int, *, is_last: bool) -> bool:
        """Say whether to measure after `step` steps."""
        return self.pairs is not None and (is_last or step % self._settings.every == 0)

    def measure(self, generator: nn.Module, device: Device) -> Measured:
        """Measure a generator in eval(), picture by picture."""
        assert self.pairs is not None
        made = self.pairs.pictures(generator, device)
        measures = []
        for own, real in zip(made, self.pairs.b, strict=True):  # one by one, for memory
            pair = own[None].to(device.torch_device), real[None].to(device.torch_device)
            measures.append((l1(*pair), psnr(*pair).clamp(max=_HIGHEST_PSNR_DB), ssim(*pair)))
        means = (float(sum(column)) / len(measures) for column in zip(*measures, strict=True))
        return Measured(dict(zip(("val_l1", "val_psnr", "val_ssim"), means, strict=True)), made)

    def best(self, best: Best | None, step: int, measured: Measured) -> Best:
        """Return the better of the best so far and of what was measured after `step` steps."""
        metric = self._settings.best
        latest = Best(step, metric, measured.values[metric], self.num_pairs)
        if best is None or (best.metric, best.num_pairs) != (metric, self.num_pairs):  # measured otherwise before
            return latest
        return best.or_better(latest)
