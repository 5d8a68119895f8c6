"""The terminal tables hold the figures, and a dash where there is none."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from mien.evaluate.metrics import evaluate
from mien.report.terminal_tables import metrics_tables


def test_lines() -> None:
    predicted_N = [0, 0, 0, 1, 1, 1, 1, 1]
    metrics = {"split": "validation"} | evaluate(
        np.eye(3)[predicted_N], [0, 0, 1, 1, 1, 1, 1, 1], ("angry", "happy", "sad")
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(*metrics_tables(metrics))
    assert isinstance(console.file, io.StringIO)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert "validation, 8 faces" in lines
    assert "accuracy 87.5% 95 %: 52.9% to 97.8%" in lines
    assert "balanced accuracy 91.7% mean recall of the classes" in lines
    assert "ECE 12.5% confidence against accuracy, 15 equal-mass bins" in lines
    assert "angry 66.7% 100.0% 80.0% 2" in lines
    assert "happy 100.0% 83.3% 90.9% 6 angry (17%)" in lines
    assert "sad – – – 0" in lines
