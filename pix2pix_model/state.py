"""What a run carries from step to step: what a continued run needs, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pix2pix_model.color_space import COLOR_SPACES
from pix2pix_model.device import Device
from pix2pix_model.nets import DISCRIMINATORS, GENERATORS, DiscriminatorSpec, GeneratorSpec, initialise, limit_gains
from pix2pix_model.recipe import Recipe, TrainSettings
from pix2pix_model.schedule import seed_for

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
    """

    device: Device
    generator: nn.Module
    discriminator: nn.Module
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    means: Means = field(default_factory=Means)
    step: int = 0

    def set_learning_rate(self, learning_rate: float) -> None:
        for optimizer in (self.optimizer_g, self.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate


def generator_spec(recipe: Recipe) -> GeneratorSpec:
    """Say what a recipe's generator is built from."""
    settings, space = recipe.generator, COLOR_SPACES[recipe.data.color_space]
    return GeneratorSpec(
        size_px=recipe.data.crop_size.common,
        in_channels=space.in_channels,
        out_channels=space.out_channels,
        width=settings.width,
        blocks=settings.blocks,
        norm=settings.norm,
        upsample=settings.upsample,
        dropout=settings.dropout,
        dropout_at=settings.dropout_at,
    )


def build_networks(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """Build generator and discriminator with their first weights, on torch's default device."""
    spec = generator_spec(recipe)
    torch.manual_seed(seed_for("weights", recipe.train.seed))
    generator = GENERATORS.get(recipe.generator.name)(spec)
    settings = recipe.discriminator
    judged = DiscriminatorSpec(
        size_px=recipe.data.crop_size.shorter,
        in_channels=spec.in_channels + spec.out_channels,
        width=settings.width,
        patch=settings.patch,
        scales=settings.scales,
        norm=settings.norm,
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
    return TrainState(
        device=device,
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
