"""A sample of the faults: one of each kind that tells most, drawn by a seed, with nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("run.py")


def can_mount() -> bool:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    try:
        return (
            subprocess.run(["unshare", *as_root, "--mount", "true"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux") or not can_mount(), reason="disks are mounted")


def table(*options: str) -> list[str]:
    ended = subprocess.run([sys.executable, PROGRAM, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.splitlines()


def test_a_build_that_is_broken_at_random_loses_nothing_and_does_not_hang():
    *rows, last = table("--faults", "12", "--seed", "1", "--only", "build-kmeans")
    assert last == "12 faults, and all is well"
    assert "| all | 12 | 0 | 0 | 0 |" in rows


@pytest.mark.slow
def test_so_it_is_of_all_commands():
    assert table("--faults", "120", "--seed", "1", "--minutes", "4")[-1].endswith("faults, and all is well")
