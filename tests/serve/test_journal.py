"""The store behind the server when things go wrong: locked, full, deleted, two servers, a clock that jumps."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from serving import LIVE, Serve, picture

from mien.mood import MoodStore
from mien.serve import journal


class Impatient(MoodStore):
    """Waits a fifth of a second for a lock instead of five."""

    def __init__(self, path: Path, retention_days: float | None) -> None:
        super().__init__(path, retention_days, busy_timeout_s=0.2)


def answered(live: Any, level: int = 255) -> dict[str, Any]:
    live.send_bytes(picture(level))
    answer: dict[str, Any] = live.receive_json()
    return answer


def until(live: Any, wanted: Any, seconds: float = 20.0) -> dict[str, Any]:
    """Send frames until an answer is as wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = answered(live)
        if wanted(answer):
            return answer
        time.sleep(0.05)
    raise AssertionError("it never happened")


def test_a_locked_database_is_told_and_nothing_is_lost(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MoodStore", Impatient)
    db = tmp_path / "mood.db"
    with serve(db=db) as client:
        with client.websocket_connect(f"{LIVE}?keep=true") as live:
            live.receive_json()
            number = until(live, lambda answer: answer["session"])["session"]
            other = sqlite3.connect(db, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            told = until(live, lambda answer: answer["store_problem"])
            assert "locked: another process has been writing" in told["store_problem"]
            assert told["faces"][0]["emotion"] == "neutral"  # the stream goes on
            assert client.get("/readyz").json()["store_works"] is False
            assert client.get("/v1/sessions").status_code == 200  # reading needs no lock
            other.execute("ROLLBACK")
            other.close()
            until(live, lambda answer: answer["store_problem"] is None)
            locked_s = told["t_s"]
        rows = client.get(f"/v1/sessions/{number}/timeline").json()
        seconds = [row["second"] for row in rows]
        assert seconds == list(range(seconds[0], seconds[-1] + 1)) and seconds[-1] - seconds[0] >= int(locked_s)
        assert client.get("/readyz").json()["store_works"] is True


def test_a_deleted_database_is_made_anew(serve: Serve, tmp_path: Path) -> None:
    db = tmp_path / "mood.db"
    with serve(db=db) as client:
        with (
            client.websocket_connect(f"{LIVE}?keep=true") as live,
            client.websocket_connect(f"{LIVE}?keep=true") as more,
        ):
            live.receive_json(), more.receive_json()
            assert until(live, lambda answer: answer["session"])["session"] == 1
            assert until(more, lambda answer: answer["session"])["session"] == 2
            for file in tmp_path.glob("mood.db*"):
                file.unlink()
            until(live, lambda answer: db.exists())
            last = until(live, lambda answer: answer["store_problem"] is None and answer["session"])
            other = until(more, lambda answer: answer["store_problem"] is None and answer["session"])
            assert {last["session"], other["session"]} == {1, 2}
            time.sleep(1.1)
            answered(live), answered(more)
        found = client.get("/v1/sessions").json()
        assert len(found) == 2 and all(session["person_s"] >= 1 and session["ended"] for session in found)


def test_a_session_that_cannot_be_ended_is_ended_later(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "RETRY_S", 0.1)
    monkeypatch.setattr(journal, "MoodStore", Impatient)
    db = tmp_path / "mood.db"
    with serve(db=db) as client:
        with client.websocket_connect(f"{LIVE}?keep=true") as live:
            live.receive_json()
            until(live, lambda answer: answer["session"])
            other = sqlite3.connect(db, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
        time.sleep(0.5)
        other.execute("ROLLBACK")
        other.close()
        end = time.monotonic() + 10
        while client.get("/v1/sessions").json()[0]["ended"] is None:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_nobody_in_front_of_the_camera_leaves_nothing(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db", detector="haar") as client:
        for _ in range(3):
            with client.websocket_connect(f"{LIVE}?keep=true") as live:
                assert live.receive_json()["keeping"] is True
                answered(live)
            with client.websocket_connect(f"{LIVE}?keep=true") as live:
                live.receive_json()
        assert client.get("/v1/sessions").json() == []


def test_deleting_through_another_server(serve: Serve, tmp_path: Path) -> None:
    """The server that runs the session learns of it, keeps it no longer and reports no problem."""
    db = tmp_path / "mood.db"
    with serve(db=db) as one, serve(db=db) as two, one.websocket_connect(f"{LIVE}?keep=true") as live:
        live.receive_json()
        number = until(live, lambda answer: answer["session"])["session"]
        assert two.delete(f"/v1/sessions/{number}").status_code == 200
        until(live, lambda answer: answer["session"] is None)
        assert answered(live)["store_problem"] is None
        assert one.get("/v1/sessions").json() == [] and one.get("/readyz").json()["store_works"] is True


def test_a_second_server_leaves_running_sessions_alone_and_ends_dead_ones(serve: Serve, tmp_path: Path) -> None:
    db = tmp_path / "mood.db"
    with serve(db=db) as one, one.websocket_connect(f"{LIVE}?keep=true") as live:
        live.receive_json()
        number = until(live, lambda answer: answer["session"])["session"]
        with MoodStore(db) as store:
            store._db.execute("INSERT INTO sessions (source, started, writer) VALUES ('dead', 1000.0, 'feed')")
            store._db.execute("INSERT INTO sessions (source, started) VALUES ('older version', 2000.0)")
        with serve(db=db) as two:
            ended = {each["id"]: each["ended"] for each in two.get("/v1/sessions").json()}
        assert ended[number] is None and ended[number + 1] == "1970-01-01T00:16:40+00:00"
        assert ended[number + 2] is not None
        time.sleep(1.1)
        assert answered(live)["store_problem"] is None
    assert not list(tmp_path.glob("*.writer-*"))


def test_the_database_of_another_program_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    from mien.contract.errors import StoreError

    other = sqlite3.connect(tmp_path / "recipes.db")
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    with pytest.raises(StoreError, match=r"belongs to another program \(its tables: recipes\)"):
        MoodStore(tmp_path / "recipes.db")
    assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    other.close()


def test_a_full_disk_is_told(serve: Serve, tmp_path: Path) -> None:
    """SQLite reports a full disk and a reached page limit alike."""
    with serve(db=tmp_path / "mood.db") as client, client.websocket_connect(f"{LIVE}?keep=true") as live:
        live.receive_json()
        db = fill(client)
        told = until(live, lambda answer: answer["store_problem"])
        assert "the disk is full" in told["store_problem"]
        db.execute("PRAGMA max_page_count = 1000000")
        until(live, lambda answer: answer["store_problem"] is None)


def fill(client: Any) -> Any:
    """Let the database's disk be full, down to the last free byte; returns its connection."""
    db = client.app.state.mien.journal._store._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    db.execute("INSERT OR IGNORE INTO sessions (id, source, started) VALUES (1, 'x', 0)")
    columns = [row[1] for row in db.execute("PRAGMA table_info(seconds)")]
    for size in (2000, 200, 20, 0):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for number in range(10_000):
                row = [1, number * 100 + size, *["x" * size] * (len(columns) - 2)]
                db.execute(f"INSERT INTO seconds VALUES ({', '.join('?' * len(row))})", row)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            for _ in range(10_000):
                db.execute("INSERT INTO sessions (source, started) VALUES (?, 0)", ["x" * size])
    return db


def test_a_session_that_cannot_be_opened_is_told_and_the_stream_runs(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        fill(client)
        with client.websocket_connect(f"{LIVE}?keep=true") as live:
            assert live.receive_json()["session"] is None
            told = until(live, lambda answer: answer["store_problem"])
            assert "the disk is full" in told["store_problem"] and told["session"] is None and told["faces"]


def test_not_a_store(serve: Serve, tmp_path: Path) -> None:
    from mien.contract.errors import StoreError

    (tmp_path / "mood.db").write_bytes(b"this is a diary" * 100)
    with pytest.raises(StoreError, match="not a store of mien"), serve(db=tmp_path / "mood.db"):
        pass


def test_two_servers_on_one_database(serve: Serve, tmp_path: Path) -> None:
    db = tmp_path / "mood.db"
    with serve(db=db) as one, serve(db=db) as two:
        with one.websocket_connect(f"{LIVE}?keep=true") as first, two.websocket_connect(f"{LIVE}?keep=true") as second:
            first.receive_json(), second.receive_json()
            numbers = {until(live, lambda answer: answer["session"])["session"] for live in (first, second)}
            for _ in range(5):
                assert answered(first)["store_problem"] is None and answered(second)["store_problem"] is None
                time.sleep(0.05)
        assert {session["id"] for session in one.get("/v1/sessions").json()} == numbers == {1, 2}
        assert one.get("/v1/sessions").json() == two.get("/v1/sessions").json()
        assert two.delete("/v1/sessions").json() == {"deleted": 2} and one.get("/v1/sessions").json() == []


def test_a_clock_that_goes_backwards(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time server sets the clock back by an hour in the middle of a session."""

    class Clock(datetime):
        back = False

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(time.time() - 3600 * cls.back, tz)

    monkeypatch.setattr(journal, "datetime", Clock)
    with serve(db=tmp_path / "mood.db") as client:
        with client.websocket_connect(f"{LIVE}?keep=true") as live:
            live.receive_json()
            before = datetime.now(UTC).timestamp()
            number = until(live, lambda answer: answer["session"])["session"]
            Clock.back = True
            time.sleep(1.1)
            last = answered(live)
            assert 1 < last["t_s"] < 30
        seconds = [row["second"] for row in client.get(f"/v1/sessions/{number}/timeline").json()]
        assert seconds == sorted(set(seconds)) and all(abs(second - before) < 30 for second in seconds)
