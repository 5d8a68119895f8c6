"""Several models as one: the weighted mean of their probabilities, with weights fitted on validation.

    weights_M = fit_weights([first_NC, second_NC], labels_N)
    probs_NC = average([first_NC, second_NC], weights_M)

Shape legend: M models, N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.statistics import fold_numbers
from mien.evaluate.predictions import check_predictions
from mien.evaluate.scoring import Predictor

STEPS = 500


def fit_weights(probs_MNC: Sequence[ArrayLike], labels_N: ArrayLike) -> NDArray[np.float64]:
    """Find the weights, summing to 1, that minimise the negative log-likelihood of the weighted mean.

    Expectation-maximisation of a mixture with fixed parts. The problem is convex, so the optimum is global.

    Args:
        probs_MNC: each model's probabilities (N, C), columns in one order.
        labels_N: index of the true class, shape (N,).
    """
    own_MN = _own(probs_MNC, labels_N)
    weights_M = np.full(len(own_MN), 1 / len(own_MN))
    for _ in range(STEPS):
        blame_MN = weights_M[:, None] * own_MN
        weights_M = (blame_MN / blame_MN.sum(axis=0)).mean(axis=1)
    return weights_M


def cross_fit_average(
    probs_MNC: Sequence[ArrayLike], labels_N: ArrayLike, folds: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """The weighted mean, with weights for each face that were fitted without it.

    For honest figures on the split that the weights are fitted on.

    Raises:
        DataError: fewer faces than folds.
    """
    labels = np.asarray(labels_N)
    given = [np.asarray(probs_NC, dtype=np.float64) for probs_NC in probs_MNC]
    fold_N = fold_numbers(len(labels), folds, seed)
    mean_NC = np.empty_like(given[0])
    for fold in range(folds):
        held_N = fold_N == fold
        weights_M = fit_weights([probs_NC[~held_N] for probs_NC in given], labels[~held_N])
        mean_NC[held_N] = average([probs_NC[held_N] for probs_NC in given], weights_M)
    return mean_NC


def average(probs_MNC: Sequence[ArrayLike], weights_M: ArrayLike) -> NDArray[np.float64]:
    """Weighted mean of probabilities, shape (N, C)."""
    return np.tensordot(np.asarray(weights_M), np.asarray(probs_MNC, dtype=np.float64), axes=1)


def averaged_predictor(predictors: Sequence[Predictor], weights_M: ArrayLike) -> Predictor:
    """One predictor that averages several, which answer in the same order of classes."""

    def predictor(faces_NHW: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        return average([each(faces_NHW) for each in predictors], weights_M)

    return predictor


def _own(probs_MNC: Sequence[ArrayLike], labels_N: ArrayLike) -> NDArray[np.float64]:
    """Each model's probability of the true class, never quite zero."""
    rows = []
    for probs_NC in probs_MNC:
        probs, labels = check_predictions(probs_NC, labels_N, np.shape(probs_NC)[-1])
        rows.append(np.maximum(probs[np.arange(len(labels)), labels], 1e-12))
    return np.stack(rows)
