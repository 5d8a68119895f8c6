"""What a training asks of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

RESIDENT_AFTER_A_BLOCK = """
import sys
import torch
from mien.train.devices import keep_freed_memory

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

if "keep" in sys.argv:
    keep_freed_memory()
before = resident_mb()
block = torch.ones(12_500_000)  # 50 MB
del block
print(resident_mb() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_blocks_stay_with_the_process() -> None:
    def kept_mb(*arguments: str) -> float:
        command = [sys.executable, "-c", RESIDENT_AFTER_A_BLOCK, *arguments]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert kept_mb() < 25
    assert kept_mb("keep") > 45
