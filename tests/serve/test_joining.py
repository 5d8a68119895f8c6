"""Joining by hand over HTTP: only one's own sessions, only what can be one person."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mood_frames import CALM, face, frame
from serving import Serve

from mien.mood import MoodStore, MoodTracker
from mien.serve.access import digest, new_secret


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Session 1 of nobody: person 1, then person 2; session 2, a minute later; session 3 of a visitor."""
    path = tmp_path / "mood.db"
    now_s = time.time() - 600
    with MoodStore(path) as store:
        for index, visitor in enumerate((None, None, digest("v" * 43))):
            began_s = now_s + 60 * index
            session = store.open_session("desk", datetime.fromtimestamp(began_s, UTC), visitor)
            tracker = MoodTracker(baseline_s=0)
            for second, number in enumerate((1, 1, 2, 2)):
                store.add(session, tracker.update(frame(second, face(CALM, track_id=number))), began_s + second)
            store.end_session(session, began_s + 4)
    return path


def test_people_and_sessions_are_joined(serve: Serve, db: Path) -> None:
    with serve(db=db) as client:
        assert client.get("/v1/sessions/1").json()["people"] == 2
        joined = client.post("/v1/sessions/1/people", json={"person": 2, "into": 1})
        assert joined.status_code == 200 and joined.json()["people"] == 1 and joined.json()["person_s"] == 4
        again = client.post("/v1/sessions/1/people", json={"person": 2, "into": 1})
        assert (again.status_code, again.json()["detail"]) == (409, "session 1 has no person 2")
        longer = client.post("/v1/sessions/1/join", json={"session": 2}).json()
        assert (longer["id"], longer["people"], longer["person_s"]) == (1, 3, 8)
        assert client.get("/v1/sessions/2").status_code == 404
        other = client.post("/v1/sessions/1/join", json={"session": 3})
        assert (other.status_code, other.json()["detail"]) == (409, "sessions 1 and 3 belong to different visitors")


def test_a_visitor_joins_only_their_own(serve: Serve, db: Path) -> None:
    tokens = {"token": "t" * 20, "owner_token": "o" * 20}
    with serve(db=db, host="0.0.0.0", **tokens) as client:
        visitor = {"authorization": "Bearer " + "t" * 20, "mien-visitor": "v" * 43}
        stranger = {**visitor, "mien-visitor": new_secret()}
        body = {"person": 2, "into": 1}
        assert client.post("/v1/sessions/3/people", json=body, headers=stranger).status_code == 404
        assert client.post("/v1/sessions/1/people", json=body, headers=visitor).status_code == 404
        assert client.post("/v1/sessions/3/join", json={"session": 1}, headers=visitor).status_code == 404
        assert client.post("/v1/sessions/3/people", json=body, headers=visitor).json()["people"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"person": 0, "into": 1}, {"person": "x", "into": 1}, {"person": 1 << 70, "into": 1}]
)
def test_odd_bodies(serve: Serve, db: Path, body: dict[str, object]) -> None:
    with serve(db=db) as client:
        assert client.post("/v1/sessions/1/people", json=body).status_code == 422
        assert client.post("/v1/sessions/1/people", content=b"{").status_code == 422
        assert client.post("/v1/sessions/99/people", json={"person": 2, "into": 1}).status_code == 404
