"""The baseline of our speed studies: training as the authors' PyTorch code does it, written anew from its description.

What their code does, not their code: the recursive U-Net with torch's own norms, the 70 px PatchGAN, one backward pass
for each network with the discriminator frozen in between, Adam as torch gives it by default. Facts:
junyanz/pytorch-CycleGAN-and-pix2pix 2a7afba (models/networks.py, models/pix2pix_model.py), at its defaults for
`--model pix2pix`. Needs torch alone.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

__all__ = ["AuthorsTraining", "build_discriminator", "build_generator"]

_LEAK = 0.2


class _Level(nn.Module):
    """One level of the U-Net: down, what lies within, up, and the skip around all of it."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None, *, dropout: bool) -> None:
        super().__init__()
        down = [nn.LeakyReLU(_LEAK, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=False)]
        if within is not None:
            down.append(nn.BatchNorm2d(inner))
        up_from = inner if within is None else 2 * inner
        up = [nn.ReLU(True), nn.ConvTranspose2d(up_from, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*down, *([within] if within else []), *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)


def build_generator(size_px: int = 256, width: int = 64) -> nn.Module:
    """Return U-Net-256 (eight halvings) or that of another power of two, with dropout in the middle levels.

    Its weights have the names that they have in the authors' files, so that `p2p-model import` takes them.
    """
    num_halvings = size_px.bit_length() - 1
    level: nn.Module | None = None
    for _ in range(num_halvings - 4):
        level = _Level(8 * width, 8 * width, level, dropout=level is not None)
    for factor in (4, 2, 1):
        level = _Level(factor * width, 2 * factor * width, level, dropout=False)
    assert level is not None
    first = nn.Conv2d(3, width, 4, 2, 1, bias=False)
    outermost = nn.Sequential(first, level, nn.ReLU(True), nn.ConvTranspose2d(2 * width, 3, 4, 2, 1), nn.Tanh())
    return _initialised(nn.Sequential(OrderedDict(model=nn.Sequential(OrderedDict(model=outermost)))))


def build_discriminator(width: int = 64) -> nn.Module:
    """Return the 70 px PatchGAN for A and B together."""
    layers: list[nn.Module] = [nn.Conv2d(6, width, 4, 2, 1), nn.LeakyReLU(_LEAK, True)]
    for factor, stride in ((1, 2), (2, 2), (4, 1)):
        convolution = nn.Conv2d(factor * width, 2 * factor * width, 4, stride, 1, bias=False)
        layers += [convolution, nn.BatchNorm2d(2 * factor * width), nn.LeakyReLU(_LEAK, True)]
    return _initialised(nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1)))


def _initialised(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return network


class AuthorsTraining:
    """Both networks, both optimisers, and one step of theirs."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, device: torch.device) -> None:
        self.generator, self.discriminator = generator.to(device), discriminator.to(device)
        self.gan_loss, self.l1_loss = nn.BCEWithLogitsLoss(), nn.L1Loss()
        adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), **adam)
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), **adam)

    def step(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Train on pictures (N, 3, H, W) in [-1, 1]; return the four losses."""
        fake_b = self.generator(a)
        self._freeze(False)
        self.optimizer_d.zero_grad()
        loss_d_fake = self._judge(torch.cat((a, fake_b), 1).detach(), 0.0)
        loss_d_real = self._judge(torch.cat((a, b), 1), 1.0)
        ((loss_d_fake + loss_d_real) * 0.5).backward()
        self.optimizer_d.step()
        self._freeze(True)
        self.optimizer_g.zero_grad()
        loss_g_gan = self._judge(torch.cat((a, fake_b), 1), 1.0)
        loss_g_l1 = self.l1_loss(fake_b, b)
        (loss_g_gan + 100 * loss_g_l1).backward()
        self.optimizer_g.step()
        losses = {"loss_g_gan": loss_g_gan, "loss_g_l1": loss_g_l1, "loss_d_real": loss_d_real}
        return {name: loss.detach() for name, loss in (losses | {"loss_d_fake": loss_d_fake}).items()}

    def _judge(self, pair: Tensor, target: float) -> Tensor:
        logits = self.discriminator(pair)
        loss: Tensor = self.gan_loss(logits, torch.tensor(target, device=logits.device).expand_as(logits))
        return loss

    def _freeze(self, frozen: bool) -> None:
        for parameter in self.discriminator.parameters():
            parameter.requires_grad = not frozen
