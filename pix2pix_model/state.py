"""What a run carries from step to step: what a continued run needs, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pix2pix_model.best import Best
from pix2pix_model.device import Device
from pix2pix_model.nets import DISCRIMINATORS, GENERATORS, DiscriminatorSpec, GeneratorSpec, initialise, limit_gains
from pix2pix_model.recipe import Recipe, TrainSettings
from pix2pix_model.schedule import seed_for
from pix2pix_model.sides import sides_of

__all__ = ["Means", "TrainState", "build_networks", "build_state", "generator_spec"]

_FUSED_ON = ("cpu", "cuda", "mps")  # the fused update saves a tenth to a quarter of a step on a CPU


class Means:
    """Means of the losses since the last logged step, summed on the device so that no step waits for it."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._num_steps = 0

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._num_steps += 1

    def take(self) -> dict[str, float]:
        """Return the means and begin anew; waits for the device."""
        means = {name: float(total) / self._num_steps for name, total in self._sums.items()}
        self._sums, self._num_steps = {}, 0
        return means

    def to_json(self) -> dict[str, float]:
        return {"num_steps": self._num_steps} | {name: float(total) for name, total in self._sums.items()}

    def load_json(self, saved: dict[str, float], device: torch.device) -> None:
        sums = dict(saved)
        self._num_steps = int(sums.pop("num_steps"))
        self._sums = {name: torch.tensor(total, device=device) for name, total in sums.items()}


@dataclass(slots=True)
class TrainState:
    """The state of a run after `step` steps.

    There is no state of random numbers in it: all draws are functions of (seed, step).

    Attributes
    ----------
    average : nn.Module or None
        The generator with averaged weights, where the recipe asks for one (`train.ema`).
    """

    device: Device
    generator: nn.Module
    discriminator: nn.Module
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: nn.Module | None = None
    means: Means = field(default_factory=Means)
    step: int = 0
    best: Best | None = None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All networks by name: generator, discriminator, and average where there is one."""
        averaged = {} if self.average is None else {"average": self.average}
        return {"generator": self.generator, "discriminator": self.discriminator, **averaged}

    @property
    def finished(self) -> nn.Module:
        """The generator as it would be used if training ended here: the averaged one, where there is one."""
        return self.generator if self.average is None else self.average

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the averaged weights towards those of the generator; the first steps count more, as they know little.

        References
        ----------
        Yazici et al. 2019, arXiv:1806.04498; the ramp (1 + step) / (10 + step) is that of TensorFlow's
        ExponentialMovingAverage.
        """
        if self.average is None:
            return
        weight = 1 - min(decay, (1 + self.step) / (10 + self.step))
        averaged, latest = list(self.average.state_dict().values()), list(self.generator.state_dict().values())
        torch._foreach_lerp_(averaged, latest, weight)

    def set_learning_rate(self, learning_rate: float) -> None:
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):  # where a captured step reads it
                    group["lr"].fill_(learning_rate)
                else:
                    group["lr"] = learning_rate


def generator_spec(recipe: Recipe) -> GeneratorSpec:
    """Say what a recipe's generator is built from."""
    settings, sides = recipe.generator, sides_of(recipe.data)
    return GeneratorSpec(
        size_px=recipe.data.crop_size.common,
        in_channels=sides.in_channels,
        out_channels=sides.target.channels,
        width=settings.width,
        blocks=settings.blocks,
        norm=settings.norm,
        upsample=settings.upsample,
        dropout=settings.dropout,
        dropout_at=settings.dropout_at,
        bias=settings.bias,
    )


def build_networks(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """Build generator and discriminator with their first weights, on torch's default device."""
    spec = generator_spec(recipe)
    torch.manual_seed(seed_for("weights", recipe.train.seed))
    generator = GENERATORS.get(recipe.generator.name)(spec)
    settings = recipe.discriminator
    judged = DiscriminatorSpec(
        size_px=recipe.data.crop_size.shorter,
        in_channels=spec.out_channels + (spec.in_channels if recipe.loss.conditional else 0),
        width=settings.width,
        patch=settings.patch,
        scales=settings.scales,
        norm=settings.norm,
        bias=settings.bias,
    )
    discriminator = DISCRIMINATORS.get(settings.name)(judged)
    initialise(generator)
    initialise(discriminator)
    if settings.spectral_norm:
        limit_gains(discriminator)
    return generator, discriminator


def build_state(recipe: Recipe, device: Device) -> TrainState:
    """Build the state before the first step."""
    generator, discriminator = (network.to(device.torch_device) for network in build_networks(recipe))
    average = copy.deepcopy(generator).eval().requires_grad_(False) if recipe.train.ema else None
    return TrainState(
        device=device,
        average=average,
        generator=generator,
        discriminator=discriminator,
        optimizer_g=_adam(generator, recipe.train, device),
        optimizer_d=_adam(discriminator, recipe.train, device),
        scaler=torch.amp.GradScaler(device.torch_device.type, enabled=device.precision == "fp16"),
    )


def _adam(network: nn.Module, settings: TrainSettings, device: Device) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        network.parameters(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        fused=device.torch_device.type in _FUSED_ON,
    )
