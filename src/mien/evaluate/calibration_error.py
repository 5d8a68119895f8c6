"""How far confidence is from accuracy: the expected calibration error, and the bins that it is made of.

    expected_calibration_error(probs_NC, labels_N)      # mean gap; chance alone makes it larger on few faces
    debiased_calibration_error(probs_NC, labels_N)      # root mean square gap, without what chance adds
    for each in reliability(probs_NC, labels_N): print(each.confidence, each.accuracy)

Shape legend: N faces, C classes, M faces of a bin, G groups of equal confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.statistics import Interval, wilson_interval

ECE_BINS = 15
"""As in Guo et al. 2017 (arXiv:1706.04599)."""

LEAST_IN_BIN = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Faces of similar confidence.

    Attributes:
        n: faces.
        confidence: their mean confidence, 0..1.
        accuracy: share of them that is right, 0..1.
        accuracy_95: Wilson's interval.
    """

    n: int
    confidence: float
    accuracy: float
    accuracy_95: Interval


def expected_calibration_error(probs_NC: ArrayLike, labels_N: ArrayLike, bins: int = ECE_BINS) -> float:
    """Mean |confidence - accuracy| over bins of equally many faces, 0..1.

    The confidence is the largest probability. Guo et al. 2017 (arXiv:1706.04599, eq. 3) with the equal-mass bins of
    Nixon et al. 2019 (arXiv:1904.01685): with bins of equal width, most faces of a good model lie in one bin. Where
    there are fewer faces than bins, each face is a bin. Faces of equal confidence share their accuracy. The figure is
    biased upwards on small sets: a perfectly calibrated model does not reach 0.
    """
    probs = np.asarray(probs_NC, dtype=np.float64)
    confidence_N = probs.max(axis=1)
    right_N = shared_by_ties(confidence_N, probs.argmax(axis=1) == np.asarray(labels_N))
    gap_N = confidence_N - right_N
    order_N = np.argsort(confidence_N, kind="stable")
    return sum(abs(float(gap_N[bin_M].sum())) for bin_M in np.array_split(order_N, bins)) / len(probs)


def debiased_calibration_error(probs_NC: ArrayLike, labels_N: ArrayLike, bins: int = ECE_BINS) -> float:
    """Root of ``squared_calibration_error``, 0..1; 0 where chance explains all of it.

    A root mean square is at least as large as the mean that the ECE is.
    """
    return math.sqrt(max(0.0, squared_calibration_error(probs_NC, labels_N, bins)))


def squared_calibration_error(probs_NC: ArrayLike, labels_N: ArrayLike, bins: int = ECE_BINS) -> float:
    """Mean square of (confidence - accuracy) over bins, less what chance adds; may be below 0.

    Kumar, Liang & Ma 2019 (arXiv:1909.10155, definition 5.1): of each bin's squared mean gap, the variance of that mean
    is subtracted. The result is unbiased, whatever the number of faces, so sets of different sizes can be compared.
    Equal confidences share a bin, so the order of the faces plays no part.

    Args:
        probs_NC: shape (N, C).
        labels_N: shape (N,).
        bins: of about equally many faces; fewer where a bin would have less than ten.
    """
    probs = np.asarray(probs_NC, dtype=np.float64)
    confidence_N = probs.max(axis=1)
    gap_N = confidence_N - (probs.argmax(axis=1) == np.asarray(labels_N))
    bins = max(1, min(bins, len(probs) // LEAST_IN_BIN))
    index_N = np.searchsorted(np.quantile(confidence_N, np.arange(1, bins) / bins), confidence_N, side="right")
    total = 0.0
    for index in np.unique(index_N):
        gap_M = gap_N[index_N == index]
        chance = gap_M.var(ddof=1) / len(gap_M) if len(gap_M) > 1 else gap_M[0] ** 2
        total += len(gap_M) * float(gap_M.mean() ** 2 - chance)
    return total / len(probs)


def reliability(
    probs_NC: NDArray[np.float64], labels_N: NDArray[np.int64], bins: int = ECE_BINS
) -> tuple[ReliabilityBin, ...]:
    """The bins of the expected calibration error, the least confident first."""
    confidence_N = probs_NC.max(axis=1)
    right_N = shared_by_ties(confidence_N, probs_NC.argmax(axis=1) == labels_N)
    order_N = np.argsort(confidence_N, kind="stable")
    found = []
    for bin_M in np.array_split(order_N, bins):
        if len(bin_M):
            right, n = float(right_N[bin_M].sum()), len(bin_M)
            mean = float(confidence_N[bin_M].mean())
            found.append(ReliabilityBin(n, mean, right / n, wilson_interval(right, n)))
    return tuple(found)


def shared_by_ties(confidence_N: NDArray[np.float64], values_N: NDArray[Any]) -> NDArray[np.float64]:
    """Replace each value by the mean of all values with the same confidence.

    Without this, a figure would depend on the order of the faces: data sets come sorted by class, and the edge of a bin
    that separates equal confidences would separate classes.
    """
    _, group_N, size_G = np.unique(confidence_N, return_inverse=True, return_counts=True)
    mean_G: NDArray[np.float64] = np.bincount(group_N, weights=values_N) / size_G
    return mean_G[group_N]
