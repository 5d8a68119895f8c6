"""How a daily mean changes over time: a slope that single odd days do not bend, with its interval.

found = trend(store.days(first, last), "stress_index")
found.per_day, found.low, found.high, found.direction
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import combinations
from typing import Any, Literal

from mien.contract.errors import MienError
from mien.mood.days import Day


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
