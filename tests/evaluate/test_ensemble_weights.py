"""Weights of an ensemble: the better model gets more, a useless one nothing, and no face weighs its own answer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from mien.contract.errors import DataError
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.ensemble_weights import average, averaged_predictor, cross_fit_average, fit_weights


def models(n: int = 1500) -> tuple[list[np.ndarray], np.ndarray]:
    """One good model, one worse, one that knows nothing."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 3, n)
    noisy = [apply_temperature(np.eye(3)[labels_N] * k + rng.normal(size=(n, 3)), 1) for k in (2, 1.2, 0)]
    return noisy, labels_N


def test_weights_are_those_of_a_grid_search() -> None:
    probs_MNC, labels_N = models()
    weights_M = fit_weights(probs_MNC[:2], labels_N)
    grid = np.linspace(0, 1, 501)
    best = min(grid, key=lambda share: log_loss(labels_N, average(probs_MNC[:2], [share, 1 - share])))
    assert weights_M[0] == pytest.approx(best, abs=0.01)
    assert weights_M.sum() == pytest.approx(1)


def test_a_useless_model_gets_next_to_nothing() -> None:
    probs_MNC, labels_N = models()
    first, _, useless = fit_weights(probs_MNC, labels_N)
    assert first > 0.5 and useless < 0.02


def test_cross_fitting_hardly_differs_and_averages_every_face() -> None:
    probs_MNC, labels_N = models()
    crossed_NC = cross_fit_average(probs_MNC, labels_N)
    np.testing.assert_allclose(crossed_NC.sum(axis=1), 1)
    np.testing.assert_allclose(crossed_NC, average(probs_MNC, fit_weights(probs_MNC, labels_N)), atol=0.05)
    assert not np.array_equal(crossed_NC, average(probs_MNC, fit_weights(probs_MNC, labels_N)))
    with pytest.raises(DataError, match="at least 5 faces"):
        cross_fit_average([probs_MNC[0][:3]], labels_N[:3])


def test_averaged_predictor() -> None:
    black = np.zeros((2, 8, 8), np.uint8)
    predictor = averaged_predictor(
        [lambda faces: np.array([[1.0, 0]] * 2), lambda faces: np.array([[0, 1.0]] * 2)], [0.75, 0.25]
    )
    assert predictor(black).tolist() == [[0.75, 0.25]] * 2
