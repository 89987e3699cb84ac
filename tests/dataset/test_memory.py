"""Memory that is freed is used again, or given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told how to keep memory"
)

FAULTS = """
import resource, sys
if sys.argv[1] == "kept":
    from pix2pix_data.memory import keep_memory
    keep_memory()
import torch
def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [torch.ones(2**18) for _ in range(100)]  # 100 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
work()
print(work())
"""

LEFT = """
import sys
from pathlib import Path
if sys.argv[1] == "given back":
    from pix2pix_data.memory import give_back_memory
    give_back_memory()
for _ in range(2):
    rows = [b"x" * 2**21 for _ in range(50)]  # 100 MiB
    what_is_kept = [bytes(100) for _ in range(10_000)]
    del rows
lines = Path("/proc/self/status").read_text().splitlines()
print(next(line for line in lines if line.startswith("RssAnon")).split()[1])
"""


def figure(script: str, how: str) -> int:
    """Run a script in a process of its own."""
    return int(subprocess.run([sys.executable, "-c", script, how], capture_output=True, text=True, check=True).stdout)


def test_what_was_freed_is_used_again():
    assert 4 * figure(FAULTS, "kept") < figure(FAULTS, "not kept")


def test_large_pieces_are_given_back():
    assert 4 * figure(LEFT, "given back") < figure(LEFT, "kept")
