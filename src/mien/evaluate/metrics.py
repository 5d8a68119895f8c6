"""Probabilities and labels -> figures, JSON-ready, each with the support it rests on.

    metrics = evaluate(probs_NC, labels_N, ("angry", "disgust", …))
    metrics["accuracy"], metrics["accuracy_95"], metrics["per_class"]["fear"]["recall"]

A class without a single face has no recall; it is null here, never zero, and left out of the averages over classes.
Not here: intervals that take resampling (intervals.py), running a model (scoring.py), calibrating one (calibration.py),
pages, pictures and tables (mien.report).

Shape legend: N faces, C classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError, MissingExtraError, ModelError
from mien.evaluate.ranking import ranking

ECE_BINS = 15
"""As in Guo et al. 2017 (arXiv:1706.04599)."""

ROW_SUM_TOLERANCE = 1e-3


def evaluate(probs_NC: ArrayLike, labels_N: ArrayLike, labels: tuple[str, ...]) -> dict[str, Any]:
    """Score probabilities against labels.

    Args:
        probs_NC: shape (N, C), N at least 1, rows summing to 1 (within 1e-3 they are normalised before use), or to
            less from a model that rejects: what is missing it gave to none of the classes.
        labels_N: shape (N,), index of the true class, 0..C-1.
        labels: the C class names in index order.

    Returns:
        Plain types, ready for JSON. Shares lie in 0..1, figures that do not exist are None:

        - ``n``, ``labels``, ``accuracy`` and ``top2`` (the true class is among the two likeliest), each with Wilson's
          interval as ``accuracy_95`` and ``top2_95``
        - ``balanced_accuracy``, ``macro_f1``, ``roc_auc`` and ``average_precision``: means over the classes that have
          the figure
        - ``kappa``: Cohen's; None where chance alone would agree always
        - ``nll``: mean negative log-likelihood in nats (a probability of 0 counts as 2e-16); ``brier``: mean squared
          distance to the one-hot truth, 0..2, rejection being one more class; ``ece``: see
          ``expected_calibration_error``
        - ``per_class``: by name ``precision`` (0 for a class that is never predicted, as in scikit-learn), ``recall``,
          ``f1``, ``roc_auc`` (against the rest), ``average_precision`` and ``support`` (faces)
        - ``confusion``: counts, rows are the true class, columns the predicted one

    Raises:
        DataError: labels of the wrong shape or range.
        ModelError: the probabilities are none.
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
    per_class: dict[str, dict[str, Any]] = {}
    for index, (name, precision, recall, f1, support) in enumerate(zip(labels, *columns, strict=True)):
        scores: dict[str, float | None] = {"precision": float(precision), "recall": float(recall), "f1": float(f1)}
        auc_R, ap_R = ranking(probs_NC[:, index], labels_N == index)
        scores |= {"roc_auc": _or_none(auc_R[0]), "average_precision": _or_none(ap_R[0])}
        per_class[name] = (scores if support else dict.fromkeys(scores)) | {"support": int(support)}
    counts_CC = confusion_matrix(labels_N, predicted_N, labels=classes)
    second_N = np.argsort(-probs_NC, axis=1, kind="stable")[:, 1]  # of equals the first, as argmax does
    in_two = correct + int((second_N == labels_N).sum())
    return {
        "n": n,
        "accuracy": correct / n,
        "accuracy_95": list(wilson_interval(correct, n)),
        "top2": in_two / n,
        "top2_95": list(wilson_interval(in_two, n)),
        "balanced_accuracy": _mean_over_classes(per_class, "recall"),
        "macro_f1": _mean_over_classes(per_class, "f1"),
        "roc_auc": _mean_over_classes(per_class, "roc_auc"),
        "average_precision": _mean_over_classes(per_class, "average_precision"),
        "kappa": _or_none(kappa(counts_CC[None])[0]),
        "nll": float(nll_N.mean()),
        "brier": float(brier_N.mean()),
        "ece": expected_calibration_error(probs_NC, labels_N),
        "per_class": per_class,
        "confusion": counts_CC.tolist(),
        "labels": list(labels),
    }


def check_predictions(
    probs_NC: ArrayLike, labels_N: ArrayLike, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return probabilities as float64, rows that sum to about 1 normalised, and labels as int64; see ``evaluate``."""
    probs = np.asarray(probs_NC, dtype=np.float64)
    labels = np.asarray(labels_N)
    if probs.ndim != 2 or probs.shape[1] != classes or not len(probs):
        raise ModelError(f"expected probabilities of shape (N >= 1, {classes}), got {probs.shape}")
    if labels.shape != (len(probs),) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"expected {len(probs)} whole-number labels, got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"expected labels in 0..{classes - 1}, got {labels.min()}..{labels.max()}")
    sums_N = probs.sum(axis=1)
    wrong_N = ~((probs >= 0).all(axis=1) & (sums_N <= 1 + ROW_SUM_TOLERANCE) & (sums_N > 0))  # true for NaN as well
    if wrong_N.any():
        row = int(wrong_N.argmax())
        raise ModelError(
            f"expected probabilities that sum to at most 1, got {np.round(probs[row], 4).tolist()} in row {row}"
            f" ({int(wrong_N.sum())} of {len(probs)} rows are wrong)"
        )
    rounding_N = np.where(np.abs(sums_N - 1) <= ROW_SUM_TOLERANCE, sums_N, 1.0)
    return probs / rounding_N[:, None], labels.astype(np.int64)


def nll_and_brier(
    probs_NC: NDArray[np.float64], labels_N: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Negative log-likelihood and Brier score of each face; what a row lacks to 1 is a wrong class."""
    true_N = probs_NC[np.arange(len(probs_NC)), labels_N]
    rejected_N = np.clip(1 - probs_NC.sum(axis=1), 0, 1)
    distance_N = ((probs_NC - np.eye(probs_NC.shape[1])[labels_N]) ** 2).sum(axis=1) + rejected_N**2
    return -np.log(np.maximum(true_N, np.finfo(np.float64).eps)), distance_N


def _mean_over_classes(per_class: dict[str, dict[str, Any]], key: str) -> float | None:
    values = [row[key] for row in per_class.values() if row[key] is not None]
    return sum(values) / len(values) if values else None


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def kappa(counts_RCC: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa of R confusion matrices, each of at least one face; NaN where chance alone would agree always."""
    shares_RCC = np.asarray(counts_RCC, dtype=np.float64)
    shares_RCC = shares_RCC / shares_RCC.sum(axis=(1, 2), keepdims=True)
    chance_R = (shares_RCC.sum(axis=1) * shares_RCC.sum(axis=2)).sum(axis=1)
    agreed_R = np.trace(shares_RCC, axis1=1, axis2=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance_R < 1 - 1e-12, (agreed_R - chance_R) / (1 - chance_R), np.nan)


def wilson_interval(correct: float, n: int) -> tuple[float, float]:
    """95 % interval of a share, ``correct`` of ``n`` (Wilson 1927); it stays inside 0..1 and is right for small n."""
    z = 1.959963984540054  # the normal distribution's 97.5 % quantile
    share = correct / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def expected_calibration_error(probs_NC: ArrayLike, labels_N: ArrayLike, bins: int = ECE_BINS) -> float:
    """How far confidence is from accuracy: mean |confidence - accuracy| over bins of equally many faces, 0..1.

    The confidence is the largest probability. Guo et al. 2017 (arXiv:1706.04599, eq. 3) with the equal-mass bins of
    Nixon et al. 2019 (arXiv:1904.01685): bins of equal width leave most of a good model's faces in one bin. Fewer faces
    than bins make a bin of each face; faces of equal confidence share their accuracy. Small sets are biased upwards: a
    perfectly calibrated model does not reach 0.
    """
    probs = np.asarray(probs_NC, dtype=np.float64)
    confidence_N = probs.max(axis=1)
    right_N = shared_by_ties(confidence_N, probs.argmax(axis=1) == np.asarray(labels_N))
    gap_N = confidence_N - right_N
    order_N = np.argsort(confidence_N, kind="stable")
    return sum(abs(float(gap_N[bin_M].sum())) for bin_M in np.array_split(order_N, bins)) / len(probs)


def shared_by_ties(confidence_N: NDArray[np.float64], values_N: NDArray[Any]) -> NDArray[np.float64]:
    """Each value replaced by the mean of all with the same confidence, so that no figure depends on the faces' order.

    Data sets come sorted by class: a bin's edge that cuts through equal confidences would cut between classes.
    """
    _, group_N, size_G = np.unique(confidence_N, return_inverse=True, return_counts=True)
    mean_G: NDArray[np.float64] = np.bincount(group_N, weights=values_N) / size_G
    return mean_G[group_N]
