"""Good files with a few bytes changed: each gives a result, or an error that says what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS, Target

MOST_EXAMPLES = 200
SLOW = {"checkpoints": 100, "server": 100}
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6
)


def mutated(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """Write over, insert, cut out, or end there."""
    for place, how, given_bytes in edits:
        start = int(place * len(content))
        before, after = content[:start], content[start:]
        num = len(given_bytes)
        content = (before + given_bytes + after[num:], before + given_bytes + after, before + after[num:], before)[how]
    return content


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_changed_file_is_read_or_refused_in_words(name, tmp_path):
    target: Target = TARGETS[name](tmp_path)
    for seed in target.seeds:
        target.run(seed)

    @settings(
        max_examples=SLOW.get(name, MOST_EXAMPLES),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(target.seeds) - 1), EDITS)
    def attack(number: int, edits: list[tuple[float, int, bytes]]) -> None:
        target.run(mutated(target.seeds[number], edits))

    attack()
