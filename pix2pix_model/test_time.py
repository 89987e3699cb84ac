"""How a trained generator behaves: whose statistics its norms take, and whether it draws dropout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from pix2pix_model.nets.norms import BatchNorm

__all__ = ["NormStatistics", "TestTime", "recalibrate", "set_test_time"]

NormStatistics: TypeAlias = Literal["batch", "running", "recalibrated"]

_SPOKEN: dict[NormStatistics, str] = {
    "batch": "norms take their statistics from each picture by itself, as in training with batches of one",
    "running": "norms take the running statistics of the training",
    "recalibrated": "norms take statistics that were measured anew, with the finished weights",
}


class TestTime(BaseModel):
    """What holds for a generator in eval().

    The authors take the statistics of a batch of one and leave dropout on; the defaults differ in the latter, so that
    the same picture always gives the same result.

    Attributes
    ----------
    norm_statistics : {"batch", "running", "recalibrated"}
        Those of each picture by itself; those that training kept; or those that `recalibrate` measured.
    dropout : bool
        Drop activations as in training: each run then gives another sample.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name
    model_config = ConfigDict(frozen=True, extra="forbid")
    norm_statistics: NormStatistics = "batch"
    dropout: bool = False

    def in_words(self) -> str:
        """Say it in one line, for messages and cards."""
        return f"dropout {'on' if self.dropout else 'off'}; {_SPOKEN[self.norm_statistics]}"


def set_test_time(generator: nn.Module, test_time: TestTime) -> None:
    """Put a generator into eval(), and make it behave so there."""
    generator.eval()
    for module in generator.modules():
        if isinstance(module, BatchNorm):
            module.keeps_statistics = test_time.norm_statistics != "batch"
        elif isinstance(module, nn.Dropout):
            module.train(test_time.dropout)


@torch.no_grad()
def recalibrate(generator: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the statistics of a finished generator's batch norms, in place of the running ones.

    Running statistics are averages over weights that have changed since, and with batches of one they are noisy. These
    are of the pictures given, each normalised by its own on the way, as in training.

    Parameters
    ----------
    generator : nn.Module
        Changed in its buffers; without dropout while it is measured.
    batches : iterable of Tensor of shape (N, in_channels, H, W)
        What generators are given, in [-1, 1]; a few hundred pictures suffice.

    References
    ----------
    Wu and Johnson 2021, arXiv:2105.07576, section 3 (PreciseBN).
    """
    set_test_time(generator, TestTime())
    norms = [module for module in generator.modules() if isinstance(module, BatchNorm)]
    sums = {norm: torch.zeros(3, len(norm.running_mean), dtype=torch.float64) for norm in norms}

    def add(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].double().cpu()
        moments = [torch.ones(x.shape[1]) * x.numel() / x.shape[1], x.sum((0, 2, 3)), x.square().sum((0, 2, 3))]
        sums[norm] += torch.stack([moment.double() for moment in moments])  # type: ignore[index]

    hooks = [norm.register_forward_pre_hook(add) for norm in norms]
    try:
        for batch in batches:
            generator(batch)
    finally:
        for hook in hooks:
            hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(squares / count - mean.square())
