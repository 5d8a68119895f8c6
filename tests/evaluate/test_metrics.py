"""Figures against scikit-learn's, cases worked by hand, and values that are not probabilities."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from mien.contract.errors import DataError, ModelError
from mien.evaluate.calibration_error import expected_calibration_error
from mien.evaluate.metrics import ClassMetrics, evaluate

LABELS = ("angry", "happy", "sad", "neutral")


def predictions(n: int, classes: int = 4, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, classes, n)
    logits_NC = rng.normal(size=(n, classes))
    logits_NC[np.arange(n), labels_N] += 1
    exp_NC = np.exp(logits_NC)
    return exp_NC / exp_NC.sum(axis=1, keepdims=True), labels_N


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(seed: int) -> None:
    probs_NC, labels_N = predictions(500, seed=seed)
    predicted_N = probs_NC.argmax(axis=1)
    found = evaluate(probs_NC, labels_N, LABELS)
    close: dict[str, Any] = {"rel": 0, "abs": 1e-9}
    assert found.n == 500
    assert found.accuracy == pytest.approx(sk.accuracy_score(labels_N, predicted_N), **close)
    assert found.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(labels_N, predicted_N), **close)
    assert found.macro_f1 == pytest.approx(sk.f1_score(labels_N, predicted_N, average="macro"), **close)
    assert found.nll == pytest.approx(sk.log_loss(labels_N, probs_NC), **close)
    assert np.array_equal(found.confusion, sk.confusion_matrix(labels_N, predicted_N))
    assert found.top2 == pytest.approx(sk.top_k_accuracy_score(labels_N, probs_NC, k=2), **close)
    assert found.kappa == pytest.approx(sk.cohen_kappa_score(labels_N, predicted_N), **close)
    assert found.brier == pytest.approx(sk.brier_score_loss(labels_N, probs_NC, scale_by_half=False), **close)
    assert found.roc_auc == pytest.approx(sk.roc_auc_score(labels_N, probs_NC, multi_class="ovr"), **close)
    assert found.average_precision == pytest.approx(sk.average_precision_score(labels_N, probs_NC), **close)
    for index, name in enumerate(LABELS):
        own = found.per_class[name]
        assert own.roc_auc == pytest.approx(sk.roc_auc_score(labels_N == index, probs_NC[:, index]), **close)
        assert own.average_precision == pytest.approx(
            sk.average_precision_score(labels_N == index, probs_NC[:, index]), **close
        )
    report = sk.classification_report(labels_N, predicted_N, target_names=LABELS, output_dict=True)
    for name in LABELS:
        assert found.per_class[name].support == report[name]["support"]
        for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert getattr(found.per_class[name], ours) == pytest.approx(report[name][theirs], **close)
    plain = found.to_dict()
    assert json.loads(json.dumps(plain)) == plain and plain["per_class"]["sad"]["f1"] == found.per_class["sad"].f1


def test_by_hand_with_a_class_that_is_not_there_and_one_that_is_never_predicted() -> None:
    probs_NC = np.array(
        [
            [0.7, 0.1, 0.1, 0.1],  # angry, right
            [0.1, 0.6, 0.2, 0.1],  # angry, taken for happy
            [0.0, 1.0, 0.0, 0.0],  # happy, right
            [0.4, 0.3, 0.2, 0.1],  # sad, taken for angry
        ]
    )
    found = evaluate(probs_NC, [0, 0, 1, 2], LABELS)
    assert found.accuracy == 0.5
    assert found.balanced_accuracy == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert found.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert found.nll == pytest.approx(-(math.log(0.7) + math.log(0.1) + math.log(1.0) + math.log(0.2)) / 4)
    happy = ClassMetrics(precision=0.5, recall=1.0, f1=2 / 3, roc_auc=1.0, average_precision=1.0, support=1)
    assert found.per_class["happy"] == happy
    sad = found.per_class["sad"]
    assert (sad.precision, sad.recall, sad.f1, sad.support) == (0.0, 0.0, 0.0, 1)
    assert sad.roc_auc == pytest.approx((1 + 1 / 2 + 1) / 3)  # above .1 and 0, beside the other .2
    assert found.per_class["neutral"] == ClassMetrics(None, None, None, None, None, 0)
    assert found.top2 == 0.5  # the two that are wrong have the truth third
    assert found.confusion == ((1, 1, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0))


def test_a_split_of_one_class_has_no_ranking_and_no_kappa() -> None:
    found = evaluate([[0.7, 0.1, 0.1, 0.1], [0.6, 0.4, 0, 0]], [0, 0], LABELS)
    assert (found.accuracy, found.balanced_accuracy) == (1.0, 1.0)
    assert (found.kappa, found.roc_auc) == (None, None)
    assert found.per_class["angry"].average_precision == 1.0
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


def test_ece_by_hand() -> None:
    """Two bins of three: confidences .5 .6 .7 with one right, .8 .9 1.0 with two right."""
    confidence_N = np.array([0.9, 0.5, 1.0, 0.7, 0.6, 0.8])
    right_N = np.array([True, False, True, True, False, False])
    probs_NC = np.stack([confidence_N, 1 - confidence_N], axis=1)
    labels_N = np.where(right_N, 0, 1)
    by_hand = (3 * abs(0.6 - 1 / 3) + 3 * abs(0.9 - 2 / 3)) / 6
    assert expected_calibration_error(probs_NC, labels_N, bins=2) == pytest.approx(by_hand)
    each = np.abs(confidence_N - right_N).mean()
    assert expected_calibration_error(probs_NC, labels_N, bins=15) == pytest.approx(each)


def test_ece_of_a_calibrated_and_of_an_overconfident_model() -> None:
    rng = np.random.default_rng(0)
    confidence_N = rng.uniform(0.5, 1, 20_000)
    labels_N = (rng.uniform(size=20_000) > confidence_N).astype(int)
    honest = np.stack([confidence_N, 1 - confidence_N], axis=1)
    assert expected_calibration_error(honest, labels_N) < 0.015
    boastful = np.tile([0.95, 0.05], (20_000, 1))
    assert expected_calibration_error(boastful, labels_N) == pytest.approx(0.2, abs=0.01)


def test_ece_does_not_depend_on_the_order_of_equal_confidences() -> None:
    """Forty sure answers and sixty less sure ones, sorted by class as folders are, then shuffled."""
    confidence_N, right_N = np.repeat([0.9, 0.6], [40, 60]), np.r_[np.arange(40) < 36, np.arange(60) < 30]
    probs_NC = np.stack([confidence_N, 1 - confidence_N], axis=1)
    labels_N = np.where(right_N, 0, 1)
    shuffled_N = np.random.default_rng(0).permutation(100)
    assert expected_calibration_error(probs_NC, labels_N) == pytest.approx((40 * 0 + 60 * 0.1) / 100)
    assert expected_calibration_error(probs_NC[shuffled_N], labels_N[shuffled_N]) == pytest.approx(0.06)


def test_float32_rows_are_normalised() -> None:
    probs_NC, labels_N = predictions(200)
    rough = (probs_NC * 1.0005).astype(np.float32)
    assert evaluate(rough, labels_N, LABELS).nll == pytest.approx(evaluate(probs_NC, labels_N, LABELS).nll, 1e-6)


GOOD = [[0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]]


@pytest.mark.parametrize(
    ("probs", "labels", "error", "message"),
    [
        (GOOD, [0], DataError, r"expected 2 whole-number labels, got int64 of shape \(1,\)"),
        (GOOD, [0.0, 1.0], DataError, "whole-number labels, got float64"),
        (GOOD, [0, 4], DataError, r"labels in 0\.\.3, got 0\.\.4"),
        (GOOD, [-1, 0], DataError, r"labels in 0\.\.3, got -1\.\.0"),
        ([row[:3] for row in GOOD], [0, 1], ModelError, r"shape \(N >= 1, 4\), got \(2, 3\)"),
        (GOOD[0], [0], ModelError, r"got \(4,\)"),
        (np.empty((0, 4)), np.empty(0, int), ModelError, r"got \(0, 4\)"),
        ([GOOD[0], [np.nan, 0.5, 0.25, 0.25]], [0, 1], ModelError, r"got \[nan, 0.5, 0.25, 0.25\] in row 1"),
        ([GOOD[0], [1.2, -0.2, 0, 0]], [0, 1], ModelError, "in row 1"),
        ([[2.0, 1.0, -1.0, 3.0]] * 2, [0, 1], ModelError, "2 of 2 rows are wrong"),
        ([[0.4, 0.4, 0.2, 0.2]] * 2, [0, 1], ModelError, "sum to at most 1"),
    ],
)
def test_refused(probs: Any, labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(probs, labels, LABELS)


def test_what_a_row_lacks_to_one_is_a_class_of_its_own() -> None:
    probs_NC, truth_N = np.array([[0.6, 0.1], [0.2, 0.3]]), np.array([0, 1])
    whole = evaluate(np.c_[probs_NC, [0.3, 0.5]], truth_N, ("a", "b", "rest"))
    lacking = evaluate(probs_NC, truth_N, ("a", "b"))
    for figure in ("nll", "brier"):
        assert getattr(lacking, figure) == pytest.approx(getattr(whole, figure))
    assert lacking.accuracy == 1 and whole.accuracy == 0.5  # rest is no answer that could be given
