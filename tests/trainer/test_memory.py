"""Memory that is freed is not fetched from the system again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
if sys.argv[1] == "kept":
    from pix2pix_model.memory import keep_memory
    keep_memory()
import torch
def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [torch.ones(2**18) for _ in range(100)]  # 100 MiB, freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
work()
print(work())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library is told to keep memory")
def test_what_was_freed_is_used_again():
    kept, not_kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "not kept")
    )
    assert 4 * kept < not_kept
