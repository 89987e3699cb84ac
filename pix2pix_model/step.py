"""One training step: the discriminator, then the generator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pix2pix_model.data import Batch
from pix2pix_model.diff_augment import Augmentation, draw_augmentation
from pix2pix_model.distributed import add_up_gradients
from pix2pix_model.losses import GAN_LOSSES, feature_matching_loss, l1_loss, r1_penalty
from pix2pix_model.recipe import LossSettings, Recipe
from pix2pix_model.state import TrainState

__all__ = ["train_step"]

_Terms: TypeAlias = dict[str, Tensor]  # the parts of a network's loss, by their names in the log
_Features: TypeAlias = list[list[Tensor]]  # for each scale, what every layer makes of a pair, the logits last
_Judge: TypeAlias = Callable[[Tensor], _Features]  # what the discriminator makes of B


def train_step(state: TrainState, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
    """Update both networks once on a batch.

    Parameters
    ----------
    state : TrainState
        Its networks, optimisers and loss scaler are changed; `state.step` is the caller's to raise.
    batch : Batch
    recipe : Recipe
        Of which `loss` and `train.diff_augment` are read.

    Returns
    -------
    dict of str to Tensor
        Detached scalars on the device: loss_g_l1 and, unless `loss.gan` is "none", loss_g_gan, loss_d_real,
        loss_d_fake, and d_accuracy, the share of patches that the discriminator judged rightly; loss_g_features and
        loss_d_r1 where they have a weight. Reading one of them waits for the device.
    """
    a, b, loss = batch.a, batch.b, recipe.loss
    with state.device.autocast():
        fake_b = state.generator(a)  # (N, out_channels, H, W)
    of_g, of_d, judged = {"loss_g_l1": l1_loss(fake_b, b)}, {}, {}

    if loss.gan != "none":
        augmentation = draw_augmentation(recipe.train.diff_augment, b)
        judge = partial(_judge, state, augmentation, a if loss.conditional else None)

        # --- the discriminator, on two passes: in both author codes real and generated pairs have norms of their own
        with _weights_may_change() if loss.stale_logits else nullcontext():
            fake = judge(fake_b if loss.stale_logits else fake_b.detach())
        real = judge(b)
        of_d = _discriminator_terms(loss, judge, b, fake=fake, real=real)
        judged = {"d_accuracy": _accuracy(fake=fake, real=real)}
        total_d, share = _total(of_d, loss), batch.share
        _update(state, state.discriminator, state.optimizer_d, total_d, share=share, keep_graph=loss.stale_logits)

        # --- what it makes of the generator's pairs, now or as it was before its update
        if not loss.stale_logits:
            fake = judge(fake_b)
            with torch.no_grad():
                real = judge(b) if loss.feature_matching else []
        of_g = _generator_terms(loss, fake=fake, real=real) | of_g

    # --- the generator
    _update(state, state.generator, state.optimizer_g, _total(of_g, loss), share=batch.share)
    state.scaler.update()
    return {name: term.detach() for name, term in {**of_g, **of_d, **judged}.items()}


def _judge(state: TrainState, augmentation: Augmentation, a: Tensor | None, b: Tensor) -> _Features:
    """Return what the discriminator makes of B, beside A where it is given A."""
    b = augmentation.colored(b.float())
    pair = augmentation.placed(b if a is None else torch.cat((a, b), 1))
    with state.device.autocast():
        features: _Features = state.discriminator.features(pair)  # type: ignore[operator]
    return features


def _weights_may_change() -> saved_tensors_hooks:
    """Let a backward pass take the weights of its own time with the activations of its forward pass, as Torch does.

    Under autocast the weights' copies in half precision are kept, so the backward pass takes those of before.
    """
    return saved_tensors_hooks(Tensor.detach, lambda tensor: tensor)  # detached: shared memory, but no cycle


def _discriminator_terms(loss: LossSettings, judge: _Judge, b: Tensor, *, fake: _Features, real: _Features) -> _Terms:
    gan = GAN_LOSSES[loss.gan]
    of_real = partial(gan.real, smoothing=loss.label_smoothing)
    terms = {"loss_d_real": _over_scales(of_real, real), "loss_d_fake": _over_scales(gan.fake, fake)}
    if loss.r1:
        terms["loss_d_r1"] = r1_penalty(lambda real_b: _logits(judge(real_b)), b)
    return terms


def _generator_terms(loss: LossSettings, *, fake: _Features, real: _Features) -> _Terms:
    terms = {"loss_g_gan": _over_scales(GAN_LOSSES[loss.gan].generator, fake)}
    if loss.feature_matching:
        terms["loss_g_features"] = feature_matching_loss(fake, real)
    return terms


def _total(terms: _Terms, loss: LossSettings) -> Tensor:
    weights = {
        "loss_g_gan": 1.0,
        "loss_g_l1": loss.l1,
        "loss_g_features": loss.feature_matching,
        "loss_d_real": loss.discriminator_factor,
        "loss_d_fake": loss.discriminator_factor,
        "loss_d_r1": loss.r1,
    }
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def _update(
    state: TrainState,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    total: Tensor,
    *,
    share: float,
    keep_graph: bool = False,
) -> None:
    """Take one step down the gradient of a network's own weights; no other gradient is computed."""
    optimizer.zero_grad()
    weights = list(network.parameters())
    state.scaler.scale(total).backward(inputs=weights, retain_graph=keep_graph)  # type: ignore[no-untyped-call]
    add_up_gradients(weights, share)
    state.scaler.step(optimizer)


def _logits(features: _Features) -> list[Tensor]:
    return [layers[-1] for layers in features]


def _over_scales(loss: Callable[[Tensor], Tensor], features: _Features) -> Tensor:
    """Add up a loss of logits over the scales: Wang et al. 2018, arXiv:1711.11585, equation 2."""
    return torch.stack([loss(logits) for logits in _logits(features)]).sum()


def _accuracy(*, fake: _Features, real: _Features) -> Tensor:
    right = [(logits > 0).float().mean() for logits in _logits(real)]
    right += [(logits < 0).float().mean() for logits in _logits(fake)]
    return torch.stack(right).mean()
