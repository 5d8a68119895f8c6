"""Make confidence mean what it says: the temperature, its honest error, and the threshold for abstaining.

    temperature = fit_temperature(logits_NC, labels_N)          # goes into the model file
    cross_fit_ece(logits_NC, labels_N)                          # what to publish beside it
    threshold = accept_threshold(probs_NC, labels_N, error_rate=0.1)

Log-probabilities can stand in for logits everywhere here: the two differ by a constant for each face.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError, MissingExtraError
from mien.contract.statistics import fold_numbers, softmax
from mien.evaluate.calibration_error import expected_calibration_error
from mien.evaluate.predictions import check_predictions

TEMPERATURES = (0.05, 20.0)
"""The range that is searched. A set without a single error would drive the temperature to zero."""

Logits = NDArray[np.float64]

Calibrate = Callable[[Logits, NDArray[np.int64], Logits], NDArray[np.float64]]
"""(logits to fit on, their labels, held-out logits) -> probabilities of the held-out faces."""


def fit_temperature(logits_NC: ArrayLike, labels_N: ArrayLike) -> float:
    """Find the temperature that minimises the negative log-likelihood of logits / temperature.

    One number for all classes does not change which class wins (Guo et al. 2017, arXiv:1706.04599, section 4.2).

    Args:
        logits_NC: logits or log-probabilities, shape (N, C), finite.
        labels_N: index of the true class, shape (N,).

    Returns:
        Within 0.05..20; above 1 for an overconfident model.

    Raises:
        DataError: not finite, or shapes that do not fit.
    """
    try:
        from scipy.optimize import minimize_scalar
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy

    logits, labels = check_logits(logits_NC, labels_N)
    own_N = np.arange(len(labels))

    def nll(log_temperature: float) -> float:
        scaled_NC = logits / np.exp(log_temperature)
        top_N = scaled_NC.max(axis=1)
        log_sums_N = top_N + np.log(np.exp(scaled_NC - top_N[:, None]).sum(axis=1))
        return float((log_sums_N - scaled_NC[own_N, labels]).mean())

    # convex in 1 / temperature, so there is one minimum on the logarithmic axis too
    found = minimize_scalar(nll, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def apply_temperature(logits_NC: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Softmax of logits / temperature, shape (N, C)."""
    return softmax(np.asarray(logits_NC, dtype=np.float64) / temperature)


def cross_fit_ece(logits_NC: ArrayLike, labels_N: ArrayLike, folds: int = 5, seed: int = 0) -> float:
    """Expected calibration error after temperature scaling; each face is scaled by a temperature fitted without it.

    The error on the faces that the temperature was fitted on is too small. This one may be published.

    Args:
        logits_NC: logits or log-probabilities, shape (N, C), finite.
        labels_N: index of the true class, shape (N,).
        folds: parts; each is scaled by the temperature of the others.
        seed: of the random parts.

    Raises:
        DataError: not finite, shapes that do not fit, or fewer faces than folds.
    """

    def scaled(fit_NC: Logits, labels_N: NDArray[np.int64], held_NC: Logits) -> NDArray[np.float64]:
        return apply_temperature(held_NC, fit_temperature(fit_NC, labels_N))

    return expected_calibration_error(cross_fit(logits_NC, labels_N, scaled, folds, seed), labels_N)


def cross_fit(
    logits_NC: ArrayLike, labels_N: ArrayLike, calibrate: Calibrate, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """Calibrate each face by a fit that has not seen it; probabilities (N, C). Raises as ``cross_fit_ece`` does."""
    logits, labels = check_logits(logits_NC, labels_N)
    fold_N = fold_numbers(len(labels), folds, seed)
    probs_NC = np.empty_like(logits)
    for fold in range(folds):
        held_N = fold_N == fold
        probs_NC[held_N] = calibrate(logits[~held_N], labels[~held_N], logits[held_N])
    return probs_NC


def accept_threshold(probs_NC: ArrayLike, labels_N: ArrayLike, error_rate: float) -> float:
    """Find the lowest threshold at which at most ``error_rate`` of the accepted answers are wrong.

    A face is accepted where its confidence is at least the threshold. Candidates are the confidences that occur, and
    the smallest that holds the rate accepts the most faces (selective prediction, Geifman & El-Yaniv 2017,
    arXiv:1705.08500, without their bound: on new faces the rate holds on average only).

    Args:
        probs_NC: calibrated probabilities, shape (N, C).
        labels_N: index of the true class, shape (N,).
        error_rate: 0..1.

    Returns:
        Within 0..1; 1.0 if no threshold holds the rate.

    Raises:
        DataError: labels of the wrong shape or range, or an impossible ``error_rate``.
        ModelError: the values are not probabilities.
    """
    if not 0 <= error_rate <= 1:
        raise DataError(f"expected error_rate in 0..1, got {error_rate}")
    given = np.asarray(probs_NC)
    _, labels = check_predictions(given, labels_N, given.shape[-1])
    confidence_N = given.max(axis=1)  # not normalised: that could move a confidence below the threshold
    order_N = np.argsort(-confidence_N, kind="stable")
    falling_N = confidence_N[order_N]
    errors_N = np.cumsum((given.argmax(axis=1) != labels)[order_N])
    good_N = errors_N <= error_rate * np.arange(1, len(labels) + 1)
    good_N[:-1] &= falling_N[:-1] > falling_N[1:]  # equal confidences are accepted together
    return float(falling_N[np.flatnonzero(good_N)[-1]]) if good_N.any() else 1.0


def check_logits(logits_NC: ArrayLike, labels_N: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return logits as float64 and labels as int64, or raise DataError."""
    logits, labels = np.asarray(logits_NC, dtype=np.float64), np.asarray(labels_N, dtype=np.int64)
    if logits.ndim != 2 or labels.shape != (len(logits),) or not len(logits):
        raise DataError(f"expected logits (N, C) and labels (N,), got {logits.shape} and {labels.shape}")
    if not np.isfinite(logits).all() or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError("expected finite logits and labels that index their columns")
    return logits, labels
