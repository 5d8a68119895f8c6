"""Joining by hand: two numbers of one person, two sessions of one visit."""

from __future__ import annotations

from pathlib import Path

import pytest
from mood_frames import CALM, face, frame

from mien.contract.errors import MienError, StoreError
from mien.mood import MoodStore, MoodTracker

NOON = 1_795_262_400.0


def recorded(store: MoodStore, people: list[list[int]], visitor: str | None = None, at_s: float = NOON) -> int:
    """A session with a list of track numbers for each second."""
    session, tracker = store.open_session("test", visitor=visitor), MoodTracker(baseline_s=0)
    for second, numbers in enumerate(people):
        faces = [face(CALM, track_id=number) for number in numbers]
        store.add(session, tracker.update(frame(float(second), *faces)), at_s + second)
    store.end_session(session, at_s + len(people))
    return session


def seen(store: MoodStore, session: int) -> list[tuple[int, int]]:
    return [(int(row.second - NOON), row.track_id) for row in store.rows(session)]


def test_a_person_who_came_back_is_one_person(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store:
        session = recorded(store, [[1], [1, 3], [3], [2], [2]])
        store.join_people(session, person=2, into=1)
        assert seen(store, session) == [(0, 1), (1, 1), (1, 3), (2, 3), (3, 1), (4, 1)]
        assert store.session(session).people == 2
        assert [person.track_id for person in store.summary(session).people] == [1, 3]
        assert store.summary(session).people[0].person_s == 4


def test_who_was_seen_together_is_not_one_person(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store:
        session = recorded(store, [[1], [1, 2], [2]])
        before = seen(store, session)
        with pytest.raises(MienError, match="person 2 and person 1 were in view together for 1 s, so they are not one"):
            store.join_people(session, person=2, into=1)
        with pytest.raises(MienError, match=f"session {session} has no person 9"):
            store.join_people(session, person=9, into=1)
        with pytest.raises(MienError, match="person 1 cannot be joined with itself"):
            store.join_people(session, person=1, into=1)
        assert seen(store, session) == before


def test_two_sessions_of_one_visit(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store:
        first = recorded(store, [[1], [1, 2]])
        second = recorded(store, [[1], [1]], at_s=NOON + 60)
        store.join_sessions(first, second)
        assert seen(store, first) == [(0, 1), (1, 1), (1, 2), (60, 3), (61, 3)]
        assert [session.id for session in store.sessions()] == [first]
        assert store.session(first).ended is not None
        assert store.session(first).ended.timestamp() == NOON + 62  # type: ignore[union-attr]
        store.join_people(first, person=3, into=1)
        assert store.session(first).people == 2


def test_what_cannot_be_joined(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store:
        anna, ben = recorded(store, [[1]], visitor="a" * 64), recorded(store, [[1]], visitor="b" * 64)
        running = store.open_session("still there")
        for first, second, text in (
            (anna, ben, "belong to different visitors"),
            (anna, anna, "cannot be joined with itself"),
            (anna, running, f"session {running} is running; stop it first"),
        ):
            with pytest.raises(MienError, match=text):
                store.join_sessions(first, second)
        with pytest.raises(MienError, match="is running"):
            store.join_people(running, person=2, into=1)
        with pytest.raises(StoreError, match="there is no session 99"):
            store.join_sessions(anna, 99)
        assert len(store.sessions()) == 3 and seen(store, anna) == seen(store, ben) == [(0, 1)]
