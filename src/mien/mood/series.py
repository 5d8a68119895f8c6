"""Tools for unevenly sampled time series: a clock that never runs backwards, and a sliding window.

The window and the smoothing in score_means.py use one convention: a sample represents the time since the previous
frame, ``duration_s``, up to the longest interval that does not count as a gap. Results therefore do not depend on the
frame rate or on the clock's zero, and time without a face has no weight.
"""

from __future__ import annotations

import math
from collections import deque


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
