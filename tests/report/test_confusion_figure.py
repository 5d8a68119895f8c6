"""The confusion matrix is drawn, shows its figures, and names what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.contract.errors import MissingExtraError
from mien.evaluate.metrics import Metrics, evaluate
from mien.report.confusion_figure import confusion_png


def metrics_of(confusion: list[list[int]]) -> Metrics:
    labels_N, predicted_N = (np.repeat(index.ravel(), np.ravel(confusion)) for index in np.indices(np.shape(confusion)))
    return evaluate(np.eye(len(confusion))[predicted_N], labels_N, ("angry", "happy", "sad")[: len(confusion)])


def pixels(file: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def test_colours_follow_the_shares(tmp_path: Path) -> None:
    """The diagonal of a perfect model is dark blue, that of one that is always wrong is pale."""
    confusion_png(metrics_of([[30, 0], [0, 5]]), tmp_path / "right.png")
    confusion_png(metrics_of([[0, 30], [5, 0]]), tmp_path / "wrong.png")
    right, wrong = pixels(tmp_path / "right.png"), pixels(tmp_path / "wrong.png")
    assert right.shape == wrong.shape and min(right.shape[:2]) > 300
    blue = (right[..., 2] > 80) & (right[..., 0] < 40)
    assert 0.1 < blue.mean() < 0.6
    assert np.abs(right - wrong).max() > 150


def test_title_states_split_size_and_accuracy(tmp_path: Path) -> None:
    metrics = metrics_of([[8, 2], [0, 0]])
    confusion_png(metrics, tmp_path / "plain.png")
    confusion_png(metrics, tmp_path / "split.png", "validation")
    confusion_png(metrics, tmp_path / "again.png", "validation")
    plain, split = pixels(tmp_path / "plain.png"), pixels(tmp_path / "split.png")
    assert np.array_equal(split, pixels(tmp_path / "again.png"))
    assert (plain[:40] < 128).sum() < (split[:40] < 128).sum()  # more ink in the title, the same below
    assert np.array_equal(plain[60:], split[60:])


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    loaded = "matplotlib.pyplot" in sys.modules
    confusion_png(metrics_of([[3, 1, 0], [0, 2, 2], [1, 0, 4]]), tmp_path / "confusion.png")
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib is not installed.*mien\[evaluate\]"):
        confusion_png(metrics_of([[1, 0], [0, 1]]), tmp_path / "confusion.png")
