"""What a training asks of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

RESIDENT_AFTER_A_BLOCK = """
import torch
from mien.train.devices import keep_freed_memory

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

def kept_mb():
    before = resident_mb()
    block = torch.ones(12_500_000)  # 50 MB
    del block
    return resident_mb() - before

print(kept_mb())
keep_freed_memory()
print(kept_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_blocks_stay_with_the_process() -> None:
    command = [sys.executable, "-c", RESIDENT_AFTER_A_BLOCK]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    before_mb, after_mb = map(float, done.stdout.split())
    assert before_mb < 25
    assert after_mb > 45
