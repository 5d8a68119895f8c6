"""How well one class's probability ranks the faces: area under the ROC curve, average precision, and both curves.

    auc_R, ap_R = ranking(probs_NC[:, 3], labels_N == 3)                 # one value each
    auc_R, ap_R = ranking(probs_NC[:, 3], labels_N == 3, weights_RN)     # one for each resampling of the faces

Both follow scikit-learn's definitions, ties included. They are written out here because a bootstrap needs a thousand
of them at once.

Shape legend: N faces, R resamplings, U different scores, P points of a curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CURVE_POINTS = 200
"""More points could not be told apart in a drawing."""


@dataclass(frozen=True)
class RankingCurve:
    """Points for drawing, from the strictest threshold on: ``precision`` is that at recall ``tpr``."""

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    precision: tuple[float, ...]


def ranking(
    scores_N: NDArray[np.float64], positive_N: NDArray[np.bool_], weights_RN: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area under the ROC curve and average precision of one class against the rest.

    Args:
        scores_N: the class's probability.
        positive_N: True where the face is of the class.
        weights_RN: how often each face counts; once if left out.

    Returns:
        Two arrays of shape (R,). NaN where there is no positive face, and for the area where there is no negative one.
    """
    positive_RU, negative_RU = _by_score(scores_N, positive_N, weights_RN)
    positives_R, negatives_R = positive_RU.sum(axis=1), negative_RU.sum(axis=1)
    above_RU = np.cumsum(positive_RU, axis=1)
    false_RU = np.cumsum(negative_RU, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        beaten_RU = negatives_R[:, None] - false_RU + negative_RU / 2  # negatives below, equal ones by half
        auc_R = (positive_RU * beaten_RU).sum(axis=1) / (positives_R * negatives_R)
        precision_RU = above_RU / (above_RU + false_RU)
        ap_R = np.where(positive_RU > 0, positive_RU * precision_RU, 0).sum(axis=1) / positives_R
    return auc_R, ap_R


def ranking_curve(scores_N: NDArray[np.float64], positive_N: NDArray[np.bool_]) -> RankingCurve:
    """About 200 points of the ROC and precision/recall curves. At least one face is of the class, and one is not."""
    positive_RU, negative_RU = _by_score(scores_N, positive_N, None)
    true_U, false_U = np.cumsum(positive_RU[0]), np.cumsum(negative_RU[0])
    steps_P = np.linspace(0, 1, CURVE_POINTS // 2)  # even along both axes, so that a rare class keeps its corners
    kept_P = np.unique(
        np.r_[np.searchsorted(true_U, steps_P * true_U[-1]), np.searchsorted(false_U, steps_P * false_U[-1])]
    )
    precision_P = (true_U / (true_U + false_U))[kept_P]
    return RankingCurve(
        fpr=(0.0, *(false_U / false_U[-1])[kept_P].tolist()),
        tpr=(0.0, *(true_U / true_U[-1])[kept_P].tolist()),
        precision=(float(precision_P[0]), *precision_P.tolist()),
    )


def _by_score(
    scores_N: NDArray[np.float64], positive_N: NDArray[np.bool_], weights_RN: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of positive and of negative faces at each different score, the highest first; two of shape (R, U)."""
    order_N = np.argsort(-scores_N, kind="stable")
    falling_N, positive_sorted_N = scores_N[order_N], positive_N[order_N]
    first_U = np.flatnonzero(np.r_[True, falling_N[1:] != falling_N[:-1]])
    weights = np.ones((1, len(scores_N))) if weights_RN is None else weights_RN[:, order_N]
    all_RU = np.add.reduceat(weights, first_U, axis=1)
    positive_RU = np.add.reduceat(weights * positive_sorted_N, first_U, axis=1)
    return positive_RU, all_RU - positive_RU
