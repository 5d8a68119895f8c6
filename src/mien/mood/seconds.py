"""Aggregates: the moods of one second (or the seconds of a longer step) as one row. The store keeps nothing else.

    second = aggregate(start_s, moods)            # moods of one second
    minute = aggregate(start_s, seconds)          # seconds of one minute with equal weights

Numbers are means. The label, the stress level and the state of the baseline are the most frequent values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, TypeVar

from mien.mood.mood_value import Mood
from mien.mood.stress import BaselineState, StressLevel

_T = TypeVar("_T", bound=str)


@dataclass(frozen=True)
class Second:
    """One person over one second, or over a longer step that starts there.

    Attributes:
        track_id: the person, according to the tracker.
        second: start, in whole seconds of the tracker's clock or, from a store, since 1970 (UTC).
        n: number of moods in the mean.
        scores, valence, arousal, confidence, coverage: means over the moods.
        label, stress_level, baseline: the most frequent values.
        stress_index, stress_low, stress_high: means over the moods that have one; None if none has.
    """

    track_id: int
    second: int
    n: int
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

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)


def aggregate(second: int, samples: Sequence[Mood | Second]) -> Second:
    """Combine moods of one track into one row, or rows into a longer row. All samples have equal weight.

    Args:
        second: start of the step.
        samples: at least one, all from one track, oldest first.
    """
    assert samples and len({sample.track_id for sample in samples}) == 1
    names = dict.fromkeys(name for sample in samples for name in sample.scores)
    count = len(samples)
    return Second(
        track_id=samples[0].track_id,
        second=second,
        n=sum(sample.n for sample in samples),
        scores={name: math.fsum(sample.scores.get(name, 0.0) for sample in samples) / count for name in names},
        valence=math.fsum(sample.valence for sample in samples) / count,
        arousal=math.fsum(sample.arousal for sample in samples) / count,
        label=_most_frequent(sample.label for sample in samples),
        confidence=math.fsum(sample.confidence for sample in samples) / count,
        stress_index=_mean_if_any(sample.stress_index for sample in samples),
        stress_low=_mean_if_any(sample.stress_low for sample in samples),
        stress_high=_mean_if_any(sample.stress_high for sample in samples),
        stress_level=_most_frequent(sample.stress_level for sample in samples),
        coverage=math.fsum(sample.coverage for sample in samples) / count,
        baseline=_most_frequent(sample.baseline for sample in samples),
    )


def by_step(seconds: Iterable[Second], step_s: int) -> list[Second]:
    """Combine rows into steps of ``step_s`` seconds: one row for each track and step, ordered by time, then track.

    Args:
        seconds: rows of any tracks; steps start at multiples of ``step_s``.
        step_s: at least 1.
    """
    if step_s < 1:
        raise ValueError(f"expected a step of at least 1 s, got {step_s}")

    def step(row: Second) -> tuple[int, int]:
        return row.second // step_s * step_s, row.track_id

    ordered = sorted(seconds, key=lambda row: (*step(row), row.second))
    if step_s == 1:
        return ordered
    return [aggregate(start, list(rows)) for (start, _), rows in groupby(ordered, key=step)]


def _mean_if_any(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _most_frequent(names: Iterable[_T]) -> _T:
    return Counter(names).most_common(1)[0][0]


def shares(counts: Counter[Any]) -> dict[str, float]:
    """Counts as shares of their sum, the largest first; names that were never counted are left out."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.most_common() if count}
