"""Time series that are seen at uneven times: a clock that never goes back, smoothing, and a sliding window.

One convention for all: a sample stands for the time since the frame before it, ``duration_s``, at most the longest
stretch that is no gap. So a signal that is constant between frames gives the same answer at any frame rate, time
without a face weighs nothing, and nothing depends on when the clock's zero was.

Pure Python on purpose: a sample has seven numbers, and arrays that small cost more than they save.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping


class SteadyClock:
    """Seconds that never go back: where the source's clock jumps back, this one stands still, then goes on from there.

    A jump forward cannot be told from a pause and stays one.

    Args:
        not_before_s: a time that it never shows less than.
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

    The weight of what was seen halves every ``half_life_s``, whether or not anything is seen meanwhile; a new sample
    weighs 1 - 2^(-duration/half-life). The result is the weighted mean, so it is a mean from the first sample on, and
    after a gap of many half-lives the new samples count almost alone. This is the moving average "EMA next" of
    Eckner, "Algorithms for unevenly spaced time series" (2019), normalised by the weight that there is.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._weight = 0.0
        self._sums: dict[str, float] = {}

    def add(self, elapsed_s: float, duration_s: float, scores: Mapping[str, float]) -> None:
        """Take a sample that stands for the last ``duration_s`` of the ``elapsed_s`` since the sample before."""
        fade = 2.0 ** (-elapsed_s / self._half_life_s)
        weight = -math.expm1(-math.log(2) * duration_s / self._half_life_s)
        if self._weight * fade + weight < 1e-12:  # the very first frame, or nothing left after a long absence
            fade, weight = 0.0, 1e-12
        for name in self._sums.keys() - scores.keys():
            self._sums[name] *= fade
        for name, score in scores.items():
            self._sums[name] = self._sums.get(name, 0.0) * fade + score * weight
        self._weight = self._weight * fade + weight

    def scores(self) -> dict[str, float]:
        """The smoothed scores, which sum to 1 as the samples did; empty before the first sample."""
        return {name: min(1.0, value / self._weight) for name, value in self._sums.items()}


class SlidingWindow:
    """The mean of a signal over the last ``length_s`` seconds, weighted by the time that it was seen."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._pieces: deque[tuple[float, float, float]] = deque()  # start, end, value
        self._seen_s = self._sum = 0.0

    def add(self, end_s: float, duration_s: float, value: float) -> None:
        """Take a value that held for the ``duration_s`` before ``end_s``; times must not go back."""
        if duration_s > 0:
            self._pieces.append((end_s - duration_s, end_s, value))
            self._seen_s += duration_s
            self._sum += duration_s * value
        self.forget_before(end_s - self.length_s)

    def forget_before(self, start_s: float) -> None:
        """Drop what lies before ``start_s``, cutting a piece that reaches across it."""
        while self._pieces and self._pieces[0][0] < start_s:
            start, end, value = self._pieces.popleft()
            gone_s = min(end, start_s) - start
            self._seen_s -= gone_s
            self._sum -= gone_s * value
            if end > start_s:
                self._pieces.appendleft((start_s, end, value))
                break
        if not self._pieces:
            self._seen_s = self._sum = 0.0  # nothing of the rounding of a long run stays

    def seen_s(self, now_s: float) -> float:
        """Seconds of the window, as of ``now_s``, in which the signal was seen."""
        self.forget_before(now_s - self.length_s)
        return min(max(self._seen_s, 0.0), self.length_s)

    def mean(self, now_s: float) -> float | None:
        """The mean over the window as of ``now_s``; None where nothing was seen. Between the extremes of the values."""
        self.forget_before(now_s - self.length_s)
        return self._sum / self._seen_s if self._seen_s > 1e-9 else None
