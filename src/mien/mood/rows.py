"""Conversion between rows of the store's tables and Python objects.

Numbers are rounded to a useful precision (a probability to a thousandth). An hour of one person then takes less than a
megabyte.

SQLite takes any value in any column, and a damaged file may hold any. What mien would not have written is refused here.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mien.mood.days import Day
from mien.mood.seconds import Second

COLUMNS = (  # of the table seconds
    "session_id, second, track_id, n, scores, valence, arousal, label, confidence, "
    "stress_index, stress_low, stress_high, stress_level, coverage, baseline"
)
SESSIONS = """
    SELECT s.id, s.source, s.started, s.ended, max(r.second) + 1, count(r.second), count(DISTINCT r.track_id)
    FROM sessions s LEFT JOIN seconds r ON r.session_id = s.id
"""

LATEST_S = 10_000_000_000.0
"""Seconds since 1970, in the year 2286."""


@dataclass(frozen=True)
class Session:
    """One recording.

    Attributes:
        id: the number of the session; numbers are never reused.
        source: what was watched, as the caller named it.
        started: start time in UTC.
        ended: end time in UTC; None while the session runs, and if its process died before it could end it.
        recorded_until: end of the last recorded second; None if nothing was recorded.
        person_s: recorded seconds, summed over people.
        people: number of tracks.
    """

    id: int
    source: str
    started: datetime
    ended: datetime | None
    recorded_until: datetime | None
    person_s: int
    people: int

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON, times in ISO 8601."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def values_of(session_id: int, row: Second) -> tuple[Any, ...]:
    """The stored values of a second, in the order of ``COLUMNS``."""
    scores = json.dumps({name: round(score, 3) for name, score in row.scores.items()}, separators=(",", ":"))
    stress = (None if v is None else round(v, 2) for v in (row.stress_index, row.stress_low, row.stress_high))
    means = (round(row.valence, 4), round(row.arousal, 4), row.label, round(row.confidence, 4))
    last = (row.stress_level, round(row.coverage, 3), row.baseline)
    return (session_id, row.second, row.track_id, row.n, scores, *means, *stress, *last)


class DamagedRowError(sqlite3.DatabaseError):
    """A row holds values that mien does not write."""


def second_of(row: Sequence[Any]) -> Second:
    """The second of a row of ``COLUMNS``. Raises DamagedRowError."""
    _, second, track_id, n, scores, valence, arousal, label, confidence, *rest = row
    index, low, high, level, coverage, baseline = rest
    whole = all(isinstance(value, int) for value in (second, track_id, n)) and abs(second) <= LATEST_S and n > 0
    words = all(isinstance(value, str) for value in (scores, label, level, baseline))
    shares = _within(0, 1, confidence, coverage) and _within(-1, 1, valence, arousal)
    if not (
        whole and words and shares and all(value is None or _within(0, 100, value) for value in (index, low, high))
    ):
        raise DamagedRowError
    return Second(track_id, second, n, _scores(scores), valence, arousal, label, confidence, *rest)


def session_of(row: Sequence[Any]) -> Session:
    """The session of a row of ``SESSIONS``. Raises DamagedRowError."""
    number, source, started, ended, until, person_s, people = row
    if not isinstance(source, str):
        raise DamagedRowError
    return Session(number, source, _when(started), _when_if(ended), _when_if(until), person_s, people)


def day_of(day: str, rows: Sequence[Sequence[Any]]) -> Day:
    """Combine the rows of a day, which has one row for each label. Raises DamagedRowError."""
    for row in rows:
        most = 100.0 * row[2]
        if not (
            isinstance(day, str) and isinstance(row[1], str) and _within(-most, most, row[3], row[4], row[5] or 0.0)
        ):
            raise DamagedRowError
    person_s, stress_s = sum(row[2] for row in rows), sum(row[6] for row in rows)
    return Day(
        day=day,
        person_s=person_s,
        sessions=len({number for row in rows for number in row[7].split(",")}),
        valence=math.fsum(row[3] for row in rows) / person_s,
        arousal=math.fsum(row[4] for row in rows) / person_s,
        stress_index=math.fsum(row[5] or 0.0 for row in rows) / stress_s if stress_s else None,
        stress_s=stress_s,
        labels={row[1]: row[2] / person_s for row in rows},
    )


def _scores(text: str) -> dict[str, float]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise DamagedRowError from None
    if not isinstance(found, dict) or not _within(0, 1, *found.values()):
        raise DamagedRowError
    return found


def _within(low: float, high: float, *values: object) -> bool:
    return all(isinstance(value, int | float) and low <= value <= high for value in values)


def _when(epoch_s: object) -> datetime:
    if not isinstance(epoch_s, int | float) or not abs(epoch_s) <= LATEST_S:
        raise DamagedRowError
    return datetime.fromtimestamp(epoch_s, UTC)


def _when_if(epoch_s: object) -> datetime | None:
    return None if epoch_s is None else _when(epoch_s)
