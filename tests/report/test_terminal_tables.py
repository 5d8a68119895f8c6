"""The terminal tables hold the figures, and a dash where there is none."""

from __future__ import annotations

import io
import re

import numpy as np
from rich.console import Console

from mien.data.faceset import FaceSet
from mien.evaluate.assessment import assess
from mien.report.terminal_tables import assessment_tables


def test_lines() -> None:
    predicted_N = [0, 0, 0, 1, 1, 1, 1, 1]
    labels_N = np.array([0, 0, 1, 1, 1, 1, 1, 1])
    blank_N88 = np.zeros((8, 8, 8), np.uint8)
    names = ("angry", "happy", "sad")
    faces = FaceSet(blank_N88, labels_N, np.full(8, "validation"), names, np.arange(8).astype(str))
    found = assess(np.eye(3)[predicted_N], faces, repeats=20)
    console = Console(file=io.StringIO(), width=100)
    console.print(*assessment_tables(found))
    assert isinstance(console.file, io.StringIO)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert "validation, 8 faces" in lines
    assert "accuracy 87.5% 95 %: 52.9% to 97.8%" in lines
    assert any(line.startswith("balanced accuracy 91.7% 95 %: ") for line in lines)
    assert any(re.match(r"calibration error \(ECE\) 12.5% .* to .*% if it were perfect$", line) for line in lines)
    assert any(line.startswith("calibration error, debiased ") for line in lines)
    assert "angry 66.7% 100.0% 80.0% 2" in lines
    assert "happy 100.0% 83.3% 90.9% 6 angry (17%)" in lines
    assert "sad – – – 0" in lines
