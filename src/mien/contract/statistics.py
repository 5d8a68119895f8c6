"""The small statistics that several rooms need: Wilson's interval, softmax, folds for cross-fitting.

    wilson_interval(81, 263)                      # (0.255, 0.366)
    probs_NC = softmax(logits_NC)
    held_out_N = fold_numbers(len(labels_N), folds=5, seed=0) == 0

Shape legend: N faces, C classes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError

Interval = tuple[float, float]
"""Both ends of an interval, the lower first."""

NORMAL_QUANTILE_975 = 1.959963984540054
"""The 97.5 % quantile of the normal distribution: 95 % lie within this many standard deviations."""


def wilson_interval(successes: float, trials: float) -> Interval:
    """95 % interval of a share (Wilson 1927). It stays inside 0..1 and holds for few trials too.

    Args:
        successes: 0..trials.
        trials: above 0. Neither number has to be whole.
    """
    z = NORMAL_QUANTILE_975
    share = successes / trials
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def softmax(logits_NC: ArrayLike) -> NDArray[np.float64]:
    """Probabilities (N, C) of logits; each row sums to 1."""
    logits = np.asarray(logits_NC, dtype=np.float64)
    exp_NC = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs_NC: NDArray[np.float64] = exp_NC / exp_NC.sum(axis=1, keepdims=True)
    return probs_NC


def fold_numbers(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign each of ``count`` faces to one of ``folds`` parts of equal size, at random.

    Returns:
        Shape (count,), numbers 0..folds - 1.

    Raises:
        DataError: fewer faces than folds.
    """
    if count < folds:
        raise DataError(
            f"expected at least {folds} faces for {folds} folds, got {count}; label more, or leave more for validation"
        )
    return np.random.default_rng(seed).permutation(np.arange(count) % folds)
