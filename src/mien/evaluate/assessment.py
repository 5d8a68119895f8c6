"""All that a report says about a model's answers on one split: metrics, intervals, calibration, abstention, votes.

    found = assess(probs_NC, faces.split("validation"), temperature=card.temperature, threshold=card.accept_threshold)

Not here: running the model; robustness and out-of-distribution inputs, which need it (robustness.py,
out_of_distribution.py); the page (mien.report).

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.data.faceset import FaceSet
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.intervals import intervals_95
from mien.evaluate.logit_scaling import calibration
from mien.evaluate.metrics import (
    ECE_BINS,
    check_predictions,
    evaluate,
    expected_calibration_error,
    shared_by_ties,
    wilson_interval,
)
from mien.evaluate.ranking import curves
from mien.evaluate.selective_prediction import risk_coverage
from mien.evaluate.vote_metrics import against_votes

SMALLEST_PROBABILITY = 1e-7
"""float32 cannot tell less from zero beside one; zero has no logarithm."""

CLAIM_TOLERANCE = 0.002


def assess(
    probs_NC: NDArray[np.floating[Any]],
    faces: FaceSet,
    *,
    temperature: float | None = None,
    threshold: float | None = None,
    repeats: int = 1000,
) -> dict[str, Any]:
    """Score probabilities of one split in full.

    Args:
        probs_NC: shape (N, C), columns in the order of ``faces.labels``.
        faces: one split, with votes if there are any.
        temperature: that is inside the model, to say what ECE was without it; None for a model without one.
        threshold: from which confidence on the model accepts; None for none.
        repeats: of the bootstrap.

    Returns:
        What ``evaluate`` and ``intervals_95`` give, and ``split``, ``counts``, ``curves`` (by class), ``reliability``,
        ``calibration`` (with ``ece_before`` only where a temperature is known), ``abstention``, ``votes`` (or None).
    """
    probs, labels_N = check_predictions(probs_NC, faces.labels_N, len(faces.labels))
    found: dict[str, Any] = {"split": " + ".join(faces.split_names), "counts": faces.counts()}
    found |= evaluate(probs_NC, labels_N, faces.labels) | intervals_95(probs_NC, labels_N, faces.labels, repeats)
    found["curves"] = {
        name: curves(probs[:, index], labels_N == index)
        for index, name in enumerate(faces.labels)
        if 0 < (labels_N == index).sum() < len(labels_N)
    }
    found["reliability"] = reliability(probs, labels_N)
    log_probs_NC = np.log(np.maximum(probs, SMALLEST_PROBABILITY))
    found["calibration"] = {"ece": found["ece"]}
    if temperature is not None:
        before_NC = apply_temperature(log_probs_NC, 1 / temperature)
        found["calibration"] |= {
            "temperature": temperature,
            "ece_before": expected_calibration_error(before_NC, labels_N),
        }
    if len(labels_N) >= 5:
        again = calibration(log_probs_NC, labels_N)
        del again["ece_before"]
        found["calibration"]["refitted"] = again
    found["abstention"] = risk_coverage(probs_NC, labels_N, threshold)
    found["votes"] = None if faces.votes_NC is None else against_votes(probs, faces.votes_NC, faces.labels)
    return found


def reliability(
    probs_NC: NDArray[np.float64], labels_N: NDArray[np.int64], bins: int = ECE_BINS
) -> list[dict[str, Any]]:
    """The bins that ECE is made of: ``n``, mean ``confidence``, ``accuracy`` and ``accuracy_95`` (Wilson)."""
    confidence_N = probs_NC.max(axis=1)
    right_N = shared_by_ties(confidence_N, probs_NC.argmax(axis=1) == labels_N)
    order_N = np.argsort(confidence_N, kind="stable")
    found = []
    for bin_M in np.array_split(order_N, bins):
        if len(bin_M):
            right, n = float(right_N[bin_M].sum()), len(bin_M)
            mean = float(confidence_N[bin_M].mean())
            interval = list(wilson_interval(right, n))
            found.append({"n": n, "confidence": mean, "accuracy": right / n, "accuracy_95": interval})
    return found


def card_mismatches(card: ModelCard, found: dict[str, Any], fingerprint: str) -> list[str]:
    """What the card says that was not found: one line each. On other data than the card's it cannot be judged."""
    claimed = card.metrics.get(found["split"])
    if card.data.get("fingerprint") != fingerprint or not isinstance(claimed, dict):
        return []
    lines = []
    for key in ("n", "accuracy", "nll", "ece"):
        value = claimed.get(key)
        if not isinstance(value, int | float) or not abs(value - found[key]) <= CLAIM_TOLERANCE:
            lines.append(
                f"the card claims {key} {value} on this split of the same data, measured was {found[key]:.6g}: "
                f"the card was edited, or the model was"
            )
    return lines
