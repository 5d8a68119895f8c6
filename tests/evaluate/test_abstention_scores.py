"""Scores rank as they should on answers whose errors are known, and fitted ones never see the face they judge."""

from __future__ import annotations

import numpy as np
import pytest

from mien.evaluate.abstention_scores import answer_scores, compare_scores, fitted_scores


def test_answer_scores_by_hand() -> None:
    found = answer_scores(np.array([[0.7, 0.2, 0.1]]))
    assert found["confidence"][0] == 0.7
    assert found["margin"][0] == pytest.approx(0.5)
    assert found["entropy"][0] == pytest.approx(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1))
    assert found["log ratio"][0] == pytest.approx(np.log(3.5))


def test_curve_by_hand_and_order() -> None:
    probs_NC = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.55, 0.45]])
    labels_N = np.array([0, 1, 0, 1, 0])  # the second and the fourth answer are wrong
    found = {each.name: each for each in compare_scores(probs_NC, labels_N)}
    assert found["confidence"].aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4 + 2 / 5) / 5)
    assert found["confidence"].error_at_80 == pytest.approx(0.5)
    assert found["confidence"].share_at_80 == pytest.approx(1.25)
    assert found["best possible"].aurc == pytest.approx((1 / 4 + 2 / 5) / 5)
    assert found["confidence"].aurc_less_confidence_95 == (0, 0)


def test_distance_finds_errors_that_confidence_cannot() -> None:
    """A third of the faces lie far from their class and are wrong, at the confidence of the others."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, 2, 600)
    features_NK = rng.normal(size=(600, 5)) + 4 * labels_N[:, None]
    odd_N = rng.uniform(size=600) < 0.3
    features_NK[odd_N, 2:] += 12
    said_N = np.where(odd_N, 1 - labels_N, labels_N)
    probs_NC = np.full((600, 2), 0.2)
    probs_NC[np.arange(600), said_N] = 0.8
    scores = fitted_scores(probs_NC, labels_N, features_NK)
    found = {each.name: each for each in compare_scores(probs_NC, labels_N, scores)}
    assert found["distance"].aurc < 0.6 * found["confidence"].aurc
    assert found["distance"].aurc_less_confidence_95[1] < 0
    assert found["learnt"].aurc < 0.6 * found["confidence"].aurc


def test_a_score_of_noise_is_no_better_than_chance() -> None:
    rng = np.random.default_rng(1)
    probs_NC = rng.dirichlet([1, 1, 1], 2000)
    labels_N = rng.integers(0, 3, 2000)
    scores = fitted_scores(probs_NC, labels_N, rng.normal(size=(2000, 4)))
    found = {each.name: each for each in compare_scores(probs_NC, labels_N, scores)}
    assert found["learnt"].share_at_80 == pytest.approx(1, abs=0.05)  # cross-fitted, so nothing is learnt by heart
