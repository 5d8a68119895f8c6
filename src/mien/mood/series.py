"""Tools for unevenly sampled time series: a clock that never runs backwards, smoothing, and a sliding window.

All of them use one convention: a sample represents the time since the previous frame, ``duration_s``, up to the longest
interval that does not count as a gap. Results therefore do not depend on the frame rate or on the clock's zero, and
time without a face has no weight.

This is pure Python because a sample has about eight numbers: numpy would be slower for arrays that small.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping


class SteadyClock:
    """A clock that never runs backwards: when the source's clock jumps back, this one stops, then continues from there.

    A jump forward looks like a pause, so it is kept.

    Args:
        not_before_s: the earliest time that it shows.
    """

    def __init__(self, not_before_s: float = -math.inf) -> None:
        self._offset_s = 0.0
        self._last_s = not_before_s

    def __call__(self, t_s: float) -> float:
        """Return the steady time of the source's time ``t_s``; ValueError unless it is finite."""
        if not math.isfinite(t_s):
            raise ValueError(f"expected a finite time in seconds, got {t_s}")
        steady_s = t_s + self._offset_s
        if steady_s < self._last_s:
            self._offset_s += self._last_s - steady_s
            steady_s = self._last_s
        self._last_s = steady_s
        return steady_s


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


class SlidingWindow:
    """Mean of a signal over the last ``length_s`` seconds, weighted by the time for which each value held."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._pieces: deque[tuple[float, float, float]] = deque()  # start, end, value
        self._seen_s = self._sum = 0.0

    def add(self, end_s: float, duration_s: float, value: float) -> None:
        """Add a value that held for ``duration_s`` until ``end_s``; times must not decrease."""
        if duration_s > 0:
            self._pieces.append((end_s - duration_s, end_s, value))
            self._seen_s += duration_s
            self._sum += duration_s * value
        self.forget_before(end_s - self.length_s)

    def forget_before(self, start_s: float) -> None:
        """Drop everything before ``start_s``; shorten a piece that reaches across it."""
        while self._pieces and self._pieces[0][0] < start_s:
            start, end, value = self._pieces.popleft()
            gone_s = min(end, start_s) - start
            self._seen_s -= gone_s
            self._sum -= gone_s * value
            if end > start_s:
                self._pieces.appendleft((start_s, end, value))
                break
        if not self._pieces:
            self._seen_s = self._sum = 0.0  # discard the rounding errors of a long run

    def seen_s(self, now_s: float) -> float:
        """Seconds of the window that ends at ``now_s`` for which there is a value."""
        self.forget_before(now_s - self.length_s)
        return min(max(self._seen_s, 0.0), self.length_s)

    def mean(self, now_s: float) -> float | None:
        """Mean over the window that ends at ``now_s``; None if it holds no value."""
        self.forget_before(now_s - self.length_s)
        return self._sum / self._seen_s if self._seen_s > 1e-9 else None
