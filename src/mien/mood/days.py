"""Days and ISO weeks of the store.

    days = store.days(first, last); weeks = by_week(days)

Days and weeks combine everybody in front of the camera, since the store does not know who somebody is. A row counts as
one second of one person, so two people for a minute are 120 seconds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from mien.mood.seconds import shares


@dataclass(frozen=True)
class Day:
    """Everybody in front of the camera on one day, or in one ISO week.

    Attributes:
        day: "2026-11-21", or "2026-W47".
        person_s: seconds with a face, summed over people.
        sessions: number of sessions with rows; for a week, the sum over its days.
        valence, arousal: means, -1..1.
        stress_index: mean over the seconds that have one, 0..100; None if none has.
        stress_s: number of seconds that have one.
        labels: share of the seconds by label, most frequent first.
    """

    day: str
    person_s: int
    sessions: int
    valence: float
    arousal: float
    stress_index: float | None
    stress_s: int
    labels: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)


def by_week(days: Iterable[Day]) -> list[Day]:
    """Combine days into ISO weeks, weighted by their seconds with a face."""
    weeks: dict[str, list[Day]] = defaultdict(list)
    for day in days:
        year, week, _ = date.fromisoformat(day.day).isocalendar()
        weeks[f"{year}-W{week:02}"].append(day)
    return [_merged(name, members) for name, members in sorted(weeks.items())]


def _merged(name: str, days: Sequence[Day]) -> Day:
    person_s, stress_s = sum(day.person_s for day in days), sum(day.stress_s for day in days)
    stress = math.fsum(day.stress_index * day.stress_s for day in days if day.stress_index is not None)
    labels: Counter[str] = Counter()
    for day in days:
        labels.update({label: round(share * day.person_s) for label, share in day.labels.items()})
    return Day(
        day=name,
        person_s=person_s,
        sessions=sum(day.sessions for day in days),
        valence=math.fsum(day.valence * day.person_s for day in days) / person_s,
        arousal=math.fsum(day.arousal * day.person_s for day in days) / person_s,
        stress_index=stress / stress_s if stress_s else None,
        stress_s=stress_s,
        labels=shares(labels),
    )
