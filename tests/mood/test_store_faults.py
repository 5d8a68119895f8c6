"""What a store survives: kill -9, two processes, a file that is locked, full, gone, foreign or newer."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mood_frames import CALM, face, frame

from mien.contract.errors import MienError, StoreError
from mien.mood import Mood, MoodStore, MoodTracker
from mien.mood.store_schema import MIGRATIONS, migrate

HERE = Path(__file__).parent
NOON = 1_795_262_400.0


def calm() -> list[Mood]:
    return MoodTracker(baseline_s=0).update(frame(0.0, face(CALM)))


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    head = f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
    command = [sys.executable, "-c", head + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


RECORDER = """
    from mood_frames import CALM, face, frame
    from mien.mood import MoodStore, MoodTracker

    store, tracker = MoodStore(sys.argv[1]), MoodTracker()
    session = store.open_session("to be killed")
    for index in range(10**9):
        t_s = index / 30
        store.add(session, tracker.update(frame(t_s, face(CALM))), 1_000_000 + t_s)
        if index % 30 == 0:
            print(t_s, flush=True)
    """


def test_kill_9_loses_at_most_one_second(tmp_path: Path) -> None:
    """A recorder at full speed is killed in mid-second; what it had announced as over is all there."""
    process = python(RECORDER, tmp_path / "mood.db")
    assert process.stdout is not None
    seen_s = 0.0
    while seen_s < 300:
        seen_s = float(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    seen_s = float((process.stdout.read().split() or [seen_s])[-1])  # what it said before it died
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with MoodStore(tmp_path / "mood.db") as store:
        (session,) = store.sessions()
        rows = store.timeline(session.id)
        assert [row.second - 1_000_000 for row in rows] == list(range(len(rows)))  # no hole
        assert {row.n for row in rows} == {30}  # no half second
        assert len(rows) >= seen_s  # the second that began at seen_s is the one lost
        assert session.ended is None
        store.end_session(session.id)
        assert store.session(session.id).ended is not None


def test_two_processes_on_one_file(tmp_path: Path) -> None:
    recorder = """
        from mood_frames import CALM, face, frame
        from mien.mood import MoodStore, MoodTracker

        with MoodStore(sys.argv[1]) as store:
            session, tracker = store.open_session(sys.argv[2]), MoodTracker()
            for index in range(300):
                store.add(session, tracker.update(frame(index, face(CALM))), 1_000_000 + index)
            store.end_session(session)
        """
    processes = [python(recorder, tmp_path / "mood.db", name) for name in ("left", "right")]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    with MoodStore(tmp_path / "mood.db") as store:
        assert {session.source for session in store.sessions()} == {"left", "right"}
        assert [session.person_s for session in store.sessions()] == [300, 300]


def test_processes_that_make_the_file_at_the_same_moment(tmp_path: Path) -> None:
    opener = """
        from mien.mood import MoodStore

        print("ready", flush=True)
        sys.stdin.readline()
        with MoodStore(sys.argv[1]) as store:
            store.open_session("test")
        """
    processes = [python(opener, tmp_path / "mood.db") for _ in range(4)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    with MoodStore(tmp_path / "mood.db") as store:
        assert len(store.sessions()) == 4


def test_a_second_store_of_the_same_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any handle of a file drops a process's POSIX locks on it; another process would then take itself for
    the last one, and fold and delete the log that the first store goes on writing to."""
    look = "from mien.mood import MoodStore\nwith MoodStore(sys.argv[1]) as store: print(len(store.sessions()))"
    with MoodStore(tmp_path / "mood.db") as store:
        store.open_session("before")
        second = MoodStore(tmp_path / "mood.db")
        assert python(look, tmp_path / "mood.db").communicate()[0] == "1\n"
        store.open_session("after")
        assert python(look, tmp_path / "mood.db").communicate()[0] == "2\n"
        second.close()


def test_a_locked_file_is_one_clear_error_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.mood.store.RETRY_S", 0.0)
    with MoodStore(tmp_path / "mood.db", busy_timeout_s=0.05) as store:
        session = store.open_session("test")
        blocker = sqlite3.connect(store.path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        store.add(session, calm(), NOON)
        with pytest.raises(StoreError, match=r"mood\.db: the store is locked: another process has been writing for"):
            store.add(session, calm(), NOON + 1)
        assert store.session(session).person_s == 0  # reading goes on
        blocker.execute("ROLLBACK")
        blocker.close()
        store.add(session, calm(), NOON + 2)
        assert [row.second - NOON for row in store.timeline(session)] == [0, 1, 2]


def test_after_a_failure_not_every_frame_waits(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db", busy_timeout_s=0.01) as store:
        session = store.open_session("test")
        blocker = sqlite3.connect(store.path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        store.add(session, calm(), NOON)
        with pytest.raises(StoreError, match="locked"):
            store.add(session, calm(), NOON + 1)
        for index in range(2, 1000):
            store.add(session, calm(), NOON + index)  # taken, to be written when its turn comes
        blocker.close()
        with pytest.raises(StoreError, match="locked"):
            blocker = sqlite3.connect(store.path, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            store.flush()
        blocker.close()
        rows = store.timeline(session)
        assert [row.second - NOON for row in rows] == list(range(399, 1000))  # 600 kept, and the current second


def test_a_full_disk_is_one_clear_error_and_can_be_read_and_emptied(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store:
        session = store.open_session("test")
        for index in range(100):
            store.add(session, calm(), NOON + index)
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then fails as on a full disk
        with pytest.raises(StoreError, match=r"mood\.db: the store cannot grow: the disk is full"):
            for index in range(100, 1000):
                store.add(session, calm(), NOON + index)
        assert len(store.timeline(session)) >= 99
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.flush()
        rows = store.timeline(session)
        assert [row.second - NOON for row in rows] == list(range(len(rows)))


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_goes_while_it_is_in_use(tmp_path: Path, how: str) -> None:
    store = MoodStore(tmp_path / "mood.db")
    session = store.open_session("test")
    store.add(session, calm(), NOON)
    for file in tmp_path.glob("mood.db*"):
        file.unlink()
    if how == "replaced":
        MoodStore(tmp_path / "mood.db").close()
    for ask in (lambda: store.add(session, calm(), NOON + 1), store.sessions, store.close):
        with pytest.raises(StoreError, match="deleted or replaced while it was in use; open it again"):
            ask()
    with MoodStore(tmp_path / "mood.db") as again:
        assert again.sessions() == []


def test_a_session_that_another_process_deletes(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "mood.db") as store, MoodStore(tmp_path / "mood.db") as other:
        session = store.open_session("test")
        store.add(session, calm(), NOON)
        other.delete(session)
        with pytest.raises(StoreError, match=f"no session {session}; it was deleted"):
            store.add(session, calm(), NOON + 1)
        assert store.sessions() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"this is a letter, not a database " * 100), "not a store of mien, or it is"),
        (lambda path: path.mkdir(), "cannot be written here"),
        (lambda path: path.parent.joinpath("file").write_text("x"), None),
    ],
)
def test_files_that_are_no_store(tmp_path: Path, make, message: str | None) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "mood.db")
    path = tmp_path / "mood.db" if message else tmp_path / "file" / "mood.db"
    with pytest.raises(StoreError, match=message or "cannot open the store") as caught:
        MoodStore(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert isinstance(caught.value, MienError)


def test_a_store_of_a_newer_version(tmp_path: Path) -> None:
    MoodStore(tmp_path / "mood.db").close()
    with sqlite3.connect(tmp_path / "mood.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match=r"newer version of mien \(schema 99, .*; upgrade mien"):
        MoodStore(tmp_path / "mood.db")


def test_a_closed_store(tmp_path: Path) -> None:
    store = MoodStore(tmp_path / "mood.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.sessions()


def test_migrations_are_applied_once_and_whole(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrate(db)
    db.execute("INSERT INTO sessions (source, started) VALUES ('kept', 1.0)")
    more = (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN place TEXT",))
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, (*more, ("CREATE TABLE extra (x)", "this is not SQL")))
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert "extra" not in tables and db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    for _ in range(2):
        migrate(db, more)
    assert db.execute("SELECT source, place FROM sessions").fetchall() == [("kept", None)]
    assert db.execute("PRAGMA user_version").fetchone() == (len(more),)
    db.close()


@pytest.mark.parametrize(
    "change",
    [
        *(f"sessions SET {column} = {value}" for column in ("started", "ended") for value in ("'x'", "1e308", "x'ff'")),
        "sessions SET source = x'ff'",
        *(f"seconds SET second = {value}" for value in ("'x'", "1e308")),
        *(f"seconds SET scores = '{text}'" for text in ("x", "[1,2", "5", '{"happy":"x"}', "[" * 5000)),
        *(f"seconds SET {name} = 'x'" for name in ("valence", "arousal", "confidence", "coverage", "stress_index")),
        *(f"seconds SET {name} = x'ff'" for name in ("label", "stress_level", "baseline", "n", "track_id")),
        "seconds SET valence = 1e308",
    ],
)
def test_values_that_mien_does_not_write_are_refused(tmp_path: Path, change: str) -> None:
    """A damaged page may hold any value; SQLite keeps no checksum. Reading ended with a traceback."""
    path = tmp_path / "mood.db"
    with MoodStore(path) as store:
        session = store.open_session("camera")
        store.add(session, calm(), NOON)
        store.end_session(session, NOON + 1)
    with sqlite3.connect(path) as file:
        file.execute(f"UPDATE {change}")
    file.close()
    with MoodStore(path) as store, pytest.raises(StoreError, match="the store is damaged: it holds values") as caught:
        store.sessions()
        store.days()
        store.summary(session)
    assert "\n" not in str(caught.value)
