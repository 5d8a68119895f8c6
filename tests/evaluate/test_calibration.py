"""Temperature recovered from a known one, and the abstention threshold against a case worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mien.contract.errors import DataError, ModelError
from mien.evaluate.calibration import accept_threshold, apply_temperature, cross_fit_ece, fit_temperature
from mien.evaluate.calibration_error import (
    debiased_calibration_error,
    expected_calibration_error,
    squared_calibration_error,
)


def calibrated(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits whose softmax is the very distribution that the labels are drawn from."""
    rng = np.random.default_rng(seed)
    logits_NC = rng.normal(scale=2, size=(n, 7))
    cumulative_NC = apply_temperature(logits_NC, 1).cumsum(axis=1)
    cumulative_NC[:, -1] = 1
    return logits_NC, (rng.uniform(size=(n, 1)) < cumulative_NC).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_recovered(factor: float) -> None:
    """Labels in exactly the shares that the probabilities say, so that chance has no part in the answer."""
    tenths_RC = np.array([[5, 3, 2], [8, 1, 1], [1, 2, 7]])
    labels_N = np.concatenate([np.repeat(np.arange(3), tenths_C) for tenths_C in tenths_RC])
    logits_NC = np.repeat(np.log(tenths_RC / 10), 10, axis=0) * factor
    assert fit_temperature(logits_NC, labels_N) == pytest.approx(factor, rel=1e-4)


def test_log_probabilities_do_as_well_as_logits() -> None:
    logits_NC, labels_N = calibrated(2_000)
    log_probs_NC = np.log(apply_temperature(logits_NC, 1))
    assert fit_temperature(log_probs_NC, labels_N) == pytest.approx(fit_temperature(logits_NC, labels_N), rel=1e-5)


def test_all_right_or_all_wrong_stays_in_the_range() -> None:
    assert 0.05 <= fit_temperature(np.eye(3) * 5, [0, 1, 2]) < 0.15  # below, the likelihood is 1 in double precision
    assert fit_temperature(np.eye(3) * 5, [1, 2, 0]) == pytest.approx(20, rel=1e-3)


def test_cross_fitting_removes_the_overconfidence_and_is_reproducible() -> None:
    logits_NC, labels_N = calibrated(5_000)
    boastful_NC = logits_NC * 2.5
    before = expected_calibration_error(apply_temperature(boastful_NC, 1), labels_N)
    after = cross_fit_ece(boastful_NC, labels_N)
    assert before > 0.1 and after < 0.03
    assert after == cross_fit_ece(boastful_NC, labels_N) != cross_fit_ece(boastful_NC, labels_N, seed=1)


@pytest.mark.parametrize(
    ("error_rate", "threshold"),
    [
        (0.0, 0.9),  # .95 and .9 are right
        (0.2, 0.7),  # of .95 .9 .8 .75 .7 one is wrong
        (0.3, 0.7),  # one more would make 2 of 6
        (0.34, 0.5),  # 2 of 6, and .5 occurs once
        (0.5, 0.4),  # all: 3 of 8; the two of .4 come together
    ],
)
def test_threshold_by_hand(error_rate: float, threshold: float) -> None:
    confidence_N = np.array([0.4, 0.95, 0.7, 0.8, 0.9, 0.75, 0.5, 0.4])
    right_N = np.array([True, True, True, False, True, True, False, False])
    probs_NC = np.concatenate([confidence_N[:, None], np.repeat((1 - confidence_N)[:, None] / 3, 3, axis=1)], axis=1)
    assert accept_threshold(probs_NC, np.where(right_N, 0, 1), error_rate) == threshold


def test_no_threshold_is_good_enough() -> None:
    assert accept_threshold([[0.9, 0.1], [0.6, 0.4]], [1, 0], error_rate=0.1) == 1.0


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0, 1))
def test_the_rate_holds_and_nothing_smaller_would_do(seed: int, n: int, error_rate: float) -> None:
    rng = np.random.default_rng(seed)
    probs_NC = apply_temperature(rng.integers(0, 4, (n, 3)), 1)  # few levels, so many ties
    labels_N = rng.integers(0, 3, n)
    threshold = accept_threshold(probs_NC, labels_N, error_rate)
    confidence_N, wrong_N = probs_NC.max(axis=1), probs_NC.argmax(axis=1) != labels_N
    risks = {t: wrong_N[confidence_N >= t].mean() for t in confidence_N.tolist()}
    good = [t for t, risk in risks.items() if risk <= error_rate]
    assert threshold == (min(good) if good else 1.0)


def test_refused() -> None:
    with pytest.raises(DataError, match=r"error_rate in 0\.\.1, got 1.5"):
        accept_threshold([[0.5, 0.5]], [0], 1.5)
    with pytest.raises(ModelError, match="sum to at most 1"):
        accept_threshold([[0.5, 0.9]], [0], 0.1)
    with pytest.raises(DataError, match=r"got \(2, 2\) and \(1,\)"):
        fit_temperature(np.zeros((2, 2)), [0])
    with pytest.raises(DataError, match="finite logits"):
        fit_temperature([[0.0, -np.inf]], [0])
    with pytest.raises(DataError, match="finite logits and labels that index"):
        fit_temperature([[0.0, 1.0]], [2])
    with pytest.raises(DataError, match="at least 5 faces"):
        cross_fit_ece(np.zeros((3, 2)), [0, 1, 0])


def _faces(n: int, gap: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Faces of two classes whose confidence is ``gap`` higher than their accuracy."""
    confidence_N = rng.uniform(0.6, 0.95, n)
    right_N = rng.uniform(size=n) < confidence_N - gap
    return np.stack([confidence_N, 1 - confidence_N], axis=1), np.where(right_N, 0, 1)


@pytest.mark.parametrize("n", [60, 300, 3000])
@pytest.mark.parametrize("gap", [0.0, 0.08])
def test_the_debiased_square_does_not_depend_on_the_number_of_faces(n: int, gap: float) -> None:
    """Its mean over many sets is the true squared gap, where the ECE of 60 faces is several times too large."""
    rng = np.random.default_rng(n)
    sets = [_faces(n, gap, rng) for _ in range(400)]
    squares = [squared_calibration_error(probs_NC, labels_N) for probs_NC, labels_N in sets]
    standard_error = float(np.std(squares)) / 20
    assert abs(np.mean(squares) - gap**2) < 4 * standard_error
    eces = [expected_calibration_error(*each) for each in sets[:50]]
    if n == 60 and gap == 0:
        assert np.mean(eces) > 0.1


@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_debiased_error_is_a_share_that_no_order_changes(n: int, seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    probs_NC = rng.dirichlet([0.4] * 4, n).round(decimals)
    labels_N, order_N = rng.integers(0, 4, n), rng.permutation(n)
    found = debiased_calibration_error(probs_NC, labels_N)
    assert 0 <= found <= 1
    assert debiased_calibration_error(probs_NC[order_N], labels_N[order_N]) == pytest.approx(found, abs=1e-9)


def test_the_debiased_error_of_a_boaster() -> None:
    assert debiased_calibration_error(np.tile([1.0, 0.0], (40, 1)), np.ones(40, dtype=np.int64)) == pytest.approx(1)
    assert debiased_calibration_error(np.tile([1.0, 0.0], (40, 1)), np.zeros(40, dtype=np.int64)) == 0
