"""What a model gains by abstaining: the error rate when only its most confident answers count.

    found = risk_coverage(probs_NC, labels_N, threshold=0.55)
    found.aurc, found.error_at[0.8], found.accepted.coverage

Selective prediction, Geifman & El-Yaniv 2017 (arXiv:1705.08500). The confidence is the largest probability.
calibration.py chooses the threshold itself.

Shape legend: N faces, C classes, P points of the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.plain_types import plain
from mien.contract.statistics import Interval, wilson_interval
from mien.evaluate.calibration_error import shared_by_ties
from mien.evaluate.predictions import check_predictions

COVERAGES = (0.5, 0.8, 1.0)
CURVE_POINTS = 200


@dataclass(frozen=True)
class RiskCurve:
    """Points of the curve: the error rate ``risk`` among the most confident share ``coverage`` of the faces."""

    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclass(frozen=True)
class Accepted:
    """What the model does at its own threshold.

    Attributes:
        threshold: the model answers from this confidence on.
        coverage: share of the faces that it answers, 0..1.
        error: share of those answers that is wrong; None where it answers none. ``error_95`` is Wilson's interval.
    """

    threshold: float
    coverage: float
    error: float | None
    error_95: Interval | None


@dataclass(frozen=True)
class RiskCoverage:
    """Error rates by the share of the faces that the model answers.

    Attributes:
        aurc: area under the curve: the mean error rate over all coverages 1/N, 2/N, … 1 (Geifman et al. 2018).
        error_at: error rate at 50, 80 and 100 % coverage, rounded up to whole faces; keys 0.5, 0.8, 1.0.
        curve: about 200 points.
        accepted: at the model's own threshold; None where it has none.
    """

    aurc: float
    error_at: Mapping[float, float]
    curve: RiskCurve
    accepted: Accepted | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON's types; ``accepted`` only where there is a threshold."""
        return {key: value for key, value in plain(self).items() if key != "accepted" or value is not None}


def risk_coverage(probs_NC: ArrayLike, labels_N: ArrayLike, threshold: float | None = None) -> RiskCoverage:
    """Measure the error rate against the share of faces that are answered.

    Faces of equal confidence share their errors evenly, as they would on average in any order.

    Args:
        probs_NC: shape (N, C), as for ``evaluate``.
        labels_N: shape (N,).
        threshold: the model answers from this confidence on; None where it has no threshold.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    confidence_N = given.max(axis=1)  # not normalised: that could move a confidence below the threshold
    wrong_N = given.argmax(axis=1) != truth_N
    risk_N = _risk(confidence_N, wrong_N)
    n = len(risk_N)
    kept_P = np.unique(np.linspace(0, n - 1, CURVE_POINTS).round().astype(np.int64))
    return RiskCoverage(
        aurc=float(risk_N.mean()),
        error_at={share: float(risk_N[int(np.ceil(share * n)) - 1]) for share in COVERAGES},
        curve=RiskCurve(tuple(((kept_P + 1) / n).tolist()), tuple(risk_N[kept_P].tolist())),
        accepted=None if threshold is None else _accepted(confidence_N, wrong_N, threshold),
    )


def _accepted(confidence_N: NDArray[np.float64], wrong_N: NDArray[np.bool_], threshold: float) -> Accepted:
    accepted_N = confidence_N >= threshold
    count, errors = int(accepted_N.sum()), int(wrong_N[accepted_N].sum())
    if not count:
        return Accepted(threshold, 0.0, None, None)
    return Accepted(threshold, count / len(wrong_N), errors / count, wilson_interval(errors, count))


def _risk(confidence_N: NDArray[np.float64], wrong_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error rate among the 1, 2, … N most confident faces."""
    order_N = np.argsort(-confidence_N, kind="stable")
    shared_N = shared_by_ties(confidence_N, wrong_N)[order_N]
    risk_N: NDArray[np.float64] = np.cumsum(shared_N) / np.arange(1, len(wrong_N) + 1)
    return risk_N
