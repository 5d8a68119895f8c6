"""How far chance alone could move a figure: 95 % intervals of what ``evaluate`` measures.

    intervals = intervals_95(probs_NC, labels_N, labels)
    intervals.macro_f1, intervals.per_class["fear"].recall      # (low, high) each

A share of independent faces (accuracy, top-2, a class's precision and recall) gets Wilson's interval. The others get
the percentile bootstrap over faces (Efron 1979). Both are about new faces like these. They say nothing about other
cameras, other people or another training seed. ECE gets no such interval, because resampling adds to its upward bias;
instead ``ece_if_calibrated`` says what a perfectly calibrated model would show on as many faces.

Shape legend: N faces, C classes, R resamplings.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.plain_types import plain
from mien.contract.statistics import Interval, wilson_interval
from mien.evaluate.calibration_error import expected_calibration_error
from mien.evaluate.metrics import kappa, nll_and_brier
from mien.evaluate.predictions import check_predictions
from mien.evaluate.ranking import ranking

REPEATS = 1000
CHUNK = 250
"""Resamplings at a time: 250 x 3,589 weights are 7 MB."""

BY_WILSON = ("accuracy", "top2", "precision", "recall")
BY_BOOTSTRAP = ("balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "kappa", "nll", "brier", "f1")


@dataclass(frozen=True)
class ClassIntervals:
    """95 % intervals of one class's figures; None where there is nothing to resample."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    roc_auc: Interval | None
    average_precision: Interval | None


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of a model's figures; None where there is nothing to resample.

    Attributes:
        ece_if_calibrated: the range of ECE that a perfectly calibrated model would show on as many faces.
        per_class: by class name.
        repeats: resamplings of the bootstrap.
        seed: of the bootstrap.
    """

    balanced_accuracy: Interval | None
    macro_f1: Interval | None
    roc_auc: Interval | None
    average_precision: Interval | None
    kappa: Interval | None
    nll: Interval | None
    brier: Interval | None
    ece_if_calibrated: Interval
    per_class: Mapping[str, ClassIntervals]
    repeats: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON's types: each interval under its figure's name with ``_95`` behind it, and how each was found."""
        given = plain(self)
        repeats, seed = given.pop("repeats"), given.pop("seed")
        methods = {"wilson": list(BY_WILSON), "bootstrap": list(BY_BOOTSTRAP), "repeats": repeats, "seed": seed}
        return {f"{name}_95": value for name, value in given.items()} | {"interval_methods": methods}


def intervals_95(
    probs_NC: ArrayLike, labels_N: ArrayLike, labels: tuple[str, ...], repeats: int = REPEATS, seed: int = 0
) -> Intervals:
    """95 % intervals of the figures that ``evaluate`` measures.

    Args:
        probs_NC: shape (N, C), as for ``evaluate``.
        labels_N: shape (N,).
        labels: the C class names in index order.
        repeats: of the bootstrap.
        seed: of the bootstrap.
    """
    probs, truth_N = check_predictions(probs_NC, labels_N, len(labels))
    draws = {name: np.concatenate(parts) for name, parts in _bootstrap(probs, truth_N, repeats, seed).items()}
    overall = {name: _range(values_R) for name, values_R in draws.items() if values_R.ndim == 1}
    predicted_N = probs.argmax(axis=1)
    per_class: dict[str, ClassIntervals] = {}
    for index, name in enumerate(labels):
        hits = int(((truth_N == index) & (predicted_N == index)).sum())
        support, predicted = int((truth_N == index).sum()), int((predicted_N == index).sum())
        per_class[name] = ClassIntervals(
            wilson_interval(hits, predicted) if predicted and support else None,
            wilson_interval(hits, support) if support else None,
            *(_range(draws[f"{key}_C"][:, index]) for key in ("f1", "roc_auc", "average_precision")),
        )
    chance = ece_if_calibrated_95(probs, seed=seed)
    return Intervals(**overall, ece_if_calibrated=chance, per_class=per_class, repeats=repeats, seed=seed)


def ece_if_calibrated_95(probs_NC: NDArray[np.float64], repeats: int = 200, seed: int = 0) -> Interval:
    """The range in which ECE would lie if every confidence were exactly true: the least that chance allows.

    The truth is drawn from the probabilities themselves (the consistency resampling of Bröcker & Smith 2007).
    """
    rng = np.random.default_rng(seed)
    cumulative_NC = probs_NC.cumsum(axis=1)
    cumulative_NC[:, -1] = 1
    eces = []
    for _ in range(repeats):
        truth_N = (rng.uniform(size=(len(probs_NC), 1)) < cumulative_NC).argmax(axis=1)
        eces.append(expected_calibration_error(probs_NC, truth_N))
    return percentile_95(np.array(eces))


def percentile_95(values_R: NDArray[np.float64]) -> Interval:
    """The middle 95 % of resampled values."""
    low, high = np.percentile(values_R, [2.5, 97.5])
    return float(low), float(high)


def resamplings(n: int, repeats: int, seed: int) -> NDArray[np.float64]:
    """How often each of ``n`` faces is drawn, with replacement, n at a time: shape (repeats, n), rows summing to n."""
    rng = np.random.default_rng(seed)
    drawn_RN = rng.integers(0, n, (repeats, n)) + np.arange(repeats)[:, None] * n
    return np.bincount(drawn_RN.ravel(), minlength=repeats * n).reshape(repeats, n).astype(np.float64)


def _bootstrap(
    probs_NC: NDArray[np.float64], truth_N: NDArray[np.int64], repeats: int, seed: int
) -> dict[str, list[NDArray[np.float64]]]:
    n, classes = probs_NC.shape
    per_face_N2 = np.stack(nll_and_brier(probs_NC, truth_N), axis=1)
    cell_NK = np.eye(classes**2)[truth_N * classes + probs_NC.argmax(axis=1)]
    draws: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, repeats, CHUNK):
        weights_RN = resamplings(n, min(CHUNK, repeats - start), seed + start)
        counts_RCC = (weights_RN @ cell_NK).reshape(-1, classes, classes)
        ranked = [ranking(probs_NC[:, each], truth_N == each, weights_RN) for each in range(classes)]
        f1_RC, recall_RC = _f1_and_recall(counts_RCC)
        auc_RC, ap_RC = (np.stack(columns, axis=1) for columns in zip(*ranked, strict=True))
        means_R2 = weights_RN @ per_face_N2 / n
        for name, values in {
            "f1_C": f1_RC,
            "roc_auc_C": auc_RC,
            "average_precision_C": ap_RC,
            "balanced_accuracy": _mean(recall_RC),
            "macro_f1": _mean(f1_RC),
            "roc_auc": _mean(auc_RC),
            "average_precision": _mean(ap_RC),
            "kappa": kappa(counts_RCC),
            "nll": means_R2[:, 0],
            "brier": means_R2[:, 1],
        }.items():
            draws.setdefault(name, []).append(values)
    return draws


def _f1_and_recall(counts_RCC: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per class; NaN where a resampling holds no face of it."""
    hits_RC = np.diagonal(counts_RCC, axis1=1, axis2=2)
    support_RC, called_RC = counts_RCC.sum(axis=2), counts_RCC.sum(axis=1)
    there_RC = np.where(support_RC > 0, support_RC, np.nan)
    return 2 * hits_RC / (there_RC + called_RC), hits_RC / there_RC


def _mean(values_RC: NDArray[np.float64]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a resampling of one class alone has no ROC curve
        return np.asarray(np.nanmean(values_RC, axis=1))


def _range(values_R: NDArray[np.float64]) -> Interval | None:
    finite = values_R[np.isfinite(values_R)]
    return percentile_95(finite) if len(finite) else None
