"""Episodes: stretches in which a face keeps one label other than neutral, with onset, peak and end.

    finder = EpisodeFinder(max_gap_s=1.0)
    finder.add(t_s, label, value); finder.pass_time(t_s); finder.episodes

The live tracker (every frame) and the stored seconds use this one implementation. Give it a label with hysteresis: a
label that flickers makes many short episodes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from mien.contract.emotions import canonical


@dataclass(frozen=True)
class Episode:
    """A stretch of time in which a face keeps one emotion.

    Attributes:
        onset_s: when the label began.
        peak_s: when its smoothed score was highest (the first time, if several).
        end_s: when another label began, or when the face was last seen before a gap; None while the episode lasts.
        label: the emotion.
        peak_value: its highest smoothed score, 0..1.
    """

    onset_s: float
    peak_s: float
    end_s: float | None
    label: str
    peak_value: float

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)


class EpisodeFinder:
    """Finds episodes in a sequence of labels that arrives in order of time."""

    def __init__(self, max_gap_s: float) -> None:
        self.max_gap_s = max_gap_s
        self.episodes: list[Episode] = []
        self._last_s = 0.0

    def add(self, t_s: float, label: str, value: float) -> None:
        """The face shows ``label`` with smoothed score ``value`` at ``t_s``."""
        self.pass_time(t_s)
        self._last_s = t_s
        current = self.episodes[-1] if self.episodes and self.episodes[-1].end_s is None else None
        if current is not None and current.label == label:
            if value > current.peak_value + 1e-9:  # rounding must not move the peak to a later, equal value
                self.episodes[-1] = replace(current, peak_s=t_s, peak_value=value)
            return
        if current is not None:
            self.episodes[-1] = replace(current, end_s=t_s)
        if canonical(label) != "neutral":
            self.episodes.append(Episode(t_s, t_s, None, label, value))

    def pass_time(self, now_s: float) -> None:
        """End the current episode if the face has been away for longer than ``max_gap_s``."""
        if now_s - self._last_s > self.max_gap_s + 1e-9 and self.episodes and self.episodes[-1].end_s is None:
            self.episodes[-1] = replace(self.episodes[-1], end_s=self._last_s)

    def forget_before(self, start_s: float) -> None:
        """Drop episodes that ended before ``start_s``."""
        while self.episodes and (end_s := self.episodes[0].end_s) is not None and end_s < start_s:
            del self.episodes[0]
