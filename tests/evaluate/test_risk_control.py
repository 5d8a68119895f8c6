"""Thresholds whose promise is checked against an error rate that is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from mien.contract.errors import DataError
from mien.evaluate.risk_control import control_risk, control_risk_of, fit_risks, risk_over_splits


def draw(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidences c uniform in 0..1, wrong with a probability of 0.6 (1 - c)^2: the risk above t is 0.2 (1 - t)^2."""
    confidence_N = rng.uniform(size=n)
    return confidence_N, rng.uniform(size=n) < 0.6 * (1 - confidence_N) ** 2


def test_promise_is_broken_in_at_most_five_percent_of_the_draws() -> None:
    rng = np.random.default_rng(0)
    found = [control_risk_of(*draw(600, rng), 0.1) for _ in range(400)]
    assert sum(each.threshold is not None for each in found) > 390
    true_risk = [0.2 * (1 - each.threshold) ** 2 for each in found if each.threshold is not None]
    broken = sum(risk > 0.1 for risk in true_risk)
    assert broken <= binom.ppf(0.999, 400, 0.05)  # 36
    assert np.mean(true_risk) > 0.06  # not by abstaining from nearly everything


def test_bound_and_counts_of_a_case_by_hand() -> None:
    confidence_N = np.array([0.9] * 100 + [0.5] * 100)
    wrong_N = np.array([False] * 100 + [True] * 100)
    found = control_risk_of(confidence_N, wrong_N, 0.1)
    assert found.threshold == pytest.approx(0.505)
    assert (found.accepted, found.errors, found.faces) == (100, 0, 200)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / 100))
    assert "100 of 200 faces are accepted and 0 of these are wrong" in found.sentence


def test_it_says_when_it_cannot() -> None:
    few = control_risk_of(np.full(20, 0.9), np.zeros(20, dtype=bool), 0.1)  # 29 faces without error are needed
    bad = control_risk_of(np.full(500, 0.9), np.arange(500) % 2 == 0, 0.1)
    assert few.threshold is None and bad.threshold is None
    assert "no threshold was shown to keep the error rate at 10% or less" in few.sentence
    assert "give more labelled faces" in few.sentence
    with pytest.raises(DataError, match="between 0 and 1, got 0"):
        control_risk_of(np.full(5, 0.9), np.zeros(5, dtype=bool), 0)


def test_higher_rates_accept_more() -> None:
    rng = np.random.default_rng(1)
    confidence_N, wrong_N = draw(3000, rng)
    labels_N = wrong_N.astype(np.int64)
    probs_NC = np.stack([0.5 + confidence_N / 2, 0.5 - confidence_N / 2], axis=1)
    risks = fit_risks(probs_NC, labels_N)
    given = [limit for limit in risks.thresholds if limit is not None]
    assert given == sorted(given, reverse=True) and len(given) > 5
    assert risks.threshold(0.1) == control_risk(probs_NC, labels_N, 0.1).threshold


def test_realised_risk_over_splits() -> None:
    rng = np.random.default_rng(2)
    confidence_N, wrong_N = draw(3000, rng)
    probs_NC = np.stack([0.5 + confidence_N / 2, 0.5 - confidence_N / 2], axis=1)
    found = risk_over_splits(probs_NC, wrong_N.astype(np.int64), 0.1, splits=50)
    assert found.found == 50
    assert found.mean_risk is not None and 0.07 < found.mean_risk < 0.1
    hopeless = risk_over_splits(probs_NC, 1 - wrong_N.astype(np.int64), 0.1, splits=5)
    assert (hopeless.found, hopeless.mean_risk) == (0, None)


def test_faces_of_one_person_count_as_fewer() -> None:
    """Twenty faces of each of 60 persons, all right or all wrong: 1,200 faces are 60 trials."""
    rng = np.random.default_rng(0)
    kept, kept_by_person = 0, 0
    for _ in range(40):
        units_N = np.repeat(np.arange(60), 20)
        wrong_N = (rng.uniform(size=60) < 0.1)[units_N]  # the true risk is 0.1 at every threshold
        kept += control_risk_of(np.full(1200, 0.9), wrong_N, 0.099).threshold is not None
        kept_by_person += control_risk_of(np.full(1200, 0.9), wrong_N, 0.099, units_N=units_N).threshold is not None
    assert kept > 8  # face by face the promise is broken far more often than in 5 %
    assert kept_by_person <= 5
