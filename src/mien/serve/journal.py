"""The store of ``mien.mood`` behind one thread, so that a slow or locked disk never holds up a live stream.

    async with Journal(path, retention_days=30, metrics) as journal:
        entry = journal.begin("browser", visitor)
        entry.add(moods)                               # returns at once; the store writes when the second is over
        await journal.end(entry)
        days = await journal.ask(lambda store: store.days(first, last))

A session gets its row with its first face, so a visitor who connects and leaves again leaves nothing. When a write
fails, the live stream goes on, the failure is counted and told (``problem``), and the journal tries again with the next
second; it also tries again to end a session. If the database was deleted or replaced, the journal opens a new one and
the session goes on there under a new number. A session that somebody deletes while it runs is kept no longer.

At its start and once an hour the journal ends the sessions of processes that died.
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
from mien.serve.prometheus import ServerMetrics

T = TypeVar("T")

MOST_FRAMES = 2000
"""Frames that wait while the store's thread is held up, a minute at full speed; the oldest go first."""

RETRY_S = 5.0
"""How often the journal tries again to end a session whose end could not be written."""

ORPHANS_S = 3600.0
"""How often it looks for sessions of processes that died."""


class Entry:
    """A live session's place in the store."""

    def __init__(self, journal: Journal, source: str, visitor: str | None) -> None:
        self.session_id: int | None = None
        self.source, self.visitor = source, visitor
        self.kept = True  # False from the moment that somebody deletes the session
        self._journal, self._started, self._began = journal, datetime.now(UTC), time.monotonic()
        self._frames: list[tuple[Sequence[Mood], datetime]] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, moods: Sequence[Mood]) -> None:
        """Take the moods of one frame, as of now; a frame without faces lets the second before be written."""
        if not self.kept or not (moods or self._frames or self.session_id):
            return  # nobody has been seen yet
        # The wall clock is read once, at the start: a step of it cannot fold the session's time.
        self._frames.append((moods, self._started + timedelta(seconds=time.monotonic() - self._began)))
        del self._frames[:-MOST_FRAMES]
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self.write())

    async def write(self) -> None:
        """Hand what there is to the store; what goes wrong is in the journal's ``problem``."""
        if self._writing is not None and self._writing is not asyncio.current_task():
            await asyncio.gather(self._writing, return_exceptions=True)
        frames, self._frames = self._frames, []
        if not self.kept or not frames:
            return

        def add(store: MoodStore) -> None:
            number = self.session_id
            if number is None:
                number = self.session_id = store.open_session(self.source, frames[0][1], self.visitor)
            while frames:
                moods, at = frames.pop(0)  # given even where the write fails: the store keeps it for the next second
                store.add(number, moods, at)
            if self._journal.problem is not None:  # most frames write nothing, so success means little until one does
                store.flush()

        try:
            await self._journal.ask(add)
            self._journal.problem = None
            if not self.kept and self.session_id is not None:  # deleted before its row was made
                number, self.session_id = self.session_id, None
                await self._journal.ask(lambda store: store.delete(number))
        except StoreError as error:
            self._frames = [*frames, *self._frames][-MOST_FRAMES:]
            await self._journal.failed(self, str(error))

    def forget(self) -> None:
        """Keep this session no longer: somebody deleted it."""
        self.session_id, self.kept, self._frames = None, False, []


class Journal:
    """Every use of the store, one after the other in a thread of its own. An async context manager.

    Args:
        path: of the database; made where it is missing.
        retention_days: what is older is deleted; None to keep all.
        metrics: counts failures.

    Raises:
        StoreError: on entry, where the database cannot be opened.
    """

    def __init__(self, path: Path, retention_days: float | None, metrics: ServerMetrics) -> None:
        self.path = path
        self.problem: str | None = None
        self._retention_days, self._metrics = retention_days, metrics
        self._thread = ThreadPoolExecutor(1, "mien-store")
        self._store: MoodStore | None = None
        self._inode = 0
        self._entries: list[Entry] = []
        self._unended: list[tuple[int, datetime]] = []

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)
        self._tending = asyncio.create_task(self._tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tending.cancel()
        for entry in list(self._entries):  # of clients that did not leave in time
            await self.end(entry)
        await self._end_again()
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

    def begin(self, source: str, visitor: str | None = None) -> Entry:
        """A place for a session, which is in the store from its first face on.

        Args:
            source: its name.
            visitor: digest of the secret of the visitor whom it belongs to; None for the owner.
        """
        entry = Entry(self, source, visitor)
        self._entries.append(entry)
        return entry

    async def end(self, entry: Entry) -> None:
        """Write what is left of a session and close it. Ending twice changes nothing."""
        if entry not in self._entries:
            return
        self._entries.remove(entry)
        await entry.write()
        if entry.session_id is not None:
            self._unended.append((entry.session_id, datetime.now(UTC)))
            await self._end_again()

    async def delete(self, session_id: int | None, visitor: str | None = None) -> int:
        """Delete one session, or all with None; those that run are kept no longer. Returns how many.

        Args:
            session_id: which; None for all.
            visitor: of all, only those of this visitor; None for everybody's.

        Raises:
            StoreError: there is no such session, or the file cannot be written.
        """

        def delete(store: MoodStore) -> int:
            if session_id is None:
                return store.delete_all(visitor)
            store.delete(session_id)
            return 1

        for entry in self._entries:
            mine = visitor is None or entry.visitor == visitor
            if entry.session_id == session_id if session_id is not None else mine:
                entry.forget()
        return await self.ask(delete)

    async def failed(self, entry: Entry, problem: str) -> None:
        """Find out why a write failed: the file is new, somebody deleted the session, or the disk does not work."""
        with suppress(StoreError):
            if await self._moved():
                return
            number = entry.session_id
            if number is not None and not await self.ask(lambda store: number in store):
                return entry.forget()  # deleted by another server on the same file
        self.problem = problem

    async def _moved(self) -> bool:
        """Whether the database was deleted or replaced; then all sessions go on in a new one."""
        if not await asyncio.get_running_loop().run_in_executor(self._thread, self._reopen):
            return False
        for entry in self._entries:
            entry.session_id = None
        self._unended.clear()
        return True

    async def _tend(self) -> None:
        """Try again what could not be written, and end what other processes left behind."""
        passed_s = 0.0
        while True:
            await asyncio.sleep(RETRY_S)
            passed_s += RETRY_S
            await self._end_again()
            if passed_s >= ORPHANS_S:
                passed_s = 0.0
                with suppress(StoreError):
                    await self.ask(MoodStore.end_orphans)

    async def _end_again(self) -> None:
        waiting, self._unended = self._unended, []
        for number, at in waiting:
            try:
                await self.ask(lambda store, number=number, at=at: self._end(store, number, at))  # type: ignore[misc]
            except StoreError:
                self._unended.append((number, at))

    @staticmethod
    def _end(store: MoodStore, number: int, at: datetime) -> None:
        if number in store:  # else it was deleted meanwhile
            store.end_session(number, at)

    def _open(self) -> None:
        self._store = MoodStore(self.path, self._retention_days)
        self._inode = os.stat(self.path).st_ino
        self._store.end_orphans()

    def _reopen(self) -> bool:
        with suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                return False
        assert self._store is not None
        with suppress(StoreError):
            self._store.close()
        self._open()
        return True
