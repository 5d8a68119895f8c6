"""Scores over time: an exponential mean for each person, by elapsed seconds.

    smoother = ScoreSmoother(half_life_s=0.5)         # one per source
    probs_C = smoother(track_id, probs_C, t_s)

The weight of each sight halves every ``half_life_s``, so the mean does not depend on the frame rate, and the first
frame loses its weight like all others. Between sights the mean stays as it is; after a long gap it starts anew.

Not here: mood over minutes (mien.mood).

Shape legend: C emotions.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class _Mean:
    sum_C: NDArray[np.float64]
    weight: float
    t_s: float


class ScoreSmoother:
    """Smooths the probabilities of each track. Not for several threads at once.

    Args:
        half_life_s: after which a sight counts half; 0 for no smoothing.
        max_gap_s: a track that was not seen for longer is forgotten; the same as for the tracker.

    Raises:
        ValueError: one of them is negative or not a number.
    """

    def __init__(self, half_life_s: float = 0.5, max_gap_s: float = 1.0) -> None:
        if not (half_life_s >= 0 and max_gap_s >= 0):
            raise ValueError(f"expected half_life_s and max_gap_s >= 0, got {half_life_s} and {max_gap_s}")
        self.half_life_s, self.max_gap_s = half_life_s, max_gap_s
        self._means: OrderedDict[int, _Mean] = OrderedDict()  # the longest unseen first

    def __call__(self, track_id: int, probs_C: NDArray[np.floating[Any]], t_s: float) -> NDArray[np.float64]:
        """Take in one sight and return the mean.

        Args:
            track_id: whose face it is.
            probs_C: probability of each emotion, summing to 1.
            t_s: when, in seconds. Where it lies before the last sight, no time has passed.

        Returns:
            float64, summing to 1: the weighted mean of the sights so far.

        Raises:
            ValueError: ``t_s`` is not finite.
        """
        if not math.isfinite(t_s):
            raise ValueError(f"expected a time in seconds, got {t_s}")
        while self._means and t_s - next(iter(self._means.values())).t_s > self.max_gap_s:
            self._means.popitem(last=False)  # so that a day of passers-by needs no memory
        sight_C = probs_C.astype(np.float64)
        mean = self._means.get(track_id)
        if mean is None or self.half_life_s == 0:
            mean = _Mean(sight_C, 1.0, t_s)
        else:
            fade = 0.5 ** (max(0.0, t_s - mean.t_s) / self.half_life_s)
            mean = _Mean(fade * mean.sum_C + sight_C, fade * mean.weight + 1, max(t_s, mean.t_s))
        self._means[track_id] = mean
        self._means.move_to_end(track_id)
        return np.asarray(mean.sum_C / mean.weight)

    def forget(self, track_id: int) -> None:
        """Drop what is known of a track; nothing happens where there is nothing."""
        self._means.pop(track_id, None)
