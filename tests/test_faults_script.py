"""A short run of scripts/faults.py: kill -9 of the store, of scoring and of a server; the long run has 50 of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "faults.py"


@pytest.mark.parametrize("kind", ["store", "scoring", "serving"])
def test_what_a_kill_loses(kind: str) -> None:
    pytest.importorskip("websockets", reason="comes with mien[serve]")
    command = [sys.executable, SCRIPT, "--only", kind, "--trials", "2", "--seed", "tests"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (each for each in done.stdout.splitlines() if each.startswith(kind))
    killed, too_late = map(int, line.split()[1:3])
    assert killed + too_late == 2 and int(line.split()[-1]) == 0
