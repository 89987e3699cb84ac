"""One training step: the discriminator, then the generator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pix2pix_model.batch import Batch
from pix2pix_model.diff_augment import Augmentation, draw_augmentation
from pix2pix_model.distributed import add_up_gradients
from pix2pix_model.losses import GAN_LOSSES, feature_matching_loss, l1_loss, r1_penalty
from pix2pix_model.nets import drawing_rows
from pix2pix_model.recipe import LossSettings, Recipe
from pix2pix_model.state import TrainState

__all__ = ["train_step"]

_Terms: TypeAlias = dict[str, Tensor]  # the parts of a network's loss, by their names in the log
_Features: TypeAlias = list[list[Tensor]]  # for each scale, what every layer makes of a pair, the logits last
_Judge: TypeAlias = Callable[[Tensor], _Features]  # what the discriminator makes of B


def train_step(state: TrainState, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
    """Update both networks once on a batch.

    With `train.micro_batch`, gradients are accumulated over parts of the batch before each update. The generator then
    works twice, since what is judged by the updated discriminator must be made with a graph, and memory holds the graph
    of one part alone; each part draws what it would within the whole.

    Parameters
    ----------
    state : TrainState
        Its networks, optimisers and loss scaler are changed; `state.step` is the caller's to raise.
    batch : Batch
    recipe : Recipe
        Of which `loss`, `train.diff_augment` and `train.micro_batch` are read.

    Returns
    -------
    dict of str to Tensor
        Detached scalars on the device: loss_g_l1 and, unless `loss.gan` is "none", loss_g_gan, loss_d_real,
        loss_d_fake, and d_accuracy, the share of patches that the discriminator judged rightly; loss_g_features and
        loss_d_r1 where they have a weight. All are weighted by `batch.share`. Reading one of them waits for the device.
    """
    loss, parts = recipe.loss, batch.parts(recipe.train.micro_batch)
    is_whole, with_gan = len(parts) == 1, loss.gan != "none"
    of_d: _Terms = {}
    of_g: _Terms = {}

    # --- the discriminator, on two passes: in both author codes real and generated pairs have norms of their own
    if with_gan:
        state.optimizer_d.zero_grad()
        for part in parts:
            with torch.set_grad_enabled(is_whole):
                fake_b, judge = _generate(state, part, recipe, draw_anew=not is_whole)
            with _weights_may_change() if loss.stale_logits else nullcontext():
                fake = judge(fake_b if loss.stale_logits else fake_b.detach())
            real = judge(part.b)
            terms = _discriminator_terms(loss, judge, part.b, fake=fake, real=real)
            _backward(state, state.discriminator, _total(terms, loss, part.share), keep_graph=loss.stale_logits)
            _add_up(of_d, terms | {"d_accuracy": _accuracy(fake=fake, real=real)}, part.share)
        _update(state, state.discriminator, state.optimizer_d)

    # --- the generator, by what the updated discriminator makes of its pairs, or by what it made of them before
    state.optimizer_g.zero_grad()
    for part in parts:
        if not (with_gan and is_whole):
            fake_b, judge = _generate(state, part, recipe, draw_anew=not is_whole)
        terms = {"loss_g_l1": l1_loss(fake_b, part.b)}
        if with_gan:
            fake = fake if loss.stale_logits else judge(fake_b)
            with torch.no_grad():
                real = judge(part.b) if loss.feature_matching and not loss.stale_logits else real
            terms = _generator_terms(loss, fake=fake, real=real) | terms
        _backward(state, state.generator, _total(terms, loss, part.share))
        _add_up(of_g, terms, part.share)
    _update(state, state.generator, state.optimizer_g)
    state.scaler.update()
    return of_g | of_d


def _generate(state: TrainState, part: Batch, recipe: Recipe, *, draw_anew: bool) -> tuple[Tensor, _Judge]:
    """Return what the generator makes of a part, (N, out_channels, H, W), and how it is judged.

    `draw_anew` begins the step's draws again: each part takes its rows of what is drawn for the whole.
    """
    if draw_anew:
        torch.manual_seed(torch.initial_seed())
    with state.device.autocast(), drawing_rows(state.generator, part.rows):
        fake_b = state.generator(part.a)
    augmentation = draw_augmentation(recipe.train.diff_augment, part.b, part.rows)
    return fake_b, partial(_judge, state, augmentation, part.a if recipe.loss.conditional else None)


def _judge(state: TrainState, augmentation: Augmentation, a: Tensor | None, b: Tensor) -> _Features:
    """Return what the discriminator makes of B, beside A where it is given A."""
    b = augmentation.colored(b.float())
    pair = augmentation.placed(b if a is None else torch.cat((a, b), 1))
    if pair.device.type == "cpu":
        # oneDNN gives gradients with channels last, and torch would turn each round: 7 to 10 % of a step.
        pair = pair.contiguous(memory_format=torch.channels_last)
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


def _total(terms: _Terms, loss: LossSettings, share: float) -> Tensor:
    weights = {
        "loss_g_gan": 1.0,
        "loss_g_l1": loss.l1,
        "loss_g_features": loss.feature_matching,
        "loss_d_real": loss.discriminator_factor,
        "loss_d_fake": loss.discriminator_factor,
        "loss_d_r1": loss.r1,
    }
    return torch.stack([share * weights[name] * term for name, term in terms.items()]).sum()


def _backward(state: TrainState, network: nn.Module, total: Tensor, *, keep_graph: bool = False) -> None:
    """Add the gradient of a network's own weights to what they have; no other gradient is computed."""
    weights = list(network.parameters())
    state.scaler.scale(total).backward(inputs=weights, retain_graph=keep_graph)  # type: ignore[no-untyped-call]


def _update(state: TrainState, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take one step down the gradient that all parts and all processes have added up."""
    add_up_gradients(list(network.parameters()))
    state.scaler.step(optimizer)


def _add_up(sums: _Terms, terms: _Terms, share: float) -> None:
    for name, term in terms.items():
        weighted = term.detach() if share == 1 else term.detach() * share
        sums[name] = sums[name] + weighted if name in sums else weighted


def _logits(features: _Features) -> list[Tensor]:
    return [layers[-1] for layers in features]


def _over_scales(loss: Callable[[Tensor], Tensor], features: _Features) -> Tensor:
    """Add up a loss of logits over the scales: Wang et al. 2018, arXiv:1711.11585, equation 2."""
    return torch.stack([loss(logits) for logits in _logits(features)]).sum()


def _accuracy(*, fake: _Features, real: _Features) -> Tensor:
    right = [(logits > 0).float().mean() for logits in _logits(real)]
    right += [(logits < 0).float().mean() for logits in _logits(fake)]
    return torch.stack(right).mean()
