"""The README.md of a finished model."""

from __future__ import annotations

from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.recipe import Recipe, to_toml

__all__ = ["model_card"]


def model_card(config: ModelConfig, recipe: Recipe) -> str:
    """Write the card: what the model does, what it learned from, how to use it, and the whole recipe."""
    assert config.data is not None  # known of all that is trained here
    given, made = ("A", "B") if config.direction == "AtoB" else ("B", "A")
    data = f"the dataset\n`{config.data.name}`"
    task = f"given a picture like side {given} of {data}, it makes one like side {made}."
    if config.color_space == "lab":
        task = f"it keeps the lightness of a picture, and makes colours like those on side B of {data}."
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
