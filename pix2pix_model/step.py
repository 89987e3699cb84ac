"""One training step: the discriminator, then the generator."""

from __future__ import annotations

import torch
from torch import Tensor

from pix2pix_model.data import Batch
from pix2pix_model.losses import GAN_LOSSES, l1_loss
from pix2pix_model.recipe import LossSettings
from pix2pix_model.state import TrainState

__all__ = ["train_step"]


def train_step(state: TrainState, batch: Batch, loss: LossSettings) -> dict[str, Tensor]:
    """Update both networks once on a batch.

    Parameters
    ----------
    state : TrainState
        Its networks, optimisers and loss scaler are changed; `state.step` is the caller's to raise.
    batch : Batch
    loss : LossSettings

    Returns
    -------
    dict of str to Tensor
        Detached scalars on the device: loss_g_gan, loss_g_l1, loss_d_real, loss_d_fake, and d_accuracy, the share of
        patches that the discriminator judged rightly. Reading one of them waits for the device.
    """
    gan, a, b = GAN_LOSSES[loss.gan], batch.a, batch.b
    generator, discriminator, scaler = state.generator, state.discriminator, state.scaler

    with state.device.autocast():
        fake_b = generator(a)  # (N, out_channels, H, W)
        # Two passes: real and generated pairs have batch-norm statistics of their own, as in both author codes.
        fake_logits = discriminator(torch.cat((a, fake_b.detach()), 1))[0]
        real_logits = discriminator(torch.cat((a, b), 1))[0]
    loss_d_fake = gan.fake(fake_logits)
    loss_d_real = gan.real(real_logits)
    state.optimizer_d.zero_grad()
    scaler.scale((loss_d_real + loss_d_fake) * loss.discriminator_factor).backward()  # type: ignore[no-untyped-call]
    scaler.step(state.optimizer_d)

    discriminator.requires_grad_(False)  # the generator's loss needs no gradient of these weights
    with state.device.autocast():
        logits_for_g = discriminator(torch.cat((a, fake_b), 1))[0]  # judged anew, by the updated discriminator
    loss_g_gan = gan.generator(logits_for_g)
    loss_g_l1 = l1_loss(fake_b, b)
    state.optimizer_g.zero_grad()
    scaler.scale(loss_g_gan + loss_g_l1 * loss.l1).backward()  # type: ignore[no-untyped-call]
    scaler.step(state.optimizer_g)
    scaler.update()
    discriminator.requires_grad_(True)

    d_accuracy = ((real_logits > 0).float().mean() + (fake_logits < 0).float().mean()) / 2
    return {
        "loss_g_gan": loss_g_gan.detach(),
        "loss_g_l1": loss_g_l1.detach(),
        "loss_d_real": loss_d_real.detach(),
        "loss_d_fake": loss_d_fake.detach(),
        "d_accuracy": d_accuracy,
    }
