"""The README.md of a finished model."""

from __future__ import annotations

from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.recipe import Recipe, to_toml
from pix2pix_model.sides import Sides

__all__ = ["model_card"]


def model_card(config: ModelConfig, recipe: Recipe) -> str:
    """Write the card: what the model does, what it learned from, how to use it, and the whole recipe."""
    assert config.data is not None  # known of all that is trained here
    task = _task(config.sides, f"the dataset\n`{config.data.name}`")
    splits = ", ".join(f"{num} {split}" for split, num in config.data.num_pairs.items())
    return f"""# {config.name}

A pix2pix generator ({config.architecture}, {config.crop_size} px): {task}

- Trained for {config.steps} steps on `{config.data.name}` ({splits} pairs, fingerprint {config.data.fingerprint})
  with p2p {config.version}.
- It works as in its training but without dropout, and its norms take their statistics from each picture by itself.
- Files: `model.safetensors` (weights), `config.json` (everything needed to load them). Nothing in them is executed.

Use it on a folder of pictures, from wherever this folder lies:

    p2p-model translate THIS_FOLDER IMAGES

The recipe, which `p2p-train` takes:

```toml
{to_toml(recipe)}```
"""


def _task(sides: Sides, data: str) -> str:
    first, *further = sides.inputs
    beside = "".join(f", and beside it one like side {spec.words}," for spec in further)
    if sides.target.view == "ab":
        side = sides.target.side
        return f"it keeps the lightness of a picture{beside} and makes colours like those on side {side} of {data}."
    made = sides.target.words
    return f"given a picture like side {first.words} of {data}{beside or ','} it makes one like side {made}."
