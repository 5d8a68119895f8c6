"""Printed figures are those of docs/figures.json, and a difference is found."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "scripts" / "figures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stored() -> Any:
    return json.loads((ROOT / "docs" / "figures.json").read_text())


def test_every_printed_figure_is_the_measured_one(script: ModuleType, stored: Any) -> None:
    """If not: python scripts/figures.py measure MODEL …, then write. See its first lines."""
    assert script.differences(stored) == []
    assert set(stored["models"]) == set(script.MODELS)


def test_a_figure_that_was_typed_is_found(script: ModuleType, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.read_text

    def read_text(path: Path, *arguments: Any, **options: Any) -> str:
        text = original(path, *arguments, **options)
        if path.name == "README.md":
            (row,) = [line for line in text.splitlines() if line.startswith("| `fer2013`")]
            return text.replace(row, row.replace("6.4 MB", "5.4 MB"))
        if path.name == "MODEL_CARD.md":
            return text.replace("Cohen's kappa | 0.", "Cohen's kappa | 1.", 1)
        return text.replace("5.8 ms", "4.8 ms") if path.name == "benchmarks.md" else text

    monkeypatch.setattr(Path, "read_text", read_text)
    found = script.differences(stored)
    assert any("README.md" in line and "5.4 MB" in line and "6.4 MB" in line for line in found)
    assert any("MODEL_CARD.md" in line and "kappa | 1." in line for line in found)
    assert any("benchmarks.md: is not recorded" in line and "4.8 ms" in line for line in found)
    assert any("benchmarks.md: is recorded and gone" in line for line in found)


def test_figures_of_another_file_are_found(script: ModuleType, stored: Any) -> None:
    changed = {**stored, "models": {**stored["models"], "nano": {**stored["models"]["nano"], "graph_sha256": "0"}}}
    assert "docs/figures.json: the figures of nano are those of another file; measure it again" in script.differences(
        changed
    )


def test_rows_are_rendered_from_what_was_measured(script: ModuleType) -> None:
    found = {
        "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9},
        "balanced": 0.25,
        "recall": {"neutral": {"value": 0.75}},
        "ece": 0.01,
        "ece_if_calibrated": [0.005, 0.02],
        "ece_debiased": 0.003,
    }
    model = {"emotions": 8, "file_mb": 0.9, "field": {"field": found}, "ferplus_majority": {"accuracy": 0.8}}
    row = script.rendered(
        "| `nano`, small | 7 | **1 %** (0 to 2) | 1 % | 1 % | | 68.4 % | 1 MB |", {"nano": model}, True
    )
    assert row == "| `nano`, small | 8 | **50.0 %** (40.0 to 60.0) | 25.0 % | 75.0 % | 80.0 % | | 0.9 MB |"
    row = script.rendered("| `nano` | most probable | 1 % | | 1 % | 1 % | 2 % |", {"nano": model}, False)
    assert row == "| `nano` | most probable | 50.0 % | 40.0 to 60.0 | 25.0 % | 75.0 % | 1.0 % (0.5 to 2.0; 0.3 %) |"
    assert script.rendered("| `other` | 1 |", {"nano": model}, True) == "| `other` | 1 |"
