"""What an ill generator shows: measures of its pictures beside the real ones, and of its innermost activations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pix2pix_model.device import Device

__all__ = ["constant_bottleneck", "fits_any", "spread_between", "spread_within"]

_MOST_POSITIONS = 64  # a layer of more pixels than 8x8 is no bottleneck
_CONSTANT = 1e-3  # change of an activation between pictures, as a part of the largest
_MOST_OTHERS = 4
_GAIN = 0.05  # a run that is healthy after all may gain less at first, but then surely so


def spread_within(pictures: Tensor) -> float:
    """Return the mean standard deviation of the pixels of a picture, channel by channel.

    Parameters
    ----------
    pictures : Tensor of shape (N, H, W, C)

    Returns
    -------
    float
        In levels; 0 where each picture is of one flat colour.
    """
    return float(torch.stack([picture.float().std((0, 1), correction=0).mean() for picture in pictures]).mean())


def spread_between(pictures: Tensor) -> float:
    """Return the standard deviation between pictures at one place, as the root mean square over all places.

    Returns
    -------
    float
        In levels; 0 where all pictures of (N, H, W, C) are the same.
    """
    return float(pictures.float().var(0, correction=0).mean().sqrt())


def fits_any(made: Tensor, real: Tensor) -> bool:
    """Say whether pictures are no nearer to their own targets than to those of other pairs, but for chance.

    For each picture the L1 distance to its own target is compared with the mean over those of the next pairs, up to
    four. They fit any target if the mean gain is under a twentieth of the distance, and within two standard errors
    of 0.

    Parameters
    ----------
    made, real : Tensor of shape (N, H, W, C)
        N of 2 and more.
    """
    own = _distances(made, real)
    shifts = range(1, min(len(real), _MOST_OTHERS + 1))
    others = torch.stack([_distances(made, real.roll(shift, 0)) for shift in shifts]).mean(0)
    gains = others - own  # (N,)
    standard_error = gains.std() / len(gains) ** 0.5
    return bool(gains.mean() < _GAIN * others.mean()) and bool(gains.mean() < 2 * standard_error)


def _distances(made: Tensor, real: Tensor) -> Tensor:
    return torch.stack([(one.float() - other.float()).abs().mean() for one, other in zip(made, real, strict=True)])


@torch.no_grad()
def constant_bottleneck(generator: nn.Module, given: Sequence[Tensor], device: Device) -> str | None:
    """Find a layer at the generator's narrowest place that gives the same for all pictures, and so tells nothing on.

    Batch norm over a single value does so: what the paper's erratum found in its own U-Net (arXiv:1611.07004,
    section 6.1). Dead rectifiers do too.

    Parameters
    ----------
    generator : nn.Module
        Looked at in eval(), and left as it was.
    given : sequence of Tensor of shape (1, in_channels, H, W)
        Different conditions.
    device : Device

    Returns
    -------
    str or None
        Such as "encoder.7.1 (Conv2d)"; None if all is well, or there is no place of 8x8 pixels or less.
    """
    seen: dict[str, list[Tensor]] = {}
    handles = []
    for name, layer in generator.named_modules():
        if any(True for _ in layer.children()):
            continue

        def keep(layer: nn.Module, _given: object, made: object, name: str = name) -> None:
            if isinstance(made, Tensor) and made.ndim == 4 and made[0, 0].numel() <= _MOST_POSITIONS:
                seen.setdefault(f"{name} ({type(layer).__name__})", []).append(made.float().clone())

        handles.append(layer.register_forward_hook(keep))
    was_training = generator.training
    generator.eval()
    try:
        for one in given:
            with device.autocast():
                generator(one)
    finally:
        generator.train(was_training)
        for handle in handles:
            handle.remove()
    narrowest = min((outputs[0][0, 0].numel() for outputs in seen.values()), default=0)
    for name, outputs in seen.items():
        if outputs[0][0, 0].numel() == narrowest and _is_constant(outputs):
            return name
    return None


def _is_constant(outputs: Sequence[Tensor]) -> bool:
    """Say whether a layer gave the same each time; the shape of all outputs is the same."""
    values = torch.stack(list(outputs))
    change = (values - values[0]).abs().max()
    return bool(change <= _CONSTANT * values.abs().max())
