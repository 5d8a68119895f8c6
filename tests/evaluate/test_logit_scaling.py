"""Vector scaling and the curve recover what was done to the logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.contract.card import ImageSpec, ModelCard
from mien.contract.errors import DataError
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.logit_scaling import Scaling, calibration, fit_curve, fit_vector


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
    assert found.vector.ece_cross_fitted < 0.025 < found.ece_before
    assert found.vector.ece_cross_fitted < found.temperature.ece_cross_fitted
    assert found.vector.accuracy_cross_fitted > 0.5


def test_the_curve_is_undone_and_no_answer_changes() -> None:
    logits_NC, labels_N = drawn(40_000)
    wanted = Scaling((1.0,) * 4, (0.0,) * 4, (0.4, -1.2, 1.5))
    wanted_NC = wanted(logits_NC)
    drawn_N = (np.random.default_rng(1).uniform(size=(len(logits_NC), 1)) < wanted_NC.cumsum(axis=1)).argmax(axis=1)
    found = fit_curve(logits_NC, drawn_N)
    np.testing.assert_allclose(found(logits_NC), wanted_NC, atol=0.03)
    assert np.array_equal(wanted_NC.argmax(axis=1), logits_NC.argmax(axis=1))
    lead = np.sort(logits_NC[0])[-1] - np.sort(logits_NC[0])[-2]
    u = lead / (1 + lead)
    by_hand = apply_temperature(logits_NC[:1] * np.exp(0.4 - 1.2 * u + 1.5 * u**2), 1)
    np.testing.assert_allclose(wanted_NC[:1], by_hand, atol=1e-12)
    better = calibration(logits_NC, drawn_N)
    assert better.curve.ece_cross_fitted < 0.7 * better.temperature.ece_cross_fitted


def test_a_set_without_errors_does_not_sharpen_without_end() -> None:
    logits_NC = np.random.default_rng(0).normal(size=(200, 3))
    found = fit_curve(logits_NC, logits_NC.argmax(axis=1))
    assert np.abs(found.curve_K).max() <= 3 and np.isfinite(found(logits_NC)).all()


def test_what_the_card_says() -> None:
    assert Scaling.even(3, 2.0).facts() == {"temperature": 2.0, "vector": None, "curve": None}
    vector = Scaling((1.0, 2.0), (0.0, 0.5))
    assert vector.facts() == {"temperature": 1.0, "vector": {"factors": [1, 2], "offsets": [0, 0.5]}, "curve": None}
    curve = Scaling((1.0, 1.0), (0.0, 0.0), (1.0, 2.0, 3.0))
    assert curve.facts() == {"temperature": 1.0, "vector": None, "curve": [1.0, 2.0, 3.0]}
    card = ModelCard("two", ("happy", "sad"), ImageSpec(48, 1, {}), temperature=1.0, accept_threshold=0.5)
    for scaling in (Scaling.even(2, 2.0), vector, curve):
        assert Scaling.of_card(replace(card, **scaling.facts())) == scaling


def test_refused() -> None:
    with pytest.raises(DataError, match="finite logits"):
        fit_vector([[0.0, np.nan]], [0])
    with pytest.raises(DataError, match="at least 5 faces"):
        calibration(np.zeros((3, 2)), [0, 1, 0])
