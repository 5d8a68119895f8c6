"""How far chance alone could move a figure: 95 % intervals of all that ``evaluate`` gives.

    metrics = evaluate(probs_NC, labels_N, labels)
    metrics |= intervals_95(probs_NC, labels_N, labels)      # {"macro_f1_95": [low, high], …}

Shares of independent faces (accuracy, top-2, a class's precision and recall) have Wilson's interval, the others the
percentile bootstrap over faces (Efron 1979). Both speak of new faces like these, not of other cameras or people, and
not of another training seed. ECE has no such interval, since resampling adds to its upward bias; it is set beside what
a perfectly calibrated model would show on as many faces.

Shape legend: N faces, C classes, R resamplings.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluate.metrics import check_predictions, expected_calibration_error, kappa, nll_and_brier, wilson_interval
from mien.evaluate.ranking import ranking

REPEATS = 1000
CHUNK = 250
"""Resamplings at a time: 250 x 3,589 weights are 7 MB."""

METHODS = {
    "wilson": ["accuracy", "top2", "precision", "recall"],
    "bootstrap": ["balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "kappa", "nll", "brier", "f1"],
}


def intervals_95(
    probs_NC: ArrayLike, labels_N: ArrayLike, labels: tuple[str, ...], repeats: int = REPEATS, seed: int = 0
) -> dict[str, Any]:
    """95 % intervals, named after the figure with ``_95`` behind it.

    Args:
        probs_NC: shape (N, C), rows summing to 1.
        labels_N: shape (N,).
        labels: the C class names in index order.
        repeats: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        ``{figure}_95`` as [low, high] or None; ``per_class_95`` by name and figure; ``ece_if_calibrated_95``;
        ``interval_methods`` says which is which.
    """
    probs, truth_N = check_predictions(probs_NC, labels_N, len(labels))
    draws = {name: np.concatenate(parts) for name, parts in _bootstrap(probs, truth_N, repeats, seed).items()}
    found: dict[str, Any] = {f"{name}_95": _range(values_R) for name, values_R in draws.items() if values_R.ndim == 1}
    predicted_N = probs.argmax(axis=1)
    per_class: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(labels):
        hits = int(((truth_N == index) & (predicted_N == index)).sum())
        support, called = int((truth_N == index).sum()), int((predicted_N == index).sum())
        per_class[name] = {
            "precision": list(wilson_interval(hits, called)) if called and support else None,
            "recall": list(wilson_interval(hits, support)) if support else None,
        } | {key: _range(draws[f"{key}_C"][:, index]) for key in ("f1", "roc_auc", "average_precision")}
    methods = METHODS | {"repeats": repeats, "seed": seed}
    chance = {"ece_if_calibrated_95": ece_if_calibrated_95(probs, seed=seed)}
    return found | chance | {"per_class_95": per_class, "interval_methods": methods}


def ece_if_calibrated_95(probs_NC: NDArray[np.float64], repeats: int = 200, seed: int = 0) -> list[float]:
    """The range in which ECE would lie if every confidence were exactly true: the floor that chance sets.

    Truth is drawn from the probabilities themselves (the consistency resampling of Bröcker & Smith 2007).
    """
    rng = np.random.default_rng(seed)
    cumulative_NC = probs_NC.cumsum(axis=1)
    cumulative_NC[:, -1] = 1
    eces = []
    for _ in range(repeats):
        truth_N = (rng.uniform(size=(len(probs_NC), 1)) < cumulative_NC).argmax(axis=1)
        eces.append(expected_calibration_error(probs_NC, truth_N))
    return [float(value) for value in np.percentile(eces, [2.5, 97.5])]


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


def _range(values_R: NDArray[np.float64]) -> list[float] | None:
    finite = values_R[np.isfinite(values_R)]
    return [float(value) for value in np.percentile(finite, [2.5, 97.5])] if len(finite) else None
