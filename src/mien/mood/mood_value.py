"""The mood of one person at one moment, as ``MoodTracker`` gives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from mien.mood.stress import BaselineState, StressLevel


@dataclass(frozen=True)
class Mood:
    """The mood of one person at one moment.

    Attributes:
        track_id: the person, according to the tracker of the frames.
        t_s: seconds on the source's clock, corrected if that clock jumped back.
        scores: smoothed probability of every class by name; they sum to 1.
        valence: unpleasant to pleasant, -1..1, projected from ``scores``.
        arousal: sleepy to excited, -1..1, likewise.
        label: the emotion shown, with hysteresis.
        confidence: smoothed probability of ``label``.
        stress_index: 0..100, an expression-based index, not a diagnosis. None while the baseline learns, if the window
            holds no usable face, and for a model without anger, fear and disgust.
        stress_low, stress_high: its 95 % interval; None if the index is None.
        stress_level: the published three steps: share of angry, fear and sad among the person's last 30 faces.
        coverage: share of the window (or of the time since the person arrived, if shorter) with a usable face, 0..1.
        baseline: "learning", "personal", or "none" if the index is not relative to the person.
    """

    track_id: int
    t_s: float
    scores: Mapping[str, float]
    valence: float
    arousal: float
    label: str
    confidence: float
    stress_index: float | None
    stress_low: float | None
    stress_high: float | None
    stress_level: StressLevel
    coverage: float
    baseline: BaselineState

    n: ClassVar[int] = 1  # a mood counts as an aggregate of one sample

    def __post_init__(self) -> None:
        if not math.isfinite(self.t_s) or not 0 <= self.coverage <= 1 or not 0 <= self.confidence <= 1:
            raise ValueError(f"expected finite t_s, coverage and confidence in 0..1, got {self}")
        stress = (self.stress_low, self.stress_index, self.stress_high)
        if stress != (None, None, None):
            low, index, high = (math.nan if value is None else value for value in stress)
            if not 0 <= low <= index <= high <= 100:
                raise ValueError(f"expected 0 <= stress_low <= stress_index <= stress_high <= 100, got {stress}")
        if not (-1 <= self.valence <= 1 and -1 <= self.arousal <= 1):
            raise ValueError(f"expected valence and arousal in -1..1, got {self.valence}, {self.arousal}")
        object.__setattr__(self, "scores", dict(self.scores))

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)
