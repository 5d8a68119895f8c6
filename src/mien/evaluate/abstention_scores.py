"""Which number ranks answers best, so that those given first are wrong least? Scores of certainty, compared.

    for found in compare_scores(probs_NC, labels_N, features_NK):
        found.name, found.aurc, found.error_at_80

Confidence, margin, entropy and log ratio come from the answer alone. Distance asks how far a face's features are from
those of labelled faces of the answered class; "learnt" is a logistic regression on all of these that predicts whether
the answer is right. Both are cross-fitted: no face is judged by what was fitted on it.

The area under the risk-coverage curve (AURC, Geifman et al. 2018) is the mean error over all coverages; less is better.
"best possible" is a score that knows which answers are wrong: nothing can be lower at this accuracy.

Shape legend: N faces, C classes, K features, S scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.statistics import fold_numbers
from mien.evaluate.intervals import resamplings
from mien.evaluate.predictions import check_predictions

FOLDS = 5
REPEATS = 500


@dataclass(frozen=True)
class ScoreResult:
    """How well one score ranks.

    Attributes:
        name: of the score.
        aurc: area under the risk-coverage curve.
        error_at_80: error rate of the surest 80 % of the answers.
        share_at_80: that over the error rate of all; 1 for a score that knows nothing.
        aurc_less_confidence_95: interval of this AURC less that of the confidence (paired bootstrap over faces).
        coverage: of the curve's points.
        risk: error rate at each.
    """

    name: str
    aurc: float
    error_at_80: float
    share_at_80: float
    aurc_less_confidence_95: tuple[float, float]
    coverage: tuple[float, ...]
    risk: tuple[float, ...]


def answer_scores(probs_NC: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Scores that need the answer alone, higher for surer, shape (N,) each."""
    top_N2 = np.sort(probs_NC, axis=1)[:, -2:]
    logs_NC = np.log(np.maximum(probs_NC, 1e-7))
    return {
        "confidence": top_N2[:, 1],
        "margin": top_N2[:, 1] - top_N2[:, 0],
        "entropy": (probs_NC * logs_NC).sum(axis=1),
        "log ratio": np.log(np.maximum(top_N2[:, 1], 1e-7)) - np.log(np.maximum(top_N2[:, 0], 1e-7)),
    }


def fitted_scores(
    probs_NC: NDArray[np.float64],
    labels_N: NDArray[np.int64],
    features_NK: NDArray[np.float64] | None = None,
    views_VNC: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Scores that are learnt from labelled faces, each face by the others: distance, agreement, learnt.

    Args:
        probs_NC: of the model.
        labels_N: true classes.
        features_NK: what the head sees; None leaves distance and norm out.
        views_VNC: probabilities of V other views of the faces; None leaves agreement out.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    said_N = probs_NC.argmax(axis=1)
    right_N = said_N == labels_N
    found: dict[str, NDArray[np.float64]] = {}
    if views_VNC is not None:
        mean_NC = np.concatenate([probs_NC[None], views_VNC]).mean(axis=0)
        found["agreement of views"] = mean_NC[np.arange(len(said_N)), said_N]
    fold_N = fold_numbers(len(labels_N), FOLDS, seed)
    if features_NK is not None:
        scaled_NK = StandardScaler().fit_transform(features_NK)
        distance_N = np.empty(len(labels_N))
        for fold in range(FOLDS):
            out_N = fold_N == fold
            distance_N[out_N] = _class_distance(scaled_NK[~out_N], labels_N[~out_N], scaled_NK[out_N], said_N[out_N])
        found["distance"] = -distance_N
        found["feature norm"] = np.linalg.norm(features_NK, axis=1)
    scores = answer_scores(probs_NC) | found
    logs_NC = np.log(np.maximum(probs_NC, 1e-7))
    inputs_NP = np.column_stack([*scores.values(), logs_NC, np.eye(probs_NC.shape[1])[said_N]])
    learnt_N = np.empty(len(labels_N))
    for fold in range(FOLDS):
        out_N = fold_N == fold
        scaler = StandardScaler().fit(inputs_NP[~out_N])
        model = LogisticRegression(C=0.1, max_iter=500)
        model.fit(scaler.transform(inputs_NP[~out_N]), right_N[~out_N])
        learnt_N[out_N] = model.predict_proba(scaler.transform(inputs_NP[out_N]))[:, 1]
    return found | {"learnt": learnt_N}


def _class_distance(
    known_MK: NDArray[np.float64],
    labels_M: NDArray[np.int64],
    faces_NK: NDArray[np.float64],
    said_N: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Mahalanobis distance to the mean of the answered class, one shrunk covariance for all (Lee et al. 2018)."""
    means_CK = np.stack([known_MK[labels_M == each].mean(axis=0) for each in range(int(labels_M.max()) + 1)])
    within_MK = known_MK - means_CK[labels_M]
    covariance_KK = within_MK.T @ within_MK / len(within_MK)
    shrunk_KK = 0.9 * covariance_KK + 0.1 * np.trace(covariance_KK) / len(covariance_KK) * np.eye(len(covariance_KK))
    away_NK = faces_NK - means_CK[said_N]
    return np.asarray((away_NK * np.linalg.solve(shrunk_KK, away_NK.T).T).sum(axis=1))


def compare_scores(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    scores: Mapping[str, NDArray[np.float64]] | None = None,
    seed: int = 0,
) -> tuple[ScoreResult, ...]:
    """Compare scores on the same faces, the best first; "confidence" is always among them, and "best possible".

    Args:
        probs_NC: shape (N, C), rows summing to 1 or less.
        labels_N: index of the true class, shape (N,).
        scores: others to compare, such as those of ``fitted_scores``.
        seed: of the bootstrap.

    Raises:
        DataError: labels of the wrong shape or range.
        ModelError: the probabilities are none.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    wrong_N = (given.argmax(axis=1) != truth_N).astype(np.float64)
    everything = answer_scores(given) | dict(scores or {}) | {"best possible": -wrong_N}
    weights_RN = resamplings(len(wrong_N), REPEATS, seed)
    reference_R = _aurc_of_resamplings(everything["confidence"], wrong_N, weights_RN)
    found = []
    for name, score_N in everything.items():
        order_N = np.argsort(-score_N, kind="stable")
        risk_N = np.cumsum(wrong_N[order_N]) / np.arange(1, len(order_N) + 1)
        apart_R = _aurc_of_resamplings(score_N, wrong_N, weights_RN) - reference_R
        low, high = np.percentile(apart_R, [2.5, 97.5])
        at_80 = float(risk_N[int(np.ceil(0.8 * len(risk_N))) - 1])
        kept_P = np.unique(np.linspace(0, len(risk_N) - 1, 100).round().astype(np.int64))
        found.append(
            ScoreResult(
                name,
                float(risk_N.mean()),
                at_80,
                at_80 / max(float(risk_N[-1]), 1e-12),
                (float(low), float(high)),
                tuple(((kept_P + 1) / len(risk_N)).tolist()),
                tuple(risk_N[kept_P].tolist()),
            )
        )
    return tuple(sorted(found, key=lambda each: each.aurc))


def _aurc_of_resamplings(
    score_N: NDArray[np.float64], wrong_N: NDArray[np.float64], weights_RN: NDArray[np.float64]
) -> NDArray[np.float64]:
    order_N = np.argsort(-score_N, kind="stable")
    weights_RN = weights_RN[:, order_N]
    faces_RN = np.maximum(weights_RN.cumsum(axis=1), 1)
    risk_RN = (weights_RN * wrong_N[order_N]).cumsum(axis=1) / faces_RN
    return np.asarray((risk_RN * weights_RN).sum(axis=1) / weights_RN.sum(axis=1))
