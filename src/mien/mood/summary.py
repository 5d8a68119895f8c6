"""Summaries of per-second rows: of a session, and of each person in it.

    summarise(rows).to_dict()                     # rows: Seconds of a tracker or a store

A row counts as one second of one person, so two people for a minute are 120 seconds. Days and weeks are in days.py.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mien.mood.episodes import Episode, EpisodeFinder
from mien.mood.seconds import Second, shares
from mien.mood.stress import NOTE


@dataclass(frozen=True)
class Summary:
    """What one person showed, or all people of a session together.

    Attributes:
        track_id: the person; None for all together.
        person_s: seconds with a face, summed over people.
        start, end: the first second, and the second after the last; None without rows.
        scores, valence, arousal: means over these seconds; empty or None without rows.
        labels: share of the seconds by label, most frequent first.
        stress_index: mean over the seconds that have one; None if none has.
        stress_peak, stress_peak_at: the highest index and its second.
        stress_levels: share of the seconds by published level.
        episodes: of this person, oldest first; empty for all together.
        people: one summary for each person, by track number; empty for one person.
        note: what the stress index is and is not.
    """

    track_id: int | None
    person_s: int
    start: int | None
    end: int | None
    scores: Mapping[str, float]
    valence: float | None
    arousal: float | None
    labels: Mapping[str, float]
    stress_index: float | None
    stress_peak: float | None
    stress_peak_at: int | None
    stress_levels: Mapping[str, float]
    episodes: tuple[Episode, ...] = ()
    people: tuple[Summary, ...] = ()
    note: str = NOTE

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        plain = asdict(self)
        return plain | {"episodes": list(plain["episodes"]), "people": [person.to_dict() for person in self.people]}


def summarise(rows: Sequence[Second], episodes: Mapping[int, Sequence[Episode]] | None = None) -> Summary:
    """Summarise the rows of a session: all people together, and each person with their episodes.

    Args:
        rows: one-second rows of any tracks, oldest first within each track.
        episodes: by track, if the caller knows them exactly; otherwise they are found in the rows, to the second.
    """
    by_track: dict[int, list[Second]] = defaultdict(list)
    for row in rows:
        by_track[row.track_id].append(row)
    people = []
    for track_id, own in sorted(by_track.items()):
        found = find_episodes(own) if episodes is None else episodes[track_id]
        people.append(_summary(own, track_id, tuple(found)))
    return _summary(rows, None, people=tuple(people))


def find_episodes(rows: Iterable[Second], max_gap_s: float = 1.0) -> list[Episode]:
    """Find episodes in one person's one-second rows; an episode may have gaps of up to ``max_gap_s``."""
    finder = EpisodeFinder(max_gap_s + 1)  # measured between the starts of two rows
    last = None
    for row in rows:
        finder.add(row.second, row.label, row.confidence)
        last = row.second
    if last is not None:
        finder.pass_time(last + math.ceil(max_gap_s) + 2)
    return finder.episodes


def _summary(
    rows: Sequence[Second], track_id: int | None, episodes: tuple[Episode, ...] = (), people: tuple[Summary, ...] = ()
) -> Summary:
    stress = [(row.stress_index, row.second) for row in rows if row.stress_index is not None]
    peak, peak_at = max(stress, key=lambda pair: pair[0], default=(None, None))
    names = dict.fromkeys(name for row in rows for name in row.scores)
    return Summary(
        track_id=track_id,
        person_s=len(rows),
        start=min((row.second for row in rows), default=None),
        end=max((row.second + 1 for row in rows), default=None),
        scores={name: _mean([row.scores.get(name, 0.0) for row in rows]) for name in names},
        valence=_mean([row.valence for row in rows]) if rows else None,
        arousal=_mean([row.arousal for row in rows]) if rows else None,
        labels=shares(Counter(row.label for row in rows)),
        stress_index=_mean([index for index, _ in stress]) if stress else None,
        stress_peak=peak,
        stress_peak_at=peak_at,
        stress_levels=shares(Counter(row.stress_level for row in rows)),
        episodes=episodes,
        people=people,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
