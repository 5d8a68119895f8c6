"""Vector scaling recovers what was done to the logits."""

from __future__ import annotations

import numpy as np
import pytest

from mien.contract.errors import DataError
from mien.evaluate.calibrate import apply_temperature
from mien.evaluate.vector import calibration, fit_vector


def drawn(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax."""
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(scale=2, size=(n, 4))
    cumulative_NC = apply_temperature(logits_NC, 1).cumsum(axis=1)
    cumulative_NC[:, -1] = 1
    return logits_NC, (rng.uniform(size=(n, 1)) < cumulative_NC).argmax(axis=1)


def test_factors_and_offsets_are_undone() -> None:
    logits_NC, labels_N = drawn(20_000)
    spoilt_NC = logits_NC / np.array([0.5, 1, 2, 1.2]) - np.array([1, 0, 0, -0.5])
    found = fit_vector(spoilt_NC, labels_N)
    assert found.factors_C == pytest.approx([0.5, 1, 2, 1.2], rel=0.08)
    np.testing.assert_allclose(found(spoilt_NC), apply_temperature(logits_NC, 1), atol=0.03)


def test_a_calibrated_model_is_left_alone() -> None:
    found = fit_vector(*drawn(20_000))
    assert found.factors_C == pytest.approx(np.ones(4), abs=0.05)
    assert found.offsets_C == pytest.approx(np.zeros(4), abs=0.07)


def test_a_class_without_faces_stays_finite() -> None:
    logits_NC, labels_N = drawn(500)
    kept = labels_N != 3
    found = fit_vector(logits_NC[kept], labels_N[kept])
    assert np.abs(found.offsets_C).max() < 20


def test_where_classes_are_off_by_different_amounts_vector_beats_temperature() -> None:
    logits_NC, labels_N = drawn(6000)
    found = calibration(logits_NC + np.array([2, 0, 0, -2]), labels_N)
    assert found["vector"]["ece_cross_fitted"] < 0.025 < found["ece_before"]
    assert found["vector"]["ece_cross_fitted"] < found["temperature"]["ece_cross_fitted"]
    assert found["vector"]["accuracy_cross_fitted"] > 0.5


def test_refused() -> None:
    with pytest.raises(DataError, match="finite logits"):
        fit_vector([[0.0, np.nan]], [0])
    with pytest.raises(DataError, match="at least 5 faces"):
        calibration(np.zeros((3, 2)), [0, 1, 0])
