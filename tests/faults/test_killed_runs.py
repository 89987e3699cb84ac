"""A run that is killed, and continued by the same command, ends in the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "killed_runs.py"


def lines(*options: str) -> list[str]:
    line = [sys.executable, str(SCRIPT), *options]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.splitlines()


def test_a_run_that_is_killed_stopped_or_given_other_workers_ends_in_the_same_bytes():
    *_, killed, stopped, other_workers, last = lines("--moments", "1")
    assert [line.split()[0] for line in (killed, stopped, other_workers)] == ["kill", "term", "workers"]
    assert "SIGKILL" in killed
    assert "SIGKILL" in other_workers
    assert last == "all end in the same bytes"


@pytest.mark.slow
def test_it_does_so_at_twenty_moments_of_each_kind():
    assert lines("--moments", "20")[-1] == "all end in the same bytes"
