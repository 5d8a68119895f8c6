"""What abstaining buys: how wrong the answers are when only the most confident share of them is given.

    found = risk_coverage(probs_NC, labels_N)
    found["aurc"], found["error_at"]["0.8"], found["curve"]["risk"]

Selective prediction, Geifman & El-Yaniv 2017 (arXiv:1705.08500). The confidence is the largest probability.
The threshold itself is chosen in calibration.py.

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluate.metrics import check_predictions, shared_by_ties, wilson_interval

COVERAGES = (0.5, 0.8, 1.0)
CURVE_POINTS = 200


def risk_coverage(probs_NC: ArrayLike, labels_N: ArrayLike, threshold: float | None = None) -> dict[str, Any]:
    """Error rate against the share of faces that are answered.

    Faces of equal confidence share their errors evenly, as they would on average in any order.

    Args:
        probs_NC: shape (N, C), rows summing to 1.
        labels_N: shape (N,).
        threshold: the confidence from which on the model answers; None leaves ``accepted`` out.

    Returns:
        - ``aurc``: area under the curve, the mean error rate over all coverages 1/N, 2/N, … 1 (Geifman et al. 2018)
        - ``error_at``: error rate at 50, 80 and 100 % coverage (rounded up to whole faces), keys "0.5", "0.8", "1.0"
        - ``curve``: ``coverage`` and ``risk``, about 200 points
        - ``accepted``: ``threshold``, ``coverage``, ``error`` (None if nothing is accepted) and ``error_95`` (Wilson)
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    confidence_N = given.max(axis=1)  # as given: normalised ones could fall short of the threshold
    wrong_N = given.argmax(axis=1) != truth_N
    risk_N = _risk(confidence_N, wrong_N)
    n = len(risk_N)
    kept_P = np.unique(np.linspace(0, n - 1, CURVE_POINTS).round().astype(np.int64))
    found: dict[str, Any] = {
        "aurc": float(risk_N.mean()),
        "error_at": {str(share): float(risk_N[int(np.ceil(share * n)) - 1]) for share in COVERAGES},
        "curve": {"coverage": ((kept_P + 1) / n).tolist(), "risk": risk_N[kept_P].tolist()},
    }
    if threshold is not None:
        accepted_N = confidence_N >= threshold
        count, errors = int(accepted_N.sum()), int(wrong_N[accepted_N].sum())
        found["accepted"] = {
            "threshold": threshold,
            "coverage": count / n,
            "error": errors / count if count else None,
            "error_95": list(wilson_interval(errors, count)) if count else None,
        }
    return found


def _risk(confidence_N: NDArray[np.float64], wrong_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error rate among the 1, 2, … N most confident faces."""
    order_N = np.argsort(-confidence_N, kind="stable")
    shared_N = shared_by_ties(confidence_N, wrong_N)[order_N]
    risk_N: NDArray[np.float64] = np.cumsum(shared_N) / np.arange(1, len(wrong_N) + 1)
    return risk_N
