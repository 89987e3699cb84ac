"""The README.md of a dataset: what the Hugging Face hub reads, and what a person wants to know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["divided_card", "has_licence", "hub_card", "with_licence_of", "write_card"]

_SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
# As in the Parquet files: without a mode, `datasets` would take that of each file, and a gray PNG would come as (H, W).
_FEATURES = """\
  - name: imageA
    dtype:
      image:
        mode: {0}
  - name: imageB
    dtype:
      image:
        mode: {1}
  - name: key
    dtype: string
  - name: group
    dtype: string"""
_REMINDER = """\
The photos keep the terms of their source: name them here, and add `license:` to the head of this file, before you
share the dataset."""


def write_card(
    name: str,
    summary: str,
    command: str,
    num_pairs: Mapping[str, int],
    num_failed: int,
    *,
    terms: str | None = None,
    modes: tuple[str, str] = ("RGB", "RGB"),
) -> str:
    """Write the card's text.

    Parameters
    ----------
    name : str
        Name of the dataset's folder.
    summary : str
        One sentence on what A and B are.
    command : str
        The command line that made it, and below it what it told of groups and splits.
    num_pairs : mapping of str to int
        Pairs in each split.
    num_failed : int
        Photos that gave no pair.
    terms : str, optional
        Terms of the source, where they are known.
    modes : (str, str)
        Pillow's modes of A and B, as in the Parquet files.
    """
    total = sum(num_pairs.values())
    category = next((label for limit, label in _SIZE_CATEGORIES if total < limit), "1M<n<10M")
    files, counts = _files(num_pairs), _counts(num_pairs)
    source_terms = f"{terms}\n\n" if terms else ""
    return f"""---
pretty_name: {json.dumps(name)}
task_categories:
- image-to-image
size_categories:
- {category}
tags:
- pix2pix
- paired
dataset_info:
  features:
{_FEATURES.format(*modes)}
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
group are in one split, unless a warning below says otherwise). {num_failed} photos gave no pair; `failures.jsonl` says
why.

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

{source_terms}{_REMINDER}
"""


def divided_card(
    card: str, old_name: str, name: str, command: str, num_pairs: Mapping[str, int], *, num_failed: int | None = None
) -> str:
    """Bring the card of a dataset up to date with what was done to it; what its owner wrote into it stays.

    Parameters
    ----------
    card : str
        The card of the dataset that was divided, or mended.
    old_name, name : str
        Names of the two folders.
    command : str
        The command line that did it, likewise.
    num_pairs : mapping of str to int
        Pairs in each split.
    num_failed : int, optional
        Photos that gave no pair and pairs that were left out; as before if not given.
    """
    failed = () if num_failed is None else ((r"\d+ photos gave no pair;", f"{num_failed} photos gave no pair;"),)
    changes = (
        *failed,
        (r"(?<=^  data_files:\n)(?:  - split: .*\n    path: .*\n?)+", _files(num_pairs) + "\n"),
        (r"(?<=^\| split \| pairs \|\n\|---\|---\|\n)(?:\|.*\|\n?)+", _counts(num_pairs) + "\n"),
        (r"(?<=^## How it was made\n\n```\n)((?:(?!```).*\n)*)", rf"\g<1>{_literal(command)}\n"),
        (rf"^pretty_name: {re.escape(json.dumps(old_name))}$", f"pretty_name: {_literal(json.dumps(name))}"),
        (rf"^# {re.escape(old_name)}$", f"# {_literal(name)}"),
        (rf'load_dataset\("{re.escape(old_name)}"\)', f'load_dataset("{_literal(name)}")'),
    )
    for pattern, text in changes:
        card = re.sub(pattern, text, card, count=1, flags=re.MULTILINE)
    return card


def has_licence(card: str) -> bool:
    """Tell whether the head of a card names a licence."""
    return bool(_licence_lines(card))


def hub_card(card: str, name: str, repo_id: str) -> str:
    """Write the card as it goes to the hub: the example there loads the repository, not the folder called `name`."""
    return card.replace(f'load_dataset("{name}")', f'load_dataset("{repo_id}")')


def with_licence_of(old: str, card: str) -> str:
    """Take over into the head of a card the licence that stands in the head of an older one, if it names none."""
    if not has_licence(card):
        card = re.sub(r"\A---\n", lambda head: head[0] + _licence_lines(old), card)
    return card


def _licence_lines(card: str) -> str:
    """Return what the head of a card says of its licence, with the lines that belong to it."""
    head = re.match(r"---\r?\n(.*?)^---", card.replace("\r\n", "\n"), flags=re.DOTALL | re.MULTILINE)
    if head is None:
        return ""
    found = re.findall(r"^license(?:_\w+)?:.*\n(?:[ -].*\n)*", head[1], flags=re.MULTILINE)
    return "".join(found)


def _files(num_pairs: Mapping[str, int]) -> str:
    return "\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in num_pairs)


def _counts(num_pairs: Mapping[str, int]) -> str:
    return "\n".join(f"| {split} | {num:,} |" for split, num in num_pairs.items())


def _literal(text: str) -> str:
    return text.replace("\\", r"\\")
