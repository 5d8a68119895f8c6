"""Everything that a report says about a model's answers on one split.

    found = assess(probs_NC, faces.split("validation"), temperature=card.temperature, threshold=card.accept_threshold)
    found.metrics.accuracy, found.selective.aurc, found.to_dict()

Not here: running the model; robustness and crops without a face, which need it (robustness.py,
out_of_distribution.py) and are added with ``dataclasses.replace``; the page (mien.report).

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.plain_types import plain
from mien.data.faceset import FaceSet
from mien.evaluate.calibration import apply_temperature
from mien.evaluate.calibration_error import ReliabilityBin, expected_calibration_error, reliability
from mien.evaluate.class_match import OtherClasses
from mien.evaluate.groups import GroupReport
from mien.evaluate.intervals import Intervals, intervals_95
from mien.evaluate.logit_scaling import CalibrationFits, calibration
from mien.evaluate.metrics import Metrics, evaluate
from mien.evaluate.out_of_distribution import Rejection
from mien.evaluate.photo_figures import PhotoFigures
from mien.evaluate.predictions import check_predictions
from mien.evaluate.ranking import RankingCurve, ranking_curve
from mien.evaluate.robustness import Robustness
from mien.evaluate.selective_prediction import RiskCoverage, risk_coverage
from mien.evaluate.vote_metrics import VoteMetrics, against_votes

SMALLEST_PROBABILITY = 1e-7
"""Zero has no logarithm, and beside 1 float32 cannot tell anything smaller from zero."""

CLAIM_TOLERANCE = 0.002

FEWEST_TO_REFIT = 5
"""Faces; cross-fitting needs one for each of its five folds."""


@dataclass(frozen=True)
class CalibrationCheck:
    """How well the confidence fits.

    Attributes:
        ece: of the model's answers.
        temperature: the one inside the model; None where another calibration, or none, is inside.
        ece_before: the ECE without that temperature; None where ``temperature`` is.
        refitted: what each way to calibrate would give on this split; None for fewer than five faces.
    """

    ece: float
    temperature: float | None = None
    ece_before: float | None = None
    refitted: CalibrationFits | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON's types; what is not known is left out."""
        given = {key: value for key, value in plain(self).items() if value is not None}
        if "refitted" in given:
            del given["refitted"]["ece_before"]  # the same number as ``ece``
        return given


@dataclass(frozen=True)
class Assessment:
    """A model's answers on one split, in full.

    Attributes:
        split: its name; several are joined by " + ".
        counts: faces by split and class.
        metrics: the figures.
        intervals: their 95 % intervals.
        curves: ROC and precision/recall curves by class, where a class has faces inside and outside of it.
        reliability: accuracy by confidence.
        calibration: how well the confidence fits.
        selective: what abstaining gains.
        votes: against FER+'s taggers; None without votes.
        robustness: None where it was not measured.
        non_faces: rejection of crops without a face, by kind; None where it was not measured.
        other_classes: the second protocol; None where the data has the model's classes.
        groups: figures of groups of faces; None where they were not asked for.
        photos: what detector and model get right together; None where the data are faces already.
    """

    split: str
    counts: Mapping[str, Mapping[str, int]]
    metrics: Metrics
    intervals: Intervals
    curves: Mapping[str, RankingCurve]
    reliability: tuple[ReliabilityBin, ...]
    calibration: CalibrationCheck
    selective: RiskCoverage
    votes: VoteMetrics | None
    robustness: Robustness | None = None
    non_faces: Mapping[str, Rejection] | None = None
    other_classes: OtherClasses | None = None
    groups: GroupReport | None = None
    photos: PhotoFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """What metrics.json holds: the figures and their intervals side by side, then each part under its name."""
        found = {"split": self.split, "counts": plain(self.counts)}
        found |= self.metrics.to_dict() | self.intervals.to_dict()
        found |= {"curves": plain(self.curves), "reliability": plain(self.reliability)}
        found |= {"calibration": self.calibration.to_dict(), "abstention": self.selective.to_dict()}
        found["votes"] = plain(self.votes)
        if self.robustness is not None:
            found["robustness"] = self.robustness.to_dict()
        if self.non_faces is not None:
            found["non_faces"] = plain(self.non_faces)
        if self.other_classes is not None:
            found["other_classes"] = plain(self.other_classes)
        if self.groups is not None:
            found["groups"] = plain(self.groups) | {"verdict": self.groups.verdict}
        if self.photos is not None:
            found["photos"] = plain(self.photos)
        return found


def assess(
    probs_NC: NDArray[np.floating[Any]],
    faces: FaceSet,
    *,
    temperature: float | None = None,
    threshold: float | None = None,
    repeats: int = 1000,
) -> Assessment:
    """Score the probabilities of one split in full.

    Args:
        probs_NC: shape (N, C), columns in the order of ``faces.labels``.
        faces: one split, with votes if there are any.
        temperature: the one inside the model, to measure the ECE without it; None where there is none.
        threshold: the model answers from this confidence on; None where it has no threshold.
        repeats: of the bootstrap.

    Raises:
        ModelError: the values are not probabilities.
    """
    probs, labels_N = check_predictions(probs_NC, faces.labels_N, len(faces.labels))
    return Assessment(
        split=" + ".join(faces.split_names),
        counts=faces.counts(),
        metrics=evaluate(probs_NC, labels_N, faces.labels),
        intervals=intervals_95(probs_NC, labels_N, faces.labels, repeats),
        curves={
            name: ranking_curve(probs[:, index], labels_N == index)
            for index, name in enumerate(faces.labels)
            if 0 < (labels_N == index).sum() < len(labels_N)
        },
        reliability=reliability(probs, labels_N),
        calibration=_calibration(probs, labels_N, temperature),
        selective=risk_coverage(probs_NC, labels_N, threshold),
        votes=None if faces.votes_NC is None else against_votes(probs, faces.votes_NC, faces.labels),
    )


def _calibration(
    probs_NC: NDArray[np.float64], labels_N: NDArray[np.int64], temperature: float | None
) -> CalibrationCheck:
    log_probs_NC = np.log(np.maximum(probs_NC, SMALLEST_PROBABILITY))
    before = None
    if temperature is not None:
        before = expected_calibration_error(apply_temperature(log_probs_NC, 1 / temperature), labels_N)
    refitted = calibration(log_probs_NC, labels_N) if len(labels_N) >= FEWEST_TO_REFIT else None
    return CalibrationCheck(expected_calibration_error(probs_NC, labels_N), temperature, before, refitted)


def card_mismatches(card: ModelCard, found: Assessment, fingerprint: str) -> list[str]:
    """Compare what the card claims for this split with what was measured: one line for each difference.

    On data other than the card's, its claims cannot be judged, and there are no lines.
    """
    claimed = card.metrics.get(found.split)
    if card.data.get("fingerprint") != fingerprint or not isinstance(claimed, dict):
        return []
    measured = {
        "n": found.metrics.n,
        "accuracy": found.metrics.accuracy,
        "nll": found.metrics.nll,
        "ece": found.metrics.ece,
    }
    return [
        f"the card claims {key} {claimed.get(key)} on this split of the same data, but {value:.6g} was measured: "
        "someone edited the card or the model"
        for key, value in measured.items()
        if not isinstance(claimed.get(key), int | float) or not abs(claimed[key] - value) <= CLAIM_TOLERANCE
    ]
