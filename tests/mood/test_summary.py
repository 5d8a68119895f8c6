"""Rows, days, weeks and trends summed up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.errors import MienError
from mien.mood.days import Day, by_week
from mien.mood.episodes import Episode
from mien.mood.seconds import Second, aggregate, by_step
from mien.mood.stress import NOTE
from mien.mood.summary import find_episodes, summarise
from mien.mood.trend import trend


def row(
    second: int, label: str = "neutral", track_id: int = 1, stress: float | None = None, share: float = 1.0
) -> Second:
    """One second of a face that shows ``label`` with probability ``share`` and is neutral else."""
    scores = {label: share} if share == 1 else {label: share, "neutral": 1 - share}
    valence = {"happy": 0.81, "angry": -0.51}.get(label, 0.0) * share
    level = "high" if label == "angry" else "low"
    low, high = (None, None) if stress is None else (stress / 2, min(100.0, stress * 2))
    return Second(
        track_id, second, 20, scores, valence, 0.1, label, share, stress, low, high, level, 1.0, "personal"
    )  # fmt: skip


def day(number: int, stress: float | None = None, person_s: int = 60, valence: float = 0.0) -> Day:
    stress_s = 0 if stress is None else person_s
    return Day(f"2026-11-{number:02}", person_s, 1, valence, 0.1, stress, stress_s, {"neutral": 1.0})


def test_a_session_and_the_people_in_it() -> None:
    rows = [row(10, "happy", 1, 5.0), row(10, "angry", 2, 50.0), row(11, "happy", 1), row(12, "neutral", 1, 7.0)]
    summary = summarise(rows)
    assert (summary.track_id, summary.person_s, summary.start, summary.end) == (None, 4, 10, 13)
    assert summary.labels == {"happy": 0.5, "angry": 0.25, "neutral": 0.25}
    assert summary.valence == pytest.approx((0.81 * 2 - 0.51) / 4)
    assert (summary.stress_index, summary.stress_peak, summary.stress_peak_at) == (pytest.approx(62 / 3), 50.0, 10)
    assert summary.stress_levels == {"low": 0.75, "high": 0.25}
    assert summary.scores == {"happy": 0.5, "angry": 0.25, "neutral": 0.25}
    one, two = summary.people
    assert (one.track_id, one.person_s, two.track_id, two.person_s) == (1, 3, 2, 1)
    assert one.episodes == (Episode(10, 10, 12, "happy", 1.0),)
    assert two.episodes == (Episode(10, 10, 10, "angry", 1.0),)
    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert plain["people"][0]["episodes"][0]["label"] == "happy"
    assert plain["note"] == NOTE == "an expression-based index, not a diagnosis"


def test_nothing_sums_up_to_nothing() -> None:
    summary = summarise([])
    assert (summary.person_s, summary.start, summary.valence, summary.stress_index) == (0, None, None, None)
    json.dumps(summary.to_dict(), allow_nan=False)


def test_episodes_of_rows_bridge_a_missing_second_but_not_two() -> None:
    rows = [row(0, "happy"), row(2, "happy"), row(5, "happy"), row(6, "neutral")]
    assert [(e.onset_s, e.end_s) for e in find_episodes(rows)] == [(0, 2), (5, 6)]


def test_aggregates_are_means_and_the_most_frequent() -> None:
    rows = [row(60, "happy", stress=4.0), row(61, "angry", share=0.5), row(62, "angry", share=0.7, stress=8.0)]
    minute = aggregate(60, rows)
    assert (minute.label, minute.stress_level, minute.n, minute.second) == ("angry", "high", 60, 60)
    assert minute.scores == pytest.approx({"happy": 1 / 3, "angry": 0.4, "neutral": 0.8 / 3})
    assert (minute.stress_index, minute.stress_low, minute.stress_high) == (6, 3, 12)


def test_steps_keep_people_apart_and_start_at_multiples() -> None:
    rows = [row(second, track_id=track) for track in (2, 1) for second in range(55, 125)]
    steps = by_step(rows, 60)
    assert [(s.second, s.track_id, s.n) for s in steps] == [
        (0, 1, 100),
        (0, 2, 100),
        (60, 1, 1200),
        (60, 2, 1200),
        (120, 1, 100),
        (120, 2, 100),
    ]
    assert [s.second for s in by_step(rows, 1)][:4] == [55, 55, 56, 56]
    with pytest.raises(ValueError, match="at least 1 s"):
        by_step(rows, 0)


def test_weeks_weigh_days_by_their_seconds() -> None:
    days = [day(21, stress=10, person_s=100), day(22, stress=40, person_s=50, valence=0.6), day(23, person_s=7)]
    first, second = by_week(days)
    assert (first.day, first.person_s, first.sessions, first.stress_s) == ("2026-W47", 150, 2, 150)
    assert (first.stress_index, first.valence) == (pytest.approx(20), pytest.approx(0.2))
    assert (second.day, second.stress_index) == ("2026-W48", None)


def test_a_trend_is_not_bent_by_one_odd_day() -> None:
    days = [day(number, stress=2.0 * number) for number in range(1, 15)]
    days[7] = day(8, stress=100.0)
    found = trend(days, "stress_index")
    assert found is not None
    assert (found.per_day, found.days, found.direction) == (2.0, 14, "rising")
    assert found.low is not None and found.high is not None and found.low <= 2 <= found.high


def test_the_interval_of_a_trend_is_sens() -> None:
    """Against scipy's ``theilslopes``."""
    values = [7.0, 9, 8, 12, 10, 13, 11, 15]
    found = trend([day(number + 1, stress=value) for number, value in enumerate(values)], "stress_index")
    theilslopes = pytest.importorskip("scipy.stats").theilslopes
    slope, _, low, high = theilslopes(values, range(8), 0.95)
    assert found is not None
    assert found.per_day == pytest.approx(slope)
    assert found.low is not None and found.high is not None
    assert found.low <= low + 1e-9 and found.high >= high - 1e-9  # scipy rounds the ranks, this is never narrower
    assert found.direction == "rising"


@pytest.mark.parametrize(("values", "direction"), [([5, 5, 5, 5, 5, 5], "unclear"), ([9, 8, 7, 6, 5, 4], "falling")])
def test_directions(values: list[float], direction: str) -> None:
    found = trend([day(number + 1, stress=value) for number, value in enumerate(values)], "stress_index")
    assert found is not None and found.direction == direction


def test_too_few_days_have_no_interval_or_no_trend() -> None:
    assert trend([day(1, stress=1), day(2)], "stress_index") is None
    found = trend([day(1, stress=1), day(3, stress=5)], "stress_index")
    assert found is not None and found.to_dict() == {
        "per_day": 2.0,
        "low": None,
        "high": None,
        "days": 2,
        "direction": "unclear",
    }
    with pytest.raises(MienError, match="no trend of 'luck'"):
        trend([], "luck")  # type: ignore[arg-type]


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=20), st.floats(-0.5, 0.5))
def test_a_trend_moves_with_what_is_added(values: list[float], more: float) -> None:
    days = [day(number + 1, valence=value) for number, value in enumerate(values)]
    tilted = [day(number + 1, valence=value + more * number) for number, value in enumerate(values)]
    one, other = trend(days, "valence"), trend(tilted, "valence")
    assert one is not None and other is not None and one.low is not None and one.high is not None
    assert one.low <= one.per_day <= one.high
    assert other.per_day == pytest.approx(one.per_day + more, abs=1e-6)
