"""Calibration where one temperature for all faces is too coarse: vector scaling, and a curve over the confidence.

    scaling = fit_vector(logits_NC, labels_N)    # a factor and an offset for each class
    scaling = fit_curve(logits_NC, labels_N)     # a temperature that follows the confidence
    probs_NC = scaling(logits_NC)

Vector scaling is Guo et al. 2017 (arXiv:1706.04599, section 4.2). It can change which class wins, and it has 2 C
parameters to overfit with. The curve is a small form of the parameterised temperature of Tomani et al. 2022
(arXiv:2102.12182): each face has its own temperature, which depends on how far its best logit leads. It has three
parameters and does not change which class wins. It corrects what label smoothing does: too much confidence in the
middle, too little at the top. Figures of both are cross-fitted, like those of the temperature.

Shape legend: N faces, C classes, K = 3 coefficients.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.card import ModelCard
from mien.contract.errors import MissingExtraError
from mien.contract.statistics import softmax
from mien.evaluate.calibration import Logits, check_logits, cross_fit, cross_fit_ece, fit_temperature
from mien.evaluate.calibration_error import expected_calibration_error

VECTOR_PENALTY = 1e-3
"""Penalty on the squared distance from doing nothing. Without it, the offset of a class without faces drifts to minus
infinity."""

CURVE_PENALTY = 1e-5
CURVE_BOUND = 3.0
"""Bound of each coefficient. Without it, a set without a single error would sharpen without end."""


@dataclass(frozen=True)
class Scaling:
    """(logits * factor + offset) * sharpness, then softmax.

    Attributes:
        factors_C: one a class; 1 for no change.
        offsets_C: one a class; 0 for no change.
        curve_K: the sharpness of a face is exp(k0 + k1 u + k2 u^2), u = lead / (1 + lead), where lead is how far its
            best logit is above the second; empty for no change.
    """

    factors_C: tuple[float, ...]
    offsets_C: tuple[float, ...]
    curve_K: tuple[float, ...] = ()

    def __call__(self, logits_NC: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities (N, C)."""
        scaled_NC = np.asarray(logits_NC, dtype=np.float64) * np.array(self.factors_C) + np.array(self.offsets_C)
        if self.curve_K:
            scaled_NC = scaled_NC * np.exp(_powers(scaled_NC) @ np.array(self.curve_K))[:, None]
        return softmax(scaled_NC)

    @classmethod
    def even(cls, classes: int, temperature: float = 1.0, curve_K: Iterable[float] = ()) -> Scaling:
        """The same for every class."""
        return cls((1 / temperature,) * classes, (0.0,) * classes, tuple(curve_K))

    @classmethod
    def of_card(cls, card: ModelCard) -> Scaling:
        """What a model file does inside, by its card: of all outputs, the rejected ones too."""
        if card.vector is None:
            return cls.even(len(card.labels) + len(card.rejected), card.temperature, card.curve or ())
        return cls(tuple(card.vector["factors"]), tuple(card.vector["offsets"]), tuple(card.curve or ()))

    def facts(self) -> dict[str, Any]:
        """The fields of its card: ``temperature``, ``vector``, ``curve``; only one of them does anything."""
        one = len({*self.factors_C}) == 1 and not any(self.offsets_C)
        return {
            "temperature": 1 / self.factors_C[0] if one else 1.0,
            "vector": None if one else {"factors": [*self.factors_C], "offsets": [*self.offsets_C]},
            "curve": [*self.curve_K] or None,
        }


def fit_vector(logits_NC: ArrayLike, labels_N: ArrayLike) -> Scaling:
    """Find the factors and offsets with the least negative log-likelihood; a convex problem.

    Args:
        logits_NC: logits or log-probabilities, shape (N, C), finite.
        labels_N: index of the true class, shape (N,).

    Raises:
        DataError: not finite, or shapes that do not fit.
    """
    logits, labels = check_logits(logits_NC, labels_N)
    classes = logits.shape[1]
    neutral = np.r_[np.ones(classes), np.zeros(classes)]

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nll, wrong_NC = _nll(logits * parameters[:classes] + parameters[classes:], labels)
        away = parameters - neutral
        slope = np.r_[(wrong_NC * logits).mean(axis=0), wrong_NC.mean(axis=0)]
        return nll + VECTOR_PENALTY * float((away**2).sum()), slope + 2 * VECTOR_PENALTY * away

    found = _minimum(loss, neutral)
    return Scaling(tuple(found[:classes].tolist()), tuple(found[classes:].tolist()))


def fit_curve(logits_NC: ArrayLike, labels_N: ArrayLike) -> Scaling:
    """Find the curve with the least negative log-likelihood. Arguments and errors as of ``fit_vector``; C >= 2."""
    logits, labels = check_logits(logits_NC, labels_N)
    count, classes = logits.shape
    powers_NK = _powers(logits)

    def loss(curve_K: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        sharpness_N = np.exp(powers_NK @ curve_K)
        nll, wrong_NC = _nll(logits * sharpness_N[:, None], labels)
        slope = powers_NK.T @ (sharpness_N * (wrong_NC * logits).sum(axis=1)) / count
        return nll + CURVE_PENALTY * float((curve_K**2).sum()), slope + 2 * CURVE_PENALTY * curve_K

    found = _minimum(loss, np.zeros(3), bounds=[(-CURVE_BOUND, CURVE_BOUND)] * 3)
    return Scaling.even(classes, curve_K=found.tolist())


def _powers(logits_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """1, u, u^2 of each face, shape (N, 3)."""
    top_N2 = np.sort(logits_NC, axis=1)[:, -2:]
    lead_N = top_N2[:, 1] - top_N2[:, 0]
    return np.asarray((lead_N / (1 + lead_N))[:, None] ** np.arange(3))


def _nll(scaled_NC: NDArray[np.float64], labels_N: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Mean negative log-likelihood, and probabilities minus truth, its slope by each logit times N."""
    top_N1 = scaled_NC.max(axis=1, keepdims=True)
    exp_NC = np.exp(scaled_NC - top_N1)
    sums_N = exp_NC.sum(axis=1)
    own_N = np.arange(len(labels_N))
    nll = float((top_N1[:, 0] + np.log(sums_N) - scaled_NC[own_N, labels_N]).mean())
    wrong_NC = exp_NC / sums_N[:, None]
    wrong_NC[own_N, labels_N] -= 1
    return nll, wrong_NC


def _minimum(loss: Any, start: NDArray[np.float64], **limits: Any) -> NDArray[np.float64]:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy
    found: NDArray[np.float64] = minimize(loss, start, jac=True, method="L-BFGS-B", **limits).x
    return found


@dataclass(frozen=True)
class TemperatureFit:
    """One temperature for all faces, and the ECE that it gives cross-fitted."""

    value: float
    ece_cross_fitted: float


@dataclass(frozen=True)
class VectorFit:
    """A factor and an offset for each class, and what they give cross-fitted."""

    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    ece_cross_fitted: float
    accuracy_cross_fitted: float


@dataclass(frozen=True)
class CurveFit:
    """The coefficients of a temperature that follows the confidence, and the ECE that they give cross-fitted."""

    coefficients: tuple[float, ...]
    ece_cross_fitted: float


@dataclass(frozen=True)
class CalibrationFits:
    """The ECE of the logits as they are, and three ways to calibrate them, each fitted on all faces."""

    ece_before: float
    temperature: TemperatureFit
    vector: VectorFit
    curve: CurveFit


def calibration(logits_NC: ArrayLike, labels_N: ArrayLike) -> CalibrationFits:
    """Fit every way to calibrate, and measure each on faces that the fit has not seen.

    Args:
        logits_NC: logits or log-probabilities, shape (N, C), finite.
        labels_N: index of the true class, shape (N,).

    Raises:
        DataError: not finite, shapes that do not fit, or fewer than five faces.
    """

    def by_vector(fit_NC: Logits, fit_N: NDArray[np.int64], held_NC: Logits) -> NDArray[np.float64]:
        return fit_vector(fit_NC, fit_N)(held_NC)

    def by_curve(fit_NC: Logits, fit_N: NDArray[np.int64], held_NC: Logits) -> NDArray[np.float64]:
        return fit_curve(fit_NC, fit_N)(held_NC)

    logits, labels = check_logits(logits_NC, labels_N)
    vector, held_probs_NC = fit_vector(logits, labels), cross_fit(logits, labels, by_vector)
    return CalibrationFits(
        ece_before=expected_calibration_error(softmax(logits), labels),
        temperature=TemperatureFit(fit_temperature(logits, labels), cross_fit_ece(logits, labels)),
        vector=VectorFit(
            vector.factors_C,
            vector.offsets_C,
            expected_calibration_error(held_probs_NC, labels),
            float((held_probs_NC.argmax(axis=1) == labels).mean()),
        ),
        curve=CurveFit(
            fit_curve(logits, labels).curve_K,
            expected_calibration_error(cross_fit(logits, labels, by_curve), labels),
        ),
    )
