"""Figures on photos from everyday life, and the naming that suits them.

    naming = choose_naming(probs_NC, labels_N, labels, source="field faces")     # on the split "calibration"
    found = field_figures(probs_NC, labels_N, labels, naming_weights(labels, naming))    # on "validation"

Most faces of such photos are neutral or happy, so accuracy alone rewards a model that never says anything else;
balanced recall alone rewards one that sees anger everywhere. Both are given. Disgust and contempt stay out of the
balanced figure: in the field faces used here most disgust is mislabelled and contempt has five faces.

Shape legend: N faces, C emotions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import DataError
from mien.contract.naming import Naming, naming_weights
from mien.contract.statistics import Interval, wilson_interval
from mien.evaluate.calibration_error import debiased_calibration_error, expected_calibration_error
from mien.evaluate.intervals import ece_if_calibrated_95

BALANCED_OVER = ("angry", "fear", "happy", "neutral", "sad", "surprise")
"""Emotions whose mean recall is the balanced figure."""

POWERS = tuple(round(0.05 * step, 2) for step in range(21))
"""Exponents of the frequencies that are tried."""

MOST_ACCURACY_LOST = 0.02
"""So much accuracy may the default naming cost, for more balanced recall."""

LEAST_FACES = 10
"""Emotions with fewer faces do not take part in the choice of a power: one face would move it."""

FLOOR_DRAWS = 100
SUREST = 0.8
"""Share of answers whose errors are compared with those of all."""


@dataclass(frozen=True)
class Share:
    """A share of n faces with its 95 % Wilson interval."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, hits_N: NDArray[np.bool_]) -> Share:
        """Of the faces for which ``hits_N`` is true."""
        low, high = wilson_interval(int(hits_N.sum()), len(hits_N))
        return cls(float(hits_N.mean()), low, high, len(hits_N))


@dataclass(frozen=True)
class FieldFigures:
    """What a model gets right on labelled field photos.

    Attributes:
        accuracy: of the named emotions.
        balanced: mean recall over those of ``BALANCED_OVER`` that occur.
        recall: by emotion, of those that occur.
        ece: calibration error of the most probable emotion's probability, 15 bins, 0..1.
        ece_debiased: the same as a root mean square, less what chance adds.
        ece_if_calibrated: the range of ``ece`` if the confidences were exactly true.
        surest_error: error among the surest 80 % of answers divided by the error of all; below 1 where sureness helps.
    """

    accuracy: Share
    balanced: float
    recall: Mapping[str, Share]
    ece: float
    ece_debiased: float
    ece_if_calibrated: Interval
    surest_error: float


def field_figures(
    probs_NC: NDArray[np.floating],
    labels_N: NDArray[np.int64],
    labels: Sequence[str],
    weights_C: NDArray[np.float64] | None = None,
) -> FieldFigures:
    """Figures of probabilities whose largest weighted one is named.

    Args:
        probs_NC: calibrated, columns in the order of ``labels``.
        labels_N: true emotions.
        labels: their names.
        weights_C: of ``naming_weights``; None names the most probable.

    Raises:
        DataError: no face, or shapes that do not fit.
    """
    if not len(labels_N) or probs_NC.shape != (len(labels_N), len(labels)):
        raise DataError(
            f"expected probabilities of {len(labels_N)} faces and {len(labels)} emotions, got {probs_NC.shape}"
        )
    named_N = (probs_NC * (1.0 if weights_C is None else weights_C)).argmax(axis=1)
    right_N = named_N == labels_N
    recall = {
        name: Share.of(right_N[labels_N == index]) for index, name in enumerate(labels) if (labels_N == index).any()
    }
    balanced = [share.value for name, share in recall.items() if name in BALANCED_OVER]
    surest_M = np.argsort(-probs_NC[np.arange(len(named_N)), named_N], kind="stable")[: round(SUREST * len(named_N))]
    errors = float((~right_N).mean())
    return FieldFigures(
        accuracy=Share.of(right_N),
        balanced=float(np.mean(balanced)) if balanced else float("nan"),
        recall=recall,
        ece=expected_calibration_error(probs_NC, labels_N),
        ece_debiased=debiased_calibration_error(probs_NC, labels_N),
        ece_if_calibrated=ece_if_calibrated_95(np.asarray(probs_NC, dtype=np.float64), FLOOR_DRAWS),
        surest_error=float((~right_N[surest_M]).mean()) / errors if errors else 0.0,
    )


def choose_naming(
    probs_NC: NDArray[np.floating],
    labels_N: NDArray[np.int64],
    labels: Sequence[str],
    source: str = "",
    most_lost: float = MOST_ACCURACY_LOST,
) -> Naming:
    """The naming with the largest balanced recall that costs at most ``most_lost`` of accuracy.

    The frequencies are those of the labels, one face added to each so that no emotion is impossible. The recall of an
    emotion with fewer than ``LEAST_FACES`` faces does not count.

    Args:
        probs_NC: calibrated probabilities of faces that nothing was trained on.
        labels_N: their emotions.
        labels: names of the emotions.
        source: what the faces are.
        most_lost: 0..1.

    Raises:
        DataError: no face, or shapes that do not fit.
    """
    counts_C = np.bincount(labels_N, minlength=len(labels)) + 1.0
    frequencies = dict(zip(labels, (counts_C / counts_C.sum()).tolist(), strict=True))
    naming = Naming(frequencies, 0.0, source)
    best, floor = (-1.0, naming), -1.0
    for power in POWERS:
        tried = replace(naming, power=power)
        found = field_figures(probs_NC, labels_N, labels, naming_weights(labels, tried))
        floor = max(floor, found.accuracy.value - most_lost) if power == 0 else floor
        counted = [
            share.value for name, share in found.recall.items() if name in BALANCED_OVER and share.n >= LEAST_FACES
        ]
        balanced = float(np.mean(counted)) if counted else 0.0
        if found.accuracy.value >= floor and balanced > best[0]:
            best = (balanced, tried)
    return best[1]
