"""A model's last step, fitted to labelled faces: a few numbers, or a linear head on the model's own features.

    problem = Problem(classes=("angry", …), known=card.labels)
    readout = problem.fit("head", 0.03, Evidence(log_probs_NC, features_NK), labels_N)
    readout(evidence)                                        # probabilities (N, D)

Every method is a multinomial logistic regression that starts from the model as it is and is pulled back towards it.

Not here: which method to take, and what it brings (adaptation.py).

Shape legend: N faces, C classes of the model, D classes of the data, K features, P parameters or inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MissingExtraError

METHODS = ("none", "temperature", "shares", "vector", "head")


HEAD_PENALTIES = (0.003, 0.03, 0.3)
"""Of the head's squared weights, for features of unit variance; times the mean loss of a face."""

CALIBRATION_PENALTIES = {"temperature": 1e-4, "shares": 1e-2, "vector": 1e-2}


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a model says of faces.

    Attributes:
        log_probs_NC: logarithms of its probabilities.
        features_NK: what its linear head sees; no column where that could not be had.
    """

    log_probs_NC: NDArray[np.float64]
    features_NK: NDArray[np.float64]

    def take(self, index_M: NDArray[np.int64] | NDArray[np.bool_]) -> Evidence:
        """The evidence of some faces."""
        return Evidence(self.log_probs_NC[index_M], self.features_NK[index_M])


@dataclass(frozen=True, eq=False)
class Readout:
    """softmax(log_probs @ mixing + features @ weights + offsets).

    Attributes:
        mixing_CD: how each answer of the model speaks for each class of the data; the identity for the model as it is.
        weights_KD: the head that is added; zeros for none.
        offsets_D: one a class.
    """

    mixing_CD: NDArray[np.float64]
    weights_KD: NDArray[np.float64]
    offsets_D: NDArray[np.float64]

    def __call__(self, evidence: Evidence) -> NDArray[np.float64]:
        """Probabilities (N, D)."""
        scores_ND = evidence.log_probs_NC @ self.mixing_CD + self.offsets_D
        if self.weights_KD.any():
            scores_ND = scores_ND + evidence.features_NK @ self.weights_KD
        exp_ND = np.exp(scores_ND - scores_ND.max(axis=1, keepdims=True))
        return np.asarray(exp_ND / exp_ND.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Problem:
    """The classes of the data and of the model, and how each method is fitted to them."""

    classes: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the model knows all classes of the data."""
        return set(self.classes) <= set(self.known)

    def start(self, features: int) -> Readout:
        """The model as it is: each class of the data by the answer of its name, others by none."""
        mixing_CD = np.array([[float(own == other) for other in self.classes] for own in self.known])
        return Readout(mixing_CD, np.zeros((features, len(self.classes))), np.zeros(len(self.classes)))

    def as_is(self, labels_N: NDArray[np.int64]) -> Callable[[Evidence], NDArray[np.float64]]:
        """What there is before: the model, or the classes' shares where it lacks some of them."""
        if self.same:
            return lambda evidence: self.start(evidence.features_NK.shape[1])(evidence)
        shares_D = (np.bincount(labels_N, minlength=len(self.classes)) + 1.0) / (len(labels_N) + len(self.classes))
        return lambda evidence: np.tile(shares_D, (len(evidence.log_probs_NC), 1))

    def fit(self, method: str, penalty: float, evidence: Evidence, labels_N: NDArray[np.int64]) -> Readout:
        """The readout of one method."""
        start = self.start(evidence.features_NK.shape[1])
        if method == "none":
            return start
        if method == "head":
            return _head(start, evidence, labels_N, penalty, free_mixing=not self.same)
        return _calibration(method, start, evidence, labels_N)


def _calibration(method: str, start: Readout, evidence: Evidence, labels_N: NDArray[np.int64]) -> Readout:
    """Temperature, shares or vector: factors and offsets, pulled towards 1 and 0."""
    base_ND = evidence.log_probs_NC @ start.mixing_CD
    classes = base_ND.shape[1]
    factors = {"temperature": 1, "shares": 0, "vector": classes}[method]

    def unpack(parameters_P: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        factors_D = np.ones(classes) if not factors else np.broadcast_to(parameters_P[:factors], (classes,))
        return factors_D, np.zeros(classes) if method == "temperature" else parameters_P[factors:]

    neutral = np.r_[np.ones(factors), np.zeros(0 if method == "temperature" else classes)]

    def loss(parameters_P: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        factors_D, offsets_D = unpack(parameters_P)
        nll, wrong_ND = _nll(base_ND * factors_D + offsets_D, labels_N)
        slopes_D = (wrong_ND * base_ND).mean(axis=0)
        parts = [] if not factors else [[slopes_D.sum()] if factors == 1 else slopes_D]
        if method != "temperature":
            parts.append(wrong_ND.mean(axis=0))
        away_P = parameters_P - neutral
        weight = CALIBRATION_PENALTIES[method] + 0.5 / len(labels_N)
        return nll + weight * float(away_P @ away_P), np.concatenate(parts) + 2 * weight * away_P

    factors_D, offsets_D = unpack(_minimum(loss, neutral))
    return Readout(start.mixing_CD * factors_D, start.weights_KD, np.asarray(offsets_D))


def _head(
    start: Readout, evidence: Evidence, labels_N: NDArray[np.int64], penalty: float, free_mixing: bool
) -> Readout:
    """A head on standardised features, added to the answers of the model; for new classes the answers are mixed too."""
    mean_K = evidence.features_NK.mean(axis=0)
    scale_K = evidence.features_NK.std(axis=0) + 1e-3
    inputs = [(evidence.features_NK - mean_K) / scale_K / np.sqrt(len(mean_K))]
    logs_mean_C, logs_scale_C = evidence.log_probs_NC.mean(axis=0), evidence.log_probs_NC.std(axis=0) + 1e-3
    if free_mixing:
        inputs.append((evidence.log_probs_NC - logs_mean_C) / logs_scale_C / np.sqrt(len(logs_mean_C)))
    inputs_NP = np.concatenate(inputs, axis=1)
    rows, classes = inputs_NP.shape[1], start.mixing_CD.shape[1]
    base_ND = evidence.log_probs_NC @ start.mixing_CD

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        factor, offsets_D = parameters[0], parameters[1 : 1 + classes]
        weights_PD = parameters[1 + classes :].reshape(rows, classes)
        nll, wrong_ND = _nll(base_ND * factor + inputs_NP @ weights_PD + offsets_D, labels_N)
        slopes_PD = inputs_NP.T @ wrong_ND / len(labels_N)
        pull = penalty / rows**0.5
        slope = np.r_[(wrong_ND * base_ND).sum() / len(labels_N), wrong_ND.mean(axis=0), slopes_PD.ravel()]
        away = np.r_[parameters[0] - 1, parameters[1:]]
        weight = np.r_[1e-4, np.full(classes, 1e-2), np.full(weights_PD.size, pull)]
        return nll + float((weight * away**2).sum()), slope + 2 * weight * away

    found = _minimum(loss, np.r_[1.0, np.zeros(classes + rows * classes)])
    weights_PD = found[1 + classes :].reshape(rows, classes)
    features = len(mean_K)
    weights_KD = weights_PD[:features] / scale_K[:, None] / np.sqrt(features)
    mixing_CD, offsets_D = start.mixing_CD * found[0], found[1 : 1 + classes] - mean_K @ weights_KD
    if free_mixing:
        more_CD = weights_PD[features:] / logs_scale_C[:, None] / np.sqrt(len(logs_mean_C))
        mixing_CD, offsets_D = mixing_CD + more_CD, offsets_D - logs_mean_C @ more_CD
    return Readout(mixing_CD, weights_KD, offsets_D)


def _nll(scores_ND: NDArray[np.float64], labels_N: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Mean negative log-likelihood, and probabilities less truth."""
    shifted_ND = scores_ND - scores_ND.max(axis=1, keepdims=True)
    exp_ND = np.exp(shifted_ND)
    sums_N = exp_ND.sum(axis=1)
    own_N = np.arange(len(labels_N))
    nll = float((np.log(sums_N) - shifted_ND[own_N, labels_N]).mean())
    wrong_ND = exp_ND / sums_N[:, None]
    wrong_ND[own_N, labels_N] -= 1
    return nll, wrong_ND


def one_thread() -> AbstractContextManager[object]:
    """Hold matrix products to one thread: these matrices are so small that threads mostly wait for each other.

    Adapting to 100 faces took 107 s with two threads on a busy machine of two cores, and 10 s with one.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings threadpoolctl
    return cast("AbstractContextManager[object]", threadpool_limits(1))


Loss = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def _minimum(loss: Loss, start: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtraError("scikit-learn", "evaluate") from None  # which brings scipy
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60})
    return np.asarray(found.x, dtype=np.float64)
