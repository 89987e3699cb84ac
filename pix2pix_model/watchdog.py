"""Names what goes wrong in a run while there is still time: each cause once, in one line, with what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import Tensor, nn

from pix2pix_data.console import say
from pix2pix_model.device import Device
from pix2pix_model.held_out import FixedPairs
from pix2pix_model.symptoms import constant_bottleneck, fits_any, spread_between, spread_within

__all__ = ["Watchdog"]

_CERTAIN = 0.01
"""Mean loss under which a discriminator is certain of nearly every patch, whichever the kind of loss.

Runs whose owners reported that it had won showed 0.001 and less (junyanz/pytorch-CycleGAN-and-pix2pix, issues 858, 910
and 1479).
"""
_LOADING = 0.5  # share of the time that goes into batches
_FLAT, _SAME = 0.05, 0.05
"""Parts of what the real pictures vary by, within and between them; in recipes/quickstart.toml 0.37 and more."""
_LEAST_SPREAD = 2.0  # in levels: real pictures that differ less from each other say nothing about the made ones
_LEAST_PAIRS = 4
_FIRST_STEP = 500  # before it, a generator shows all of these because it has learned nothing yet
_NUM_LOGS, _NUM_MEASUREMENTS = 10, 2  # how often in a row a thing is seen before it is told

# cause: (what is wrong, what to do)
_WORDS = {
    "discriminator": (
        "the discriminator has won: its loss stays under 0.01, so L1 alone still teaches the generator",
        "make discriminator.width or patch smaller, or set discriminator.spectral_norm or train.diff_augment",
    ),
    "loading": (
        "training waits for pixels: over half of the time goes into making batches",
        "make data.load_size smaller, or free memory for the decoded pairs",
    ),
    "flat": (
        "the output has collapsed to flat pictures",
        "lower train.learning_rate, and keep loss.l1 well above 0",
    ),
    "same": (
        "the output has collapsed to one picture for every input",
        "lower train.learning_rate, keep loss.l1 well above 0, and look at the pairs with p2p-data check",
    ),
    "ignored": (
        "the input is ignored: what is made of it is no nearer to its own target than to those of others",
        "look for pairs that do not belong together with p2p-data check, and keep loss.conditional",
    ),
    "bottleneck": (
        "the bottleneck is dead: {layer} gives the same for every picture",
        "have no norm where a picture is one pixel, and lower train.learning_rate, which can kill rectifiers",
    ),
}


class Watchdog:
    """Looks at what is logged and measured anyway.

    Parameters
    ----------
    pairs : FixedPairs or None
        The pairs that are measured, None where none are: then only the losses are looked at.
    """

    def __init__(self, pairs: FixedPairs | None) -> None:
        self._pairs = pairs
        self._in_a_row: Counter[str] = Counter()
        self._told: set[str] = set()

    def look_at_log(self, values: Mapping[str, float]) -> None:
        """Look at the means of a logged step, by their names in metrics.jsonl."""
        if "loss_d_real" in values:  # not with L1 alone
            loss_d = (values["loss_d_real"] + values["loss_d_fake"]) / 2
            self._saw("discriminator", loss_d < _CERTAIN, _NUM_LOGS)
        self._saw("loading", values["data_share"] > _LOADING, _NUM_LOGS)

    def look_at_generator(self, generator: nn.Module, pictures: Tensor, device: Device, *, step: int) -> None:
        """Look at a generator measured after `step` steps, and at what it made, (num, H, W, 3), uint8."""
        assert self._pairs is not None
        real = self._pairs.b
        if len(real) < _LEAST_PAIRS or spread_between(real) < _LEAST_SPREAD:
            return
        layer = constant_bottleneck(generator, [self._pairs.given(i, device) for i in range(_LEAST_PAIRS)], device)
        self._saw("bottleneck", layer is not None, _NUM_MEASUREMENTS, layer=layer or "")
        if step < _FIRST_STEP:
            return
        flat = spread_within(pictures) < _FLAT * spread_within(real)
        same = not flat and spread_between(pictures) < _SAME * spread_between(real)
        self._saw("flat", flat, _NUM_MEASUREMENTS)
        self._saw("same", same, _NUM_MEASUREMENTS)
        self._saw("ignored", not flat and not same and fits_any(pictures, real), _NUM_MEASUREMENTS)

    def _saw(self, cause: str, is_there: bool, patience: int, *, layer: str = "") -> None:
        self._in_a_row[cause] = self._in_a_row[cause] + 1 if is_there else 0
        if self._in_a_row[cause] >= patience and cause not in self._told:
            self._told.add(cause)
            what, remedy = _WORDS[cause]
            say(f"careful: {what.format(layer=layer)}; {remedy}")
