"""The store of ``mien.mood`` behind one thread, so that a slow or locked disk never holds up a live stream.

    async with Journal(path, retention_days=30, metrics) as journal:
        entry = await journal.begin("browser")
        entry.add(moods)                               # returns at once; the store writes when the second is over
        await journal.end(entry)
        days = await journal.ask(lambda store: store.days(first, last))

When a write fails, the live stream goes on, the failure is counted and told (``problem``), and the store tries again
with the next second. A database that was deleted or replaced meanwhile is opened anew, and the session goes on in it
under a new number. A session that a user deletes while it runs is kept no longer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

from mien.contract.errors import StoreError
from mien.mood import Mood, MoodStore
from mien.serve.prometheus import Metrics

T = TypeVar("T")

MOST_FRAMES = 2000
"""Frames that wait while the store's thread is held up, a minute at full speed; the oldest go first."""


class Entry:
    """A live session's place in the store."""

    def __init__(self, journal: Journal, session_id: int, source: str, started: datetime) -> None:
        self.session_id: int | None = session_id
        self.source, self.started = source, started
        self._journal, self._began = journal, time.monotonic()
        self._frames: list[tuple[Sequence[Mood], datetime]] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, moods: Sequence[Mood]) -> None:
        """Take the moods of one frame, as of now; a frame without faces lets the second before be written."""
        # The wall clock is read once, at the start: a step of it cannot fold the session's time.
        self._frames.append((moods, self.started + timedelta(seconds=time.monotonic() - self._began)))
        del self._frames[:-MOST_FRAMES]
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self.write())

    async def write(self) -> None:
        """Hand what there is to the store; what goes wrong is in the journal's ``problem``."""
        if self._writing is not None and self._writing is not asyncio.current_task():
            await asyncio.gather(self._writing, return_exceptions=True)
        frames, self._frames = self._frames, []
        session_id = self.session_id
        if session_id is None or not frames:
            return

        def add(store: MoodStore) -> None:
            while frames:
                moods, at = frames.pop(0)  # given even where the write fails: the store keeps it for the next second
                store.add(session_id, moods, at)
            if self._journal.problem is not None:  # most frames write nothing, so success means little until one does
                store.flush()

        try:
            await self._journal.ask(add)
            self._journal.problem = None
        except StoreError as error:
            self._frames = [*frames, *self._frames][-MOST_FRAMES:]
            if self.session_id is not None:  # else it was deleted on purpose
                self._journal.problem = str(error)
                with suppress(StoreError):
                    await self._journal.move()


class Journal:
    """Every use of the store, one after the other in a thread of its own. An async context manager.

    Args:
        path: of the database; made where it is missing.
        retention_days: what is older is deleted; None to keep all.
        metrics: counts failures.

    Raises:
        StoreError: on entry, where the database cannot be opened.
    """

    def __init__(self, path: Path, retention_days: float | None, metrics: Metrics) -> None:
        self.path = path
        self.problem: str | None = None
        self._retention_days, self._metrics = retention_days, metrics
        self._thread = ThreadPoolExecutor(1, "mien-store")
        self._store: MoodStore | None = None
        self._inode = 0
        self._entries: list[Entry] = []

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        for entry in list(self._entries):  # of clients that did not leave in time
            await self.end(entry)
        with suppress(StoreError):
            await self.ask(MoodStore.close)
        self._thread.shutdown()

    async def ask(self, question: Callable[[MoodStore], T]) -> T:
        """Run something on the store, in its thread.

        Raises:
            StoreError: what the store raised.
        """

        def asked() -> T:
            assert self._store is not None
            return question(self._store)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, asked)
        except StoreError:
            self._metrics.store_errors.inc()
            raise

    async def begin(self, source: str) -> Entry:
        """Open a session.

        Raises:
            StoreError: it cannot be written.
        """
        started = datetime.now(UTC)
        try:
            number = await self.ask(_opener(source, started))
        except StoreError:
            await self.move()
            number = await self.ask(_opener(source, started))
        entry = Entry(self, number, source, started)
        self._entries.append(entry)
        return entry

    async def end(self, entry: Entry) -> None:
        """Write what is left of a session and close it. Ending twice changes nothing."""
        if entry not in self._entries:
            return
        self._entries.remove(entry)
        await entry.write()
        number, at = entry.session_id, datetime.now(UTC)
        if number is not None:
            with suppress(StoreError):
                await self.ask(lambda store: store.end_session(number, at))

    async def delete(self, session_id: int | None) -> int:
        """Delete one session, or all with None; those that run are kept no longer. Returns how many.

        Raises:
            StoreError: there is no such session, or the file cannot be written.
        """

        def delete(store: MoodStore) -> int:
            if session_id is None:
                return store.delete_all()
            store.delete(session_id)
            return 1

        for entry in self._entries:
            if session_id is None or entry.session_id == session_id:
                entry.session_id = None
        return await self.ask(delete)

    async def move(self) -> None:
        """Where the database was deleted or replaced, let all sessions go on in a new one; else do nothing."""
        if await asyncio.get_running_loop().run_in_executor(self._thread, self._reopen):
            for entry in self._entries:
                if entry.session_id is not None:
                    entry.session_id = await self.ask(_opener(entry.source, entry.started))

    def _open(self) -> None:
        self._store = MoodStore(self.path, self._retention_days)
        self._inode = os.stat(self.path).st_ino

    def _reopen(self) -> bool:
        with suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                return False
        assert self._store is not None
        with suppress(StoreError):
            self._store.close()
        self._open()
        return True


def _opener(source: str, started: datetime) -> Callable[[MoodStore], int]:
    return lambda store: store.open_session(source, started)
