"""The recipe of the runs that are broken: the smallest networks, and everything that a checkpoint must carry."""

from __future__ import annotations

__all__ = ["tiny_recipe"]

_RECIPE = """
name = "{name}"
[data]
path = "{path}"
load_size = 36
crop_size = 32
[generator]
width = 2
[discriminator]
width = 4
patch = 16
[train]
batch = 2
ema = 0.9
max_steps = {num_steps}
device = "cpu"
[validation]
every = 7
[log]
metrics_every = 4
samples_every = 10
num_samples = 2
checkpoint_minutes = 0.002
"""


def tiny_recipe(name: str, path: str, *, num_steps: int) -> str:
    return _RECIPE.format(name=name, path=path, num_steps=num_steps)
