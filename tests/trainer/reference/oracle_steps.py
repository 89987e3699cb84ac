"""The training of both reference codes: losses, Adam and one whole step, written out. See `oracle_networks`.

In one step the two do, in this order:

- PyTorch: fake, D(fake) and D(real), half of their sum, D's update; then G learns from D judging the fake anew.
- Torch: fake, D(real) and D(fake), their whole sum, D's update; then G learns from the D(fake) of before the update.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from oracle_networks import Kept, Reference, Weights, gradient_at_input, patchgan
from torch import Tensor

Generate: TypeAlias = Callable[[Weights, Tensor], Tensor]

LAMBDA_L1 = 100.0
RATE = 2e-4
BETA1, BETA2, EPSILON = 0.5, 0.999, 1e-8


# --- losses -------------------------------------------------------------------------------------------------------


def bce_of_probabilities(logits: Tensor, target: float) -> Tensor:
    """Torch: D ends in a Sigmoid, and BCECriterion takes logarithms of what it gives.

    Its guard of 1e-12 inside the logarithms is left out; it changes nothing until D is certain to twelve digits.
    """
    probability = 1 / (1 + torch.exp(-logits))
    return -(target * torch.log(probability) + (1 - target) * torch.log(1 - probability)).mean()


def bce_of_logits(logits: Tensor, target: float) -> Tensor:
    """PyTorch: BCEWithLogitsLoss, the same from logits and exact where a probability would round to 0 or 1."""
    return (logits.clamp(min=0) - logits * target + torch.log1p(torch.exp(-logits.abs()))).mean()


def square(logits: Tensor, target: float) -> Tensor:
    """PyTorch's "lsgan": the mean squared distance of D's output from its target."""
    return ((logits - target) ** 2).mean()


def l1(fake: Tensor, real: Tensor) -> Tensor:
    return (fake - real).abs().mean()


# --- the learning rate --------------------------------------------------------------------------------------------


def learning_rate(reference: Reference, epoch: int, *, num_constant: int = 100, num_decay: int = 100) -> float:
    """Give the rate in an epoch that counts from 1: Torch never lowers it, PyTorch ends at 1/101 of it."""
    if reference == "torch":
        return RATE
    return RATE * (1 - max(0, epoch - num_constant) / (num_decay + 1))


# --- Adam ---------------------------------------------------------------------------------------------------------


@dataclass
class Adam:
    """Kingma and Ba 2015, arXiv:1412.6980, algorithm 1, which is PyTorch's.

    `optim.adam` of Torch has the form that follows there: it adds epsilon to the root of the second moment before that
    is corrected, so that epsilon counts 1 / sqrt(1 - 0.999) = 32 times as much in the first step, and less so for some
    thousand steps. With facades and networks of full width, G's first update differs by 4 % (in norm) between the two.
    `as_torch` asks for Torch's form.
    """

    as_torch: bool = False
    steps: int = 0
    first: Weights = field(default_factory=dict)
    second: Weights = field(default_factory=dict)

    def updated(self, weights: Weights, gradients: Weights, rate: float) -> Weights:
        """Return new weights; the old ones stay as they are."""
        self.steps += 1
        new = {}
        for name, weight in weights.items():
            gradient = gradients[name]
            self.first[name] = BETA1 * self.first.get(name, torch.zeros_like(weight)) + (1 - BETA1) * gradient
            self.second[name] = BETA2 * self.second.get(name, torch.zeros_like(weight)) + (1 - BETA2) * gradient**2
            mean_share, square_share = 1 - BETA1**self.steps, 1 - BETA2**self.steps
            mean, root = self.first[name] / mean_share, torch.sqrt(self.second[name] / square_share)
            epsilon = EPSILON / math.sqrt(square_share) if self.as_torch else EPSILON
            new[name] = weight - rate * mean / (root + epsilon)
        return new


# --- one step -----------------------------------------------------------------------------------------------------


@dataclass
class Training:
    """Both networks and their optimisers.

    In the Torch code all biases of convolutions are set to 0 before every evaluation of D and of G. Here such biases
    do not exist (leave them out of the weights). That is the same but for one thing: in the Torch code, G's one
    forward pass comes before that setting, so that it sees the biases of its first, innermost and last layer one
    update away from 0, which is 2e-4 or so.
    """

    reference: Reference
    generate: Generate
    g: Weights
    d: Weights
    num_patch_layers: int = 3
    conditional: bool = True
    gan: Literal["vanilla", "lsgan", "none"] = "vanilla"
    lambda_l1: float = LAMBDA_L1
    adam_g: Adam = field(default_factory=Adam)
    adam_d: Adam = field(default_factory=Adam)

    def step(self, a: Tensor, b: Tensor, *, rate: float = RATE) -> dict[str, float]:
        """Update D, then G; return the losses: of D as it was before its update, of G as that reference computes it."""
        if self.gan == "none":
            return self._step_without_discriminator(a, b, rate)
        return self._torch_step(a, b, rate) if self.reference == "torch" else self._pytorch_step(a, b, rate)

    def _step_without_discriminator(self, a: Tensor, b: Tensor, rate: float) -> dict[str, float]:
        g = _leaves(self.g)
        loss_l1 = l1(self.generate(g, a), b)
        self.g = self.adam_g.updated(self.g, _gradients(self.lambda_l1 * loss_l1, g), rate)
        return _numbers(loss_l1=loss_l1)

    def _pytorch_step(self, a: Tensor, b: Tensor, rate: float) -> dict[str, float]:
        g, d = _leaves(self.g), _leaves(self.d)
        fake = self.generate(g, a)
        loss_fake = self._gan(self._judged(d, a, fake.detach()), 0.0)
        loss_real = self._gan(self._judged(d, a, b), 1.0)
        self.d = self.adam_d.updated(self.d, _gradients(0.5 * (loss_fake + loss_real), d), rate)

        loss_gan, loss_l1 = self._gan(self._judged(self.d, a, fake), 1.0), l1(fake, b)
        self.g = self.adam_g.updated(self.g, _gradients(loss_gan + self.lambda_l1 * loss_l1, g), rate)
        return _numbers(loss_real=loss_real, loss_fake=loss_fake, loss_gan=loss_gan, loss_l1=loss_l1)

    def _torch_step(self, a: Tensor, b: Tensor, rate: float) -> dict[str, float]:
        """Update as the Torch code does, where G's gradient comes from a D that never was.

        The logits that the loss of G is taken at, and its gradient there, are those of D before its update. From there
        the gradient goes back through modules that still hold the activations and the batch statistics of that forward
        pass, but read their weights after the update. So each linear map in the chain is the new one, and each slope
        (of the leaky ReLUs, the norms, the Sigmoid) the old one. That is the gradient of no function; the simultaneous
        update (old weights throughout) and the fresh judgement (new throughout) both differ from it by terms of the
        order of the learning rate.

        With autograd it can be had exactly: let the update change the weights' storage without autograd's notice
        (through `.data`) between D's forward pass on the undetached fake and the backward pass from it, for the
        backward of a convolution or a norm keeps its activations and reads its weights when it runs.
        """
        g, d = _leaves(self.g), _leaves(self.d)
        fake = self.generate(g, a)
        kept: list[Kept] = []
        loss_real = self._gan(self._judged(d, a, b), 1.0)
        logits = self._judged(d, a, fake.detach(), keep=kept)
        loss_fake = self._gan(logits, 0.0)
        self.d = self.adam_d.updated(self.d, _gradients(loss_real + loss_fake, d), rate)

        stale = logits.detach().requires_grad_()
        loss_gan, loss_l1 = self._gan(stale, 1.0), l1(fake, b)
        with torch.no_grad():
            at_logits = torch.autograd.grad(loss_gan, stale)[0]
            at_input = gradient_at_input(self.d, kept, at_logits)
            at_fake = at_input[:, -fake.shape[1] :] + self.lambda_l1 * torch.sign(fake - b) / fake.numel()
        gradients = torch.autograd.grad(fake, list(g.values()), grad_outputs=at_fake)
        self.g = self.adam_g.updated(self.g, dict(zip(g, gradients, strict=True)), rate)
        return _numbers(loss_real=loss_real, loss_fake=loss_fake, loss_gan=loss_gan, loss_l1=loss_l1)

    def _gan(self, logits: Tensor, target: float) -> Tensor:
        if self.gan == "lsgan":
            return square(logits, target)
        return (bce_of_probabilities if self.reference == "torch" else bce_of_logits)(logits, target)

    def _judged(self, d: Weights, a: Tensor, target: Tensor, *, keep: list[Kept] | None = None) -> Tensor:
        seen = torch.cat([a, target], dim=1) if self.conditional else target
        return patchgan(d, seen, num=self.num_patch_layers, keep=keep)


def _leaves(weights: Weights) -> Weights:
    return {name: weight.detach().requires_grad_() for name, weight in weights.items()}


def _gradients(loss: Tensor, leaves: Weights) -> Weights:
    gradients = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    return dict(zip(leaves, gradients, strict=True))


def _numbers(**losses: Tensor) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in losses.items()}
