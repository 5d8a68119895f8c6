"""Ranking figures against scikit-learn's, with ties and with weights, and the curves that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from mien.evaluate.ranking import ranking, ranking_curve


@given(st.integers(0, 2**32), st.integers(2, 80))
def test_equal_to_scikit_learn_with_ties(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores_N = rng.integers(0, 6, n) / 6
    positive_N = np.r_[True, False, rng.uniform(size=n - 2) < 0.4]
    auc_R, ap_R = ranking(scores_N, positive_N)
    assert auc_R[0] == pytest.approx(sk.roc_auc_score(positive_N, scores_N), abs=1e-9)
    assert ap_R[0] == pytest.approx(sk.average_precision_score(positive_N, scores_N), abs=1e-9)


def test_weights_count_as_repeated_faces() -> None:
    rng = np.random.default_rng(0)
    scores_N, positive_N = rng.normal(size=50).round(1), rng.uniform(size=50) < 0.3
    weights_RN = rng.integers(0, 4, (5, 50)).astype(float)
    auc_R, ap_R = ranking(scores_N, positive_N, weights_RN)
    for weights_N, auc, ap in zip(weights_RN.astype(int), auc_R, ap_R, strict=True):
        again = np.repeat(np.arange(50), weights_N)
        assert auc == pytest.approx(sk.roc_auc_score(positive_N[again], scores_N[again]), abs=1e-9)
        assert ap == pytest.approx(sk.average_precision_score(positive_N[again], scores_N[again]), abs=1e-9)


def test_without_one_side_there_is_no_area() -> None:
    auc_R, ap_R = ranking(np.array([0.1, 0.9]), np.array([True, True]))
    assert np.isnan(auc_R[0]) and ap_R[0] == 1
    auc_R, ap_R = ranking(np.array([0.1, 0.9]), np.array([False, False]))
    assert np.isnan(auc_R[0]) and np.isnan(ap_R[0])


def test_curves_lie_on_scikit_learns_and_enclose_its_area() -> None:
    rng = np.random.default_rng(1)
    positive_N = rng.uniform(size=3000) < 0.02  # a rare class, whose corners thinning must keep
    scores_N = rng.normal(size=3000) + 1.5 * positive_N
    points = ranking_curve(scores_N, positive_N)
    assert len(points.fpr) < 250
    fpr, tpr, _ = sk.roc_curve(positive_N, scores_N, drop_intermediate=False)
    assert set(zip(points.fpr, points.tpr, strict=True)) <= set(zip(fpr.tolist(), tpr.tolist(), strict=True))
    assert (points.fpr[0], points.tpr[0], points.fpr[-1], points.tpr[-1]) == (0, 0, 1, 1)
    area = sk.auc(points.fpr, points.tpr)
    assert area == pytest.approx(sk.roc_auc_score(positive_N, scores_N), abs=0.01)
