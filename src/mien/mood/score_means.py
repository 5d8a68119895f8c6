"""Means of class scores over time, for uneven frames and gaps; and the single scores behind such a mean.

    smoother = Smoother(half_life_s=2.0)
    smoother.add(elapsed_s=0.04, duration_s=0.04, scores=face.scores)
    smoother.scores()["happy"]

This is pure Python because a sample has about eight numbers: numpy would be slower for arrays that small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping


class Smoother:
    """Exponential smoothing of class scores with a half-life in seconds, for uneven frames and gaps.

    The weight of past samples halves every ``half_life_s``, also during a gap. A new sample has the weight 1 -
    2^(-duration/half-life). The result is the weighted mean. It is a true mean from the first sample on, and after a
    gap of many half-lives it follows the new samples. This is the moving average "EMA next" of Eckner, "Algorithms for
    unevenly spaced time series" (2019), divided by the sum of the weights.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._weight = 0.0
        self._sums: dict[str, float] = {}

    def add(self, elapsed_s: float, duration_s: float, scores: Mapping[str, float]) -> None:
        """Add a sample that represents the last ``duration_s`` of the ``elapsed_s`` since the previous sample."""
        fade = 2.0 ** (-elapsed_s / self._half_life_s)
        weight = -math.expm1(-math.log(2) * duration_s / self._half_life_s)
        if self._weight * fade + weight < 1e-12:  # the first frame, or all old weight has faded in a long gap
            fade, weight = 0.0, 1e-12
        for name in self._sums.keys() - scores.keys():
            self._sums[name] *= fade
        for name, score in scores.items():
            self._sums[name] = self._sums.get(name, 0.0) * fade + score * weight
        self._weight = self._weight * fade + weight

    def scores(self) -> dict[str, float]:
        """The smoothed scores; their sum is that of the samples' scores. Empty before the first sample."""
        return {name: min(1.0, value / self._weight) for name, value in self._sums.items()}


class Unsmoother:
    """Gives back the scores of single frames from scores that were smoothed before they came here.

    ``video.smoothing.ScoreSmoother`` answers the mean S_k / W_k with S_k = f S_(k-1) + p_k and W_k = f W_(k-1) + 1,
    where f = 2^(-elapsed / half-life). So p_k = W_k mean_k - f W_(k-1) mean_(k-1). Results hold six decimals, and this
    multiplies their rounding by W_k: at 30 frames a second and 0.5 s the scores come back to about 2e-5.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._t_s = -math.inf
        self._mean: dict[str, float] = {}

    def __call__(self, mean: Mapping[str, float], t_s: float, half_life_s: float) -> dict[str, float]:
        """The scores of the frame at ``t_s`` behind ``mean``. Call it with every frame of one person, in order."""
        fade = 2.0 ** (-(t_s - self._t_s) / half_life_s)
        old = fade * self._weight
        scores = {name: (old + 1) * value - old * self._mean.get(name, 0.0) for name, value in mean.items()}
        self._weight, self._t_s, self._mean = old + 1, t_s, dict(mean)
        return {name: min(max(score, 0.0), 1.0) for name, score in scores.items()}
