"""The store: what goes in comes out, sessions, days, retention, and what is deleted is gone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from mood_frames import CALM, SCOWL, SMILE, Scores, face, frame

from mien.contract.errors import StoreError
from mien.mood import Mood, MoodStore, MoodTracker

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MoodStore]:
    with MoodStore(tmp_path / "mood.db") as opened:
        yield opened


def moods_of(*people: tuple[int, Scores], t_s: float = 0.0) -> list[Mood]:
    return MoodTracker(baseline_s=0).update(frame(t_s, *(face(scores, number) for number, scores in people)))


def record(
    store: MoodStore, seconds: int, scores: Scores = CALM, start: float = NOON, fps: int = 5, track_id: int = 1
) -> int:
    """A session in which one person shows the same for so many seconds."""
    session = store.open_session("test", datetime.fromtimestamp(start, UTC))
    tracker = MoodTracker(baseline_s=0)
    for index in range(seconds * fps):
        moods = tracker.update(frame(index / fps, face(scores, track_id)))
        store.add(session, moods, start + index / fps)
    store.end_session(session, start + seconds)
    return session


def test_what_goes_in_comes_out(store: MoodStore) -> None:
    session = store.open_session("camera 0", datetime(2026, 11, 21, 12, 0, tzinfo=UTC))
    tracker = MoodTracker(baseline_s=0)
    for index in range(30):
        store.add(session, tracker.update(frame(index / 10, face(SCOWL, 4), face(SMILE, 2))), NOON + index / 10)
    rows = store.timeline(session)
    assert [(row.second - NOON, row.track_id, row.n) for row in rows] == [
        (second, track, 10) for second in (0, 1, 2) for track in (2, 4)
    ]
    (expected,) = [row for row in tracker.timeline(4) if row.second == 2]
    got = rows[-1]
    assert got.scores == pytest.approx(expected.scores, abs=5e-4)
    for name in ("valence", "arousal", "confidence", "coverage", "stress_index", "stress_low", "stress_high"):
        assert getattr(got, name) == pytest.approx(getattr(expected, name), abs=6e-3), name
    assert (got.label, got.stress_level, got.baseline) == ("angry", "high", "none")
    found = store.session(session)
    assert (found.source, found.person_s, found.people, found.ended) == ("camera 0", 6, 2, None)
    assert found.recorded_until == datetime(2026, 11, 21, 12, 0, 3, tzinfo=UTC)
    store.end_session(session, NOON + 3)
    assert store.session(session).to_dict()["ended"] == "2026-11-21T12:00:03+00:00"


def test_timeline_by_person_and_step(store: MoodStore) -> None:
    session = store.open_session("test")
    for index in range(180):
        store.add(session, moods_of((1, CALM), (2, SMILE)), NOON + index)
    minutes = store.timeline(session, step_s=60, track_id=2)
    assert [(row.second - NOON, row.n, row.label) for row in minutes] == [
        (0, 60, "happy"),
        (60, 60, "happy"),
        (120, 60, "happy"),
    ]
    assert minutes[0].valence == pytest.approx(0.9 * 0.81)
    summary = store.summary(session)
    assert (summary.person_s, summary.labels) == (360, {"neutral": 0.5, "happy": 0.5})
    assert [episode.label for episode in summary.people[1].episodes] == ["happy"]


def test_a_flushed_second_goes_on(store: MoodStore) -> None:
    session = store.open_session("test")
    store.add(session, moods_of((1, CALM)), NOON)
    store.flush()
    store.add(session, moods_of((1, SMILE)), NOON + 0.5)
    (row,) = store.timeline(session)
    assert (row.n, row.scores["happy"]) == (2, pytest.approx(0.5))


def test_another_process_sees_a_second_once_the_next_has_begun(store: MoodStore) -> None:
    session = store.open_session("test")
    with MoodStore(store.path) as other:
        store.add(session, moods_of((1, CALM)), NOON)
        assert other.timeline(session) == []
        store.add(session, [], NOON + 1)  # nobody there any more
        assert len(other.timeline(session)) == 1


def test_a_clock_that_goes_back(store: MoodStore) -> None:
    session = store.open_session("test")
    for at in (NOON, NOON + 1, NOON - 3600, NOON - 3599, NOON - 3598):
        store.add(session, moods_of((1, CALM)), at)
    assert [(row.second - NOON, row.n) for row in store.timeline(session)] == [(0, 1), (1, 2), (2, 1), (3, 1)]


def test_a_session_goes_on_in_another_process_after_what_it_holds(store: MoodStore) -> None:
    session = store.open_session("test")
    store.add(session, moods_of((1, CALM)), NOON)
    store.close()
    with MoodStore(store.path) as again:
        again.add(session, moods_of((1, SMILE)), NOON - 100)
        assert [(row.second - NOON, row.label) for row in again.timeline(session)] == [(0, "neutral"), (1, "happy")]


def test_nothing_is_added_to_what_has_ended_or_never_was(store: MoodStore) -> None:
    session = record(store, 2)
    with pytest.raises(StoreError, match=f"session {session} has ended"):
        store.add(session, moods_of((1, CALM)))
    assert session in store and 99 not in store
    with pytest.raises(StoreError, match="no session 99"):
        store.add(99, moods_of((1, CALM)))
    for ask in (store.session, store.timeline, store.summary, store.delete, store.end_session):
        with pytest.raises(StoreError, match="no session 99"):
            ask(99)
    store.end_session(session, NOON + 500)  # a second end changes nothing
    assert store.session(session).ended == datetime.fromtimestamp(NOON + 2, UTC)


def test_days_by_local_time(store: MoodStore) -> None:
    late = datetime(2026, 11, 21, 23, 59, 58).timestamp()  # local, as no zone is given
    record(store, 4, SCOWL, start=late)
    record(store, 2, SMILE, start=late + 7200)
    first, second = store.days()
    assert (first.day, first.person_s, first.sessions, first.labels) == ("2026-11-21", 2, 1, {"angry": 1.0})
    assert (second.day, second.person_s, second.sessions) == ("2026-11-22", 4, 2)
    assert second.labels == {"angry": 0.5, "happy": 0.5}
    assert second.valence == pytest.approx((0.9 * 0.81 - 0.8 * 0.51) / 2, abs=1e-3)
    assert second.stress_index == pytest.approx(40, abs=0.1)
    assert store.days(date(2026, 11, 22), date(2026, 11, 22)) == [second]
    assert store.days(date(2026, 11, 23)) == []
    assert store.days(last=date(2026, 11, 21)) == [first]


def test_sessions_newest_first(store: MoodStore) -> None:
    old, new = record(store, 1, start=NOON - 1000), record(store, 1)
    empty = store.open_session("empty", datetime.fromtimestamp(NOON + 9, UTC))
    assert [session.id for session in store.sessions()] == [empty, new, old]
    assert (store.sessions()[0].person_s, store.sessions()[0].recorded_until) == (0, None)


def test_what_is_deleted_is_gone_from_the_file_too(store: MoodStore) -> None:
    session = store.open_session("a-source-to-forget", datetime.fromtimestamp(NOON, UTC))
    for index in range(2000):
        store.add(session, moods_of((1, {"angry": 0.1, "a-class-to-forget": 0.9})), NOON + index)
    kept = record(store, 3)
    full_size = store.path.stat().st_size
    store.delete(session)
    assert [found.id for found in store.sessions()] == [kept]
    assert len(store.timeline(kept)) == 3
    for file in store.path.parent.iterdir():
        assert b"to-forget" not in file.read_bytes(), file
    assert store.path.stat().st_size < full_size / 2
    assert store.delete_all() == 1
    assert store.sessions() == [] and store.days() == []
    assert store.open_session("next") > kept  # numbers are never used again


def test_deleting_a_session_that_is_being_written_stops_it(store: MoodStore) -> None:
    session = store.open_session("test")
    store.add(session, moods_of((1, CALM)), NOON)
    store.delete(session)
    with pytest.raises(StoreError, match="it was deleted or never existed"):
        store.add(session, moods_of((1, CALM)), NOON + 1)


def test_retention(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with MoodStore(tmp_path / "mood.db") as everything:
        old = record(everything, 3, start=(now - timedelta(days=10)).timestamp())
        recent = record(everything, 3, start=(now - timedelta(days=2)).timestamp())
        assert everything.prune() == 0
    with MoodStore(tmp_path / "mood.db", retention_days=7) as store:
        assert [session.id for session in store.sessions()] == [recent]
        running = store.open_session("just begun")
        assert store.prune(now + timedelta(days=6)) == 3
        assert [session.id for session in store.sessions()] == [running]
    assert old < recent
    with pytest.raises(StoreError, match="retention_days"):
        MoodStore(tmp_path / "mood.db", retention_days=0)


def test_the_file_is_for_its_owner_alone(store: MoodStore) -> None:
    record(store, 2)
    for file in store.path.parent.glob("mood.db*"):
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600, file


def test_rows_hold_no_picture(store: MoodStore) -> None:
    """Every column is a number or a short text, and there is no table but these."""
    import sqlite3

    record(store, 2)
    with sqlite3.connect(store.path) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        values = [value for row in db.execute("SELECT * FROM seconds") for value in row]
    db.close()
    assert tables == {"sessions", "seconds", "sqlite_sequence"}
    assert not any(isinstance(value, bytes) for value in values)
    assert max(len(value) for value in values if isinstance(value, str)) < 200


def test_many_threads_share_one_store(store: MoodStore) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(lambda _: record(store, 10), range(8)))
    assert sorted(sessions) == sorted({*sessions})
    assert [session.person_s for session in store.sessions()] == [10] * 8
