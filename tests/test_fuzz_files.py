"""A short run of scripts/fuzz.py: broken files of each kind; `make fuzz` runs the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "fuzz.py"


@pytest.mark.parametrize(
    ("family", "scale"),
    [("images", 0.02), ("models", 0.05), ("cards", 0.1), ("videos", 0.08), ("tables", 0.2), ("records", 0.2)],
)
def test_broken_files_are_refused_in_one_line(family: str, scale: float, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="comes with mien[video]")
    pytest.importorskip("pyarrow", reason="comes with mien[parquet]")
    keep = tmp_path / "failures"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--only", family, "--scale", str(scale), "--seed", "tests", "--keep", keep],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (each for each in done.stdout.splitlines() if each.startswith(family))
    files, read, refused, raised, crashed, hung = map(int, line.split()[1:7])
    assert files == read + refused >= 20 and refused > files / 5 and raised == crashed == hung == 0
    assert not keep.exists()
