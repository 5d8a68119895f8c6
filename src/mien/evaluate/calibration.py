"""Make confidence mean what it says: temperature, its honest error, and the threshold for abstaining.

    temperature = fit_temperature(logits_NC, labels_N)          # goes into the model file
    cross_fit_ece(logits_NC, labels_N)                          # what to publish beside it
    threshold = accept_threshold(probs_NC, labels_N, error_rate=0.1)

Log-probabilities do as well as logits everywhere here: they differ by a constant per face.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError, MissingExtraError
from mien.evaluate.metrics import check_predictions, expected_calibration_error

TEMPERATURES = (0.05, 20.0)
"""Range that is searched. A set without a single error would drive the temperature to zero."""


Logits = NDArray[np.float64]

Calibrate = Callable[[Logits, NDArray[np.int64], Logits], NDArray[np.float64]]
"""Fits on (logits, labels), applies to the third argument, returns probabilities."""


def fit_temperature(logits_NC: ArrayLike, labels_N: ArrayLike) -> float:
    """Find the temperature that the logits must be divided by for the least negative log-likelihood.

    One number for all classes changes no prediction (Guo et al. 2017, arXiv:1706.04599, section 4.2).

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
    scaled_NC = np.asarray(logits_NC, dtype=np.float64) / temperature
    exp_NC = np.exp(scaled_NC - scaled_NC.max(axis=1, keepdims=True))
    probs_NC: NDArray[np.float64] = exp_NC / exp_NC.sum(axis=1, keepdims=True)
    return probs_NC


def cross_fit_ece(logits_NC: ArrayLike, labels_N: ArrayLike, folds: int = 5, seed: int = 0) -> float:
    """Expected calibration error after temperature scaling, each face scaled by a temperature fitted without it.

    The error on the very faces that the temperature was fitted on is too small; this one may be published.

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
    """Calibrate each face by what was fitted without it; probabilities (N, C). Raises as ``cross_fit_ece`` does."""
    logits, labels = check_logits(logits_NC, labels_N)
    if len(labels) < folds:
        raise DataError(f"expected at least {folds} faces for {folds} folds, got {len(labels)}")
    fold_N = np.random.default_rng(seed).permutation(np.arange(len(labels)) % folds)
    probs_NC = np.empty_like(logits)
    for fold in range(folds):
        held_N = fold_N == fold
        probs_NC[held_N] = calibrate(logits[~held_N], labels[~held_N], logits[held_N])
    return probs_NC


def accept_threshold(probs_NC: ArrayLike, labels_N: ArrayLike, error_rate: float) -> float:
    """Find the confidence from which on answers may be accepted: wrong in at most ``error_rate`` of the accepted.

    Of the confidences that occur, the smallest t for which the faces with confidence >= t hold that share of errors at
    most, so as many as possible are accepted (selective prediction, Geifman & El-Yaniv 2017, arXiv:1705.08500, without
    their bound: on new faces the rate holds on average only).

    Args:
        probs_NC: calibrated probabilities, shape (N, C).
        labels_N: index of the true class, shape (N,).
        error_rate: 0..1.

    Returns:
        Within 0..1; 1.0 if no threshold gets there.

    Raises:
        DataError: labels of the wrong shape or range, or an impossible ``error_rate``.
        ModelError: the probabilities are none.
    """
    if not 0 <= error_rate <= 1:
        raise DataError(f"expected error_rate in 0..1, got {error_rate}")
    given = np.asarray(probs_NC)
    _, labels = check_predictions(given, labels_N, given.shape[-1])
    confidence_N = given.max(axis=1)  # as the model gives them: normalised ones could fall short of the threshold
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
