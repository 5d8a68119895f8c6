"""Days and ISO weeks of the store, and the trend over days.

    days = store.days(first, last); weeks = by_week(days); trend(days, "stress_index")

Days and weeks combine everybody in front of the camera, since the store does not know who somebody is. A row counts as
one second of one person, so two people for a minute are 120 seconds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import combinations
from typing import Any, Literal

from mien.contract.errors import MienError
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


@dataclass(frozen=True)
class Trend:
    """How a daily mean changes over time.

    Attributes:
        per_day: Theil-Sen slope, in units of the quantity per day.
        low, high: its 95 % interval after Sen; None below 5 days, where that interval does not exist.
        days: number of days used.
        direction: "rising" or "falling" if the interval excludes 0, else "unclear".
    """

    per_day: float
    low: float | None
    high: float | None
    days: int
    direction: Literal["rising", "falling", "unclear"]

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


def trend(days: Sequence[Day], quantity: Literal["valence", "arousal", "stress_index"]) -> Trend | None:
    """Trend of a daily mean: the median slope over all pairs of days, which is robust against single odd days.

    Theil (1950); interval by Sen (1968), "Estimates of the regression coefficient based on Kendall's tau". All days
    have equal weight, however long they were watched; days without the quantity are left out.

    Returns:
        None with fewer than two days.
    """
    if quantity not in ("valence", "arousal", "stress_index"):
        raise MienError(f"no trend of {quantity!r}; there are valence, arousal, stress_index")
    points = [(date.fromisoformat(day.day).toordinal(), getattr(day, quantity)) for day in days]
    points = sorted((when, value) for when, value in points if value is not None)
    n = len(points)
    if n < 2:
        return None
    slopes = sorted((later - value) / (then - when) for (when, value), (then, later) in combinations(points, 2))
    middle = len(slopes) // 2
    slope = slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2
    low = high = None
    reach = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    if n >= 5 and reach < len(slopes):
        low = slopes[max(0, math.floor((len(slopes) - reach) / 2) - 1)]
        high = slopes[min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))]
    rises, falls = low is not None and low > 0, high is not None and high < 0
    return Trend(slope, low, high, n, "rising" if rises else "falling" if falls else "unclear")
