"""Probabilities and labels -> figures, each with the number of faces that it rests on.

    metrics = evaluate(probs_NC, labels_N, ("angry", "disgust", …))
    metrics.accuracy, metrics.accuracy_95, metrics.per_class["fear"].recall

A class without a face has no recall: its figures are None, not zero, and the averages over classes leave it out.
Not here: intervals that need resampling (intervals.py), calibration error (calibration_error.py), running a model
(scoring.py), calibrating it (calibration.py), pages and tables (mien.report).

Shape legend: N faces, C classes, R resamplings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import MissingExtraError
from mien.contract.plain_types import plain
from mien.contract.statistics import Interval, wilson_interval
from mien.evaluate.calibration_error import debiased_calibration_error, expected_calibration_error
from mien.evaluate.predictions import check_predictions
from mien.evaluate.ranking import ranking


@dataclass(frozen=True)
class ClassMetrics:
    """Figures of one class; all but ``support`` are None where the class has no face.

    Attributes:
        precision: share of the answers with this class that are right, 0..1; 0 if the model never gives it, as in
            scikit-learn.
        recall: share of the faces of this class that the model finds, 0..1.
        f1: harmonic mean of the two.
        roc_auc: area under the ROC curve of this class against the rest; None also where there is no rest.
        average_precision: of this class against the rest.
        support: faces of this class.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None
    support: int


@dataclass(frozen=True)
class Metrics:
    """What ``evaluate`` measures. Shares lie in 0..1.

    Attributes:
        n: faces.
        accuracy: share of the faces that are right, with Wilson's interval as ``accuracy_95``.
        top2: share of the faces whose true class is among the two likeliest, likewise.
        balanced_accuracy: mean recall of the classes.
        macro_f1: mean F1 of the classes.
        roc_auc: mean of the classes; None where none has the figure.
        average_precision: mean of the classes.
        kappa: Cohen's kappa; None where chance alone would always agree.
        nll: mean negative log-likelihood in nats; a probability of 0 counts as 2e-16.
        brier: mean squared distance to the one-hot truth, 0..2. A row's missing share to 1 counts as one more class.
        ece: see ``expected_calibration_error``.
        ece_debiased: see ``debiased_calibration_error``.
        per_class: by class name.
        confusion: counts; rows are the true class, columns the predicted one.
        labels: class names in index order.
    """

    n: int
    accuracy: float
    accuracy_95: Interval
    top2: float
    top2_95: Interval
    balanced_accuracy: float | None
    macro_f1: float | None
    roc_auc: float | None
    average_precision: float | None
    kappa: float | None
    nll: float
    brier: float
    ece: float
    ece_debiased: float
    per_class: Mapping[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON's types, under their own names."""
        return dict(plain(self))


def evaluate(probs_NC: ArrayLike, labels_N: ArrayLike, labels: tuple[str, ...]) -> Metrics:
    """Score probabilities against labels.

    Args:
        probs_NC: shape (N, C), N at least 1. A row sums to 1 (rows within 1e-3 of it are normalised), or to less where
            the model rejects the face: it gives the missing share to none of the classes.
        labels_N: shape (N,), index of the true class, 0..C-1.
        labels: the C class names in index order.

    Raises:
        DataError: labels of the wrong shape or range.
        ModelError: the values are not probabilities.
    """
    try:
        from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None

    probs_NC, labels_N = check_predictions(probs_NC, labels_N, len(labels))
    classes = np.arange(len(labels))
    predicted_N = probs_NC.argmax(axis=1)
    nll_N, brier_N = nll_and_brier(probs_NC, labels_N)
    correct, n = int((predicted_N == labels_N).sum()), len(labels_N)
    columns = precision_recall_fscore_support(labels_N, predicted_N, labels=classes, zero_division=0)
    per_class: dict[str, ClassMetrics] = {}
    for index, (name, precision, recall, f1, support) in enumerate(zip(labels, *columns, strict=True)):
        auc_R, ap_R = ranking(probs_NC[:, index], labels_N == index)
        if support:
            auc, ap = _or_none(auc_R[0]), _or_none(ap_R[0])
            per_class[name] = ClassMetrics(float(precision), float(recall), float(f1), auc, ap, int(support))
        else:
            per_class[name] = ClassMetrics(None, None, None, None, None, 0)
    counts_CC = confusion_matrix(labels_N, predicted_N, labels=classes)
    second_N = np.argsort(-probs_NC, axis=1, kind="stable")[:, 1]  # a tie goes to the first class, as in argmax
    in_two = correct + int((second_N == labels_N).sum())
    rows = list(per_class.values())
    return Metrics(
        n=n,
        accuracy=correct / n,
        accuracy_95=wilson_interval(correct, n),
        top2=in_two / n,
        top2_95=wilson_interval(in_two, n),
        balanced_accuracy=_mean([row.recall for row in rows]),
        macro_f1=_mean([row.f1 for row in rows]),
        roc_auc=_mean([row.roc_auc for row in rows]),
        average_precision=_mean([row.average_precision for row in rows]),
        kappa=_or_none(kappa(counts_CC[None])[0]),
        nll=float(nll_N.mean()),
        brier=float(brier_N.mean()),
        ece=expected_calibration_error(probs_NC, labels_N),
        ece_debiased=debiased_calibration_error(probs_NC, labels_N),
        per_class=per_class,
        confusion=tuple(map(tuple, counts_CC.tolist())),
        labels=tuple(labels),
    )


def nll_and_brier(
    probs_NC: NDArray[np.float64], labels_N: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Negative log-likelihood and Brier score of each face; a row's missing share to 1 counts as a wrong class."""
    true_N = probs_NC[np.arange(len(probs_NC)), labels_N]
    rejected_N = np.clip(1 - probs_NC.sum(axis=1), 0, 1)
    distance_N = ((probs_NC - np.eye(probs_NC.shape[1])[labels_N]) ** 2).sum(axis=1) + rejected_N**2
    return -np.log(np.maximum(true_N, np.finfo(np.float64).eps)), distance_N


def kappa(counts_RCC: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa of R confusion matrices, each of at least one face; NaN where chance alone would always agree."""
    shares_RCC = np.asarray(counts_RCC, dtype=np.float64)
    shares_RCC = shares_RCC / shares_RCC.sum(axis=(1, 2), keepdims=True)
    chance_R = (shares_RCC.sum(axis=1) * shares_RCC.sum(axis=2)).sum(axis=1)
    agreed_R = np.trace(shares_RCC, axis1=1, axis2=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance_R < 1 - 1e-12, (agreed_R - chance_R) / (1 - chance_R), np.nan)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
