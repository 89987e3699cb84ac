"""The README.md of a dataset: what the Hugging Face hub reads, and what a person wants to know."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["write_card"]

_SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write_card(name: str, summary: str, command: str, num_pairs: Mapping[str, int], num_failed: int) -> str:
    """Write the card's text.

    Parameters
    ----------
    name : str
        Name of the dataset's folder.
    summary : str
        One sentence on what A and B are.
    command : str
        The command line that made it.
    num_pairs : mapping of str to int
        Pairs in each split.
    num_failed : int
        Photos that gave no pair.
    """
    total = sum(num_pairs.values())
    category = next((label for limit, label in _SIZE_CATEGORIES if total < limit), "1M<n<10M")
    files = "\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in num_pairs)
    counts = "\n".join(f"| {split} | {num:,} |" for split, num in num_pairs.items())
    return f"""---
pretty_name: {json.dumps(name)}
task_categories:
- image-to-image
size_categories:
- {category}
tags:
- pix2pix
- paired
configs:
- config_name: default
  data_files:
{files}
---

# {name}

{summary}

![pairs of this dataset](preview.png)

| split | pairs |
|---|---|
{counts}

Columns: `imageA` (the condition), `imageB` (the target), `key` (the photo's path in its folder), `group` (pairs of one
group are never in two splits). {num_failed} photos gave no pair; `failures.jsonl` says why.

## How it was made

```
{command}
```

with pix2pix-kit; all settings are in `build.json`.

## How to use it

```python
from datasets import load_dataset

pairs = load_dataset("{name}")
pairs["train"][0]["imageA"], pairs["train"][0]["imageB"]
```

## Licence

The photos keep the terms of their source: name them here, and add `license:` to the head of this file, before you
share the dataset.
"""
