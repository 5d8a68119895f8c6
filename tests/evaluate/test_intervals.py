"""Intervals: seeded, around their figure, as wide as theory says, and absent where there is nothing to resample."""

from __future__ import annotations

import numpy as np
import pytest

from mien.contract.statistics import wilson_interval
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.intervals import ClassIntervals, ece_if_calibrated_95, intervals_95, resamplings
from mien.evaluate.metrics import evaluate

LABELS = ("angry", "happy", "sad")


def answers(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 3, n)
    logits_NC = rng.normal(size=(n, 3))
    logits_NC[np.arange(n), labels_N] += 1.2
    return apply_temperature(logits_NC, 1), labels_N


def test_every_interval_holds_its_figure_and_is_the_same_again() -> None:
    probs_NC, labels_N = answers()
    found, figures = intervals_95(probs_NC, labels_N, LABELS, 300), evaluate(probs_NC, labels_N, LABELS)
    for name in ("balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "kappa", "nll", "brier"):
        low, high = getattr(found, name)
        assert low < getattr(figures, name) < high
        assert high - low < 0.25
    for emotion, row in found.per_class.items():
        for key, (low, high) in vars(row).items():
            assert low < getattr(figures.per_class[emotion], key) < high
    assert found == intervals_95(probs_NC, labels_N, LABELS, 300)
    assert found != intervals_95(probs_NC, labels_N, LABELS, 300, seed=1)


def test_as_wide_as_the_normal_approximation_says() -> None:
    probs_NC, labels_N = answers(2000)
    low, high = intervals_95(probs_NC, labels_N, LABELS, 1000).nll
    own_N = probs_NC[np.arange(2000), labels_N]
    assert high - low == pytest.approx(2 * 1.96 * np.log(own_N).std() / np.sqrt(2000), rel=0.1)


def test_shares_of_a_class_have_wilsons_interval() -> None:
    probs_NC = np.eye(3)[[0, 0, 1, 1, 0]]
    row = intervals_95(probs_NC, [0, 0, 0, 1, 1], LABELS, 50).per_class
    assert row["angry"].recall == wilson_interval(2, 3)
    assert row["happy"].precision == wilson_interval(1, 2)
    assert row["sad"] == ClassIntervals(None, None, None, None, None)


def test_resamplings_draw_as_many_as_there_are() -> None:
    weights_RN = resamplings(50, 200, seed=0)
    assert (weights_RN.sum(axis=1) == 50).all()
    assert weights_RN.mean(axis=0) == pytest.approx(np.ones(50), abs=0.35)
    assert weights_RN.var() == pytest.approx(1 - 1 / 50, rel=0.05)


def test_the_floor_of_ece_shrinks_with_the_faces() -> None:
    small, large = (ece_if_calibrated_95(answers(n)[0], repeats=50) for n in (200, 5000))
    assert 0.02 < small[0] < small[1] < 0.15
    assert large[1] < small[0]
