"""What the fuzzer has found: files that once ended in an error that was none of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS

FOUND = {
    "a shard whose schema tells of its pictures in no text": ("parquet", b'"mode"', b'"m\xbade"'),
    "a dropout that is no probability": ("models", b'"dropout": 0.5', b'"dropout": 5.5'),
    "a network that no memory holds": ("models", b'"width": 2', b'"width": 99999999'),
    "as many blocks as take for ever": ("models", b'"blocks": 9', b'"blocks": 999999999'),
    "a checkpoint whose progress is a number": ("checkpoints", b'{\n "step"', b"7"),
    "a checkpoint without its means": ("checkpoints", b'"means"', b'"maens"'),
}


@pytest.mark.parametrize(("name", "old", "new"), FOUND.values(), ids=FOUND)
def test_what_was_found_is_refused_in_words(name, old, new, tmp_path):
    target = TARGETS[name](tmp_path)
    changed = [seed.replace(old, new) for seed in target.seeds if old in seed]
    assert changed
    for content in changed:
        target.run(content if new != b"7" else content[:1] + new)
