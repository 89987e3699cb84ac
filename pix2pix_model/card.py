"""The README.md of a model: of one that was trained here, and of one that was imported."""

from __future__ import annotations

from collections.abc import Sequence

from pix2pix_model.checkpoint import ModelConfig
from pix2pix_model.recipe import Recipe, to_toml
from pix2pix_model.sides import Sides

__all__ = ["imported_card", "model_card"]


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

    p2p-model translate THIS_FOLDER IMAGES{" --also DIR" * len(config.sides.inputs[1:])}

The recipe, which `p2p-train` takes:

```toml
{to_toml(recipe)}```
"""


def imported_card(config: ModelConfig, notes: Sequence[str]) -> str:
    """Write the card of weights of others: where they come from, what was read from them, and what nobody knows."""
    assert config.source is not None  # known of all that is imported
    remarks = "".join(f"- {note}.\n" for note in notes)
    return f"""# {config.name}

A pix2pix generator ({config.architecture}, width {config.spec.width}, {config.spec.norm} norm, {config.crop_size} px)
of the authors' PyTorch code, imported with p2p {config.version}: {_task(config.sides, "its pairs")}

- Source: `{config.source.name}`, SHA-256 `{config.source.sha256}`. The terms of that file hold for these weights too.
- What it was trained on, and for how long, is not in the file.
- At test time: {config.test_time.in_words()}. Their own test leaves dropout on, and takes the statistics of the
  picture, unless it is told `--eval`.
{remarks}- Files: `model.safetensors` (weights), `config.json` (how to load them). Nothing in them is executed.

Use it on a folder of pictures, from wherever this folder lies:

    p2p-model translate THIS_FOLDER IMAGES
"""


def _task(sides: Sides, data: str) -> str:
    first, *further = sides.inputs
    beside = "".join(f", and beside it one like side {spec.words}," for spec in further)
    if sides.target.view == "ab":
        side = sides.target.side
        return f"it keeps the lightness of a picture{beside} and makes colours like those on side {side} of {data}."
    made = sides.target.words
    return f"given a picture like side {first.words} of {data}{beside or ','} it makes one like side {made}."
