"""The store: sessions of per-second rows in one SQLite file. It never holds an image, a crop or an embedding.

    with MoodStore("mood.db", retention_days=30) as store:
        session = store.open_session("front camera")
        store.add(session, tracker.update(result))       # for every frame, also frames without faces
        store.end_session(session)
        store.timeline(session, step_s=60); store.days(date(2026, 11, 1), date(2026, 11, 30))

The store writes a second when the first frame of the next second arrives, in one transaction, into SQLite's write-ahead
log. A killed process loses at most its current second; a power cut may lose a few (``synchronous=NORMAL``). Several
processes may use one file if each writes its own sessions. Deleted rows are overwritten, and the file shrinks.

All threads may share one object; it serves one at a time. Every failure is one StoreError that names the file. Rows
that could not be written are kept for a while and written with the next second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Self

from mien.contract.errors import StoreError
from mien.mood.days import Day
from mien.mood.joining import join_people, join_sessions
from mien.mood.mood_value import Mood
from mien.mood.rows import COLUMNS, SESSIONS, Session, day_of, second_of, session_of, values_of
from mien.mood.seconds import Second, aggregate, by_step
from mien.mood.series import SteadyClock
from mien.mood.store_file import StoreFile
from mien.mood.summary import Summary, summarise
from mien.mood.writer_lock import WriterLock, is_alive

MOST_UNWRITTEN = 600
"""Most rows that are kept while the file cannot be written; the oldest are dropped first."""

RETRY_S = 5.0
"""Pause after a failed write, so that a locked file does not delay every frame."""

PRUNE_EVERY_S = 3600.0
"""How often a store that stays open deletes rows that are past their retention."""


@dataclass
class _Writing:
    """The part of a session that is not in the file yet."""

    clock: SteadyClock
    second: int | None = None
    moods: dict[int, list[Mood]] = field(default_factory=dict)  # of the current second, by track
    finished: list[Second] = field(default_factory=list)

    def current(self) -> list[Second]:
        return [aggregate(self.second, moods) for moods in self.moods.values()] if self.second is not None else []


def default_path() -> Path:
    """Where the command line and the server keep their store."""
    from platformdirs import user_data_path

    return user_data_path("mien") / "mood.db"


class MoodStore(StoreFile):
    """An open store.

    Args:
        path: the SQLite file. If it does not exist, it is made together with its folder, readable by this user alone.
        retention_days: rows older than this are deleted, now and while the store is open; None keeps everything.
        busy_timeout_s: how long to wait while another process writes.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.
    """

    def __init__(self, path: str | Path, retention_days: float | None = None, *, busy_timeout_s: float = 2.0) -> None:
        if retention_days is not None and not 0 < retention_days < math.inf:
            raise StoreError(f"retention_days: expected more than 0 days, got {retention_days}")
        super().__init__(path, busy_timeout_s)
        self.retention_days = retention_days
        self._writing: dict[int, _Writing] = {}
        self._writer: WriterLock | None = None
        self._pruned_at = self._failed_at = -math.inf
        try:
            self.prune()
        except StoreError:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # writing

    def open_session(self, source: str, started: datetime | None = None, visitor: str | None = None) -> int:
        """Start a session now or at ``started`` (local time if it has no zone) and return its number.

        Args:
            source: what is watched.
            started: None for now.
            visitor: digest of the secret of the visitor whom the session belongs to; None for the store's owner.
        """
        began = time.time() if started is None else started.timestamp()
        query = "INSERT INTO sessions (source, started, visitor, writer) VALUES (?, ?, ?, ?)"
        with self._transaction():
            cursor = self._db.execute(query, (source, began, visitor, self._mark()))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def add(self, session_id: int, moods: Sequence[Mood], at: datetime | float | None = None) -> None:
        """Add the moods of one frame; moods of earlier seconds are written to the file.

        Args:
            session_id: from ``open_session``; only one process may write a session.
            moods: from ``MoodTracker.update``; an empty list lets the previous second be written.
            at: wall-clock time of the frame, datetime or seconds since 1970; default now. If the clock runs backwards,
                the session's clock stops and continues from there.

        Raises:
            StoreError: no such session, it has ended, or the file cannot be written. In the last case up to 600 rows
                are kept and written with a later second.
        """
        at_s = time.time() if at is None else at.timestamp() if isinstance(at, datetime) else at
        with self._lock:
            writing = self._writing.get(session_id) or self._resume(session_id)
            second = math.floor(writing.clock(at_s))
            if second != writing.second:
                writing.finished += writing.current()
                writing.second, writing.moods = second, {}
            for mood in moods:
                writing.moods.setdefault(mood.track_id, []).append(mood)
            if writing.finished and time.monotonic() - self._failed_at > RETRY_S:
                self._write(session_id, writing.finished)
                writing.finished = []
                if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
                    self.prune()

    def flush(self) -> None:
        """Write everything, including the incomplete current second."""
        with self._lock:
            for session_id, writing in list(self._writing.items()):
                rows = writing.finished + writing.current()
                if rows:
                    self._write(session_id, rows)
                    writing.finished = []

    def end_session(self, session_id: int, at: datetime | float | None = None) -> None:
        """Write the rest of a session and end it. Nothing can be added afterwards; ending it twice is harmless."""
        at_s = time.time() if at is None else at.timestamp() if isinstance(at, datetime) else at
        with self._lock:
            self.flush()
            with self._transaction():
                self._must_exist(session_id)
                self._db.execute("UPDATE sessions SET ended = coalesce(ended, ?) WHERE id = ?", (at_s, session_id))
            self._writing.pop(session_id, None)

    def end_orphans(self) -> int:
        """End sessions whose process died, at their last second; return how many. Running ones are left alone."""
        query = """
            UPDATE sessions SET ended = coalesce((SELECT max(second) + 1 FROM seconds WHERE session_id = id), started)
            WHERE ended IS NULL AND writer IS ?
        """
        with self._transaction():
            writers = self._db.execute("SELECT DISTINCT writer FROM sessions WHERE ended IS NULL").fetchall()
            dead = [(writer,) for (writer,) in writers if not is_alive(self.path, writer)]
            return sum(self._db.execute(query, writer).rowcount for writer in dead)

    def join_people(self, session_id: int, person: int, into: int) -> None:
        """Count number ``person`` of a session as the person ``into``; MienError where that cannot be (joining.py)."""
        with self._transaction():
            self._must_exist(session_id)
            join_people(self._db, session_id, person, into)

    def join_sessions(self, session_id: int, other_id: int) -> None:
        """Move all of session ``other_id`` into ``session_id``; MienError where that cannot be (joining.py)."""
        with self._transaction():
            self._must_exist(session_id)
            self._must_exist(other_id)
            join_sessions(self._db, session_id, other_id)

    # reading

    def sessions(self, visitor: str | None = None, limit: int = -1, offset: int = 0) -> list[Session]:
        """Sessions, newest first.

        Args:
            visitor: only those of this visitor; None for all.
            limit: how many at most; -1 for all.
            offset: how many of the newest to leave out.
        """
        query = f"{SESSIONS} {_of(visitor)} GROUP BY s.id ORDER BY s.started DESC, s.id DESC LIMIT ? OFFSET ?"
        with self._reading():
            return [session_of(row) for row in self._db.execute(query, (*_value(visitor), limit, offset))]

    def count(self, visitor: str | None = None) -> int:
        """How many sessions there are, or how many of one visitor."""
        with self._reading(flush=False):
            query = f"SELECT count(*) FROM sessions s {_of(visitor)}"
            return int(self._db.execute(query, _value(visitor)).fetchone()[0])

    def belongs_to(self, session_id: int, visitor: str) -> bool:
        """Whether there is such a session and it is this visitor's."""
        with self._reading(flush=False):
            found = self._db.execute("SELECT visitor FROM sessions WHERE id = ?", (session_id,)).fetchone()
        return found is not None and found[0] == visitor

    def session(self, session_id: int) -> Session:
        """One session; StoreError if there is none with that number."""
        with self._reading():
            row = self._db.execute(f"{SESSIONS} WHERE s.id = ? GROUP BY s.id", (session_id,)).fetchone()
            if row is None:
                raise self._absent(session_id)
            return session_of(row)

    def __contains__(self, session_id: int) -> bool:
        """Whether there is a session with that number."""
        with self._reading(flush=False):
            return self._db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is not None

    def timeline(self, session_id: int, step_s: int = 1, track_id: int | None = None) -> list[Second]:
        """Rows of a session, of one person or all, by time, then track, combined into steps of ``step_s`` seconds."""
        return by_step(self.rows(session_id, track_id), step_s)

    def rows(self, session_id: int, track_id: int | None = None) -> list[Second]:
        """The stored rows of a session, by time, then track."""
        one_track = "" if track_id is None else "AND track_id = ?"
        values = (session_id,) if track_id is None else (session_id, track_id)
        query = f"SELECT {COLUMNS} FROM seconds WHERE session_id = ? {one_track} ORDER BY second, track_id"
        with self._reading():
            self._must_exist(session_id)
            return [second_of(row) for row in self._db.execute(query, values)]

    def summary(self, session_id: int) -> Summary:
        """Summary of a session: all people together, and each person with their episodes."""
        return summarise(self.rows(session_id))

    def days(self, first: date | None = None, last: date | None = None, visitor: str | None = None) -> list[Day]:
        """Days with recorded rows, oldest first, in this machine's time zone; ``last`` is included."""
        own = "" if visitor is None else "AND session_id IN (SELECT id FROM sessions WHERE visitor = ?)"
        query = f"""
            SELECT date(second, 'unixepoch', 'localtime') AS day, label, count(*), sum(valence), sum(arousal),
                   sum(stress_index), count(stress_index), group_concat(DISTINCT session_id)
            FROM seconds WHERE second >= ? AND second < ? {own} GROUP BY day, label ORDER BY day, count(*) DESC
        """
        start = -(1 << 62) if first is None else math.floor(_midnight(first))
        end = 1 << 62 if last is None else math.floor(_midnight(last + timedelta(days=1)))
        with self._reading():
            by_day: dict[str, list[Any]] = {}
            for row in self._db.execute(query, (start, end, *_value(visitor))):
                by_day.setdefault(row[0], []).append(row)
            return [day_of(day, found) for day, found in by_day.items()]

    def export(self, session_id: int, to: str | Path | BinaryIO, format: str = "json") -> None:
        """Write a session to a file (whole or not at all) or to a binary stream.

        Args:
            session_id: the session.
            to: a path, or an open binary stream.
            format: "json", "csv" or "parquet" (the extra ``parquet``); columns as in session_export.py.

        Raises:
            StoreError: no such session or format, or the file cannot be written.
        """
        from mien.mood.session_export import write_session

        write_session(self.session(session_id), self.rows(session_id), to, format)

    # forgetting

    def delete(self, session_id: int) -> None:
        """Delete a session and all its rows, even if it is running; StoreError if there is none."""
        with self._lock:
            self._writing.pop(session_id, None)
            with self._transaction():
                self._must_exist(session_id)
                self._db.execute("DELETE FROM sessions WHERE id = ?", (session_id,))
            self._give_back()

    def delete_all(self, visitor: str | None = None) -> int:
        """Delete all sessions, or all of one visitor, and return how many there were."""
        with self._lock:
            with self._transaction():
                found = self._db.execute(f"SELECT s.id FROM sessions s {_of(visitor)}", _value(visitor)).fetchall()
                self._db.executemany("DELETE FROM sessions WHERE id = ?", found)
            for (session_id,) in found:
                self._writing.pop(session_id, None)
            count = len(found)
            self._give_back()
        return count

    def prune(self, now: datetime | None = None) -> int:
        """Delete seconds past their retention and sessions without any; return the number of deleted seconds."""
        with self._lock:
            self._pruned_at = time.monotonic()
            if self.retention_days is None:
                return 0
            cut_s = (time.time() if now is None else now.timestamp()) - self.retention_days * 86400
            with self._transaction():
                count = self._db.execute("DELETE FROM seconds WHERE second < ?", (cut_s,)).rowcount
                self._db.execute(
                    "DELETE FROM sessions WHERE coalesce(ended, started) < ? AND id NOT IN "
                    "(SELECT session_id FROM seconds)",
                    (cut_s,),
                )
            if count:
                self._give_back()
        return count

    def close(self) -> None:
        """Write the rest and close the file. Sessions that were not ended stay open. Closing twice is harmless."""
        with self._lock:
            try:
                if self._writing:
                    self.flush()
            finally:
                self._writing.clear()
                self._db.close()
                if self._writer is not None:
                    self._writer.release()
                    self._writer = None

    # within

    def _mark(self) -> str:
        """The mark of this process, by which others see that its sessions are running."""
        if self._writer is None:
            try:
                self._writer = WriterLock(self.path)
            except OSError as error:
                raise StoreError(f"{self.path}: cannot write beside the store ({error.strerror})") from None
        return self._writer.name

    def _resume(self, session_id: int) -> _Writing:
        """Continue an existing session after its last stored second."""
        with self._reading(flush=False):
            self._must_exist(session_id)
            query = (
                "SELECT ended, (SELECT max(second) + 1 FROM seconds WHERE session_id = id) FROM sessions WHERE id = ?"
            )
            ended, after = self._db.execute(query, (session_id,)).fetchone()
        if ended is not None:
            raise StoreError(f"{self.path}: session {session_id} has ended")
        self._writing[session_id] = _Writing(SteadyClock() if after is None else SteadyClock(after))
        return self._writing[session_id]

    def _write(self, session_id: int, rows: Sequence[Second]) -> None:
        # REPLACE: a flush may have written part of this second already
        query = f"INSERT OR REPLACE INTO seconds ({COLUMNS}) VALUES (?{', ?' * 14})"
        try:
            with self._transaction():
                self._must_exist(session_id)
                self._db.executemany(query, [values_of(session_id, row) for row in rows])
        except StoreError:
            if session_id in self._writing:  # false if the session itself was deleted
                self._failed_at = time.monotonic()
                del self._writing[session_id].finished[:-MOST_UNWRITTEN]
            raise

    def _must_exist(self, session_id: int) -> None:
        if self._db.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone() is None:
            self._writing.pop(session_id, None)
            raise self._absent(session_id)

    def _absent(self, session_id: int) -> StoreError:
        return StoreError(f"{self.path}: there is no session {session_id}; it was deleted or never existed")

    @contextmanager
    def _reading(self, flush: bool = True) -> Iterator[None]:
        with self._lock, self._clear_errors():
            if flush and self._writing:
                with suppress(StoreError):  # reading still works when the disk is full
                    self.flush()  # include what this process has not written yet
            yield


def _of(visitor: str | None) -> str:
    return "" if visitor is None else "WHERE s.visitor = ?"


def _value(visitor: str | None) -> tuple[str, ...]:
    return () if visitor is None else (visitor,)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day).timestamp()
