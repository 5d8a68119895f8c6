"""Vector scaling: a factor and an offset for each class's logit, where one temperature for all is too coarse.

    scaling = fit_vector(logits_NC, labels_N)
    probs_NC = scaling(logits_NC)

Guo et al. 2017 (arXiv:1706.04599, section 4.2). Unlike a temperature it can change which class wins, and it has 2 C
parameters to overfit with, so it is published cross-fitted, beside the temperature.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import MissingExtraError
from mien.evaluate.calibrate import Logits, apply_temperature, check_logits, cross_fit, cross_fit_ece, fit_temperature
from mien.evaluate.metrics import expected_calibration_error

PENALTY = 1e-3
"""Of the squared distance to doing nothing: without it a class that has no face drifts to minus infinity."""


@dataclass(frozen=True)
class VectorScaling:
    """logits * factor + offset, then softmax.

    Attributes:
        factors_C: one a class; 1 for no change.
        offsets_C: one a class; 0 for no change.
    """

    factors_C: tuple[float, ...]
    offsets_C: tuple[float, ...]

    def __call__(self, logits_NC: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities (N, C)."""
        scaled_NC = np.asarray(logits_NC, dtype=np.float64) * np.array(self.factors_C) + np.array(self.offsets_C)
        return apply_temperature(scaled_NC, 1.0)


def fit_vector(logits_NC: ArrayLike, labels_N: ArrayLike) -> VectorScaling:
    """Find the scaling with the least negative log-likelihood; a convex problem.

    Args:
        logits_NC: logits or log-probabilities, shape (N, C), finite.
        labels_N: index of the true class, shape (N,).

    Raises:
        DataError: not finite, or shapes that do not fit.
    """
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy
    logits, labels = check_logits(logits_NC, labels_N)
    n, classes = logits.shape
    truth_NC = np.eye(classes)[labels]
    neutral = np.r_[np.ones(classes), np.zeros(classes)]

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scaled_NC = logits * parameters[:classes] + parameters[classes:]
        top_N1 = scaled_NC.max(axis=1, keepdims=True)
        exp_NC = np.exp(scaled_NC - top_N1)
        log_sums_N = top_N1[:, 0] + np.log(exp_NC.sum(axis=1))
        wrong_NC = exp_NC / exp_NC.sum(axis=1, keepdims=True) - truth_NC
        away = parameters - neutral
        value = float((log_sums_N - (scaled_NC * truth_NC).sum(axis=1)).mean() + PENALTY * (away**2).sum())
        return value, np.r_[(wrong_NC * logits).mean(axis=0), wrong_NC.mean(axis=0)] + 2 * PENALTY * away

    found = minimize(loss, neutral, jac=True, method="L-BFGS-B")
    return VectorScaling(tuple(found.x[:classes].tolist()), tuple(found.x[classes:].tolist()))


def calibration(logits_NC: ArrayLike, labels_N: ArrayLike) -> dict[str, Any]:
    """ECE of the logits as they are and after each way to calibrate, every face by what was fitted without it.

    Returns:
        ``ece_before``; ``temperature``: ``value``, ``ece_cross_fitted``; ``vector``: ``factors``, ``offsets``,
        ``ece_cross_fitted``, ``accuracy_cross_fitted``. The scalings themselves are fitted on all faces.

    Raises:
        DataError: not finite, shapes that do not fit, or fewer than five faces.
    """

    def by_vector(fit_NC: Logits, fit_N: NDArray[np.int64], held_NC: Logits) -> NDArray[np.float64]:
        return fit_vector(fit_NC, fit_N)(held_NC)

    logits, labels = check_logits(logits_NC, labels_N)
    vector, held_probs_NC = fit_vector(logits, labels), cross_fit(logits, labels, by_vector)
    return {
        "ece_before": expected_calibration_error(apply_temperature(logits, 1.0), labels),
        "temperature": {"value": fit_temperature(logits, labels), "ece_cross_fitted": cross_fit_ece(logits, labels)},
        "vector": {
            "factors": list(vector.factors_C),
            "offsets": list(vector.offsets_C),
            "ece_cross_fitted": expected_calibration_error(held_probs_NC, labels),
            "accuracy_cross_fitted": float((held_probs_NC.argmax(axis=1) == labels).mean()),
        },
    }
