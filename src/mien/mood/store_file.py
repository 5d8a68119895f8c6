"""The SQLite file under the store: opening, transactions, and errors as one clear line.

``MoodStore`` adds the sessions and their rows. All threads may share one object; it serves one at a time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.contract.errors import StoreError
from mien.mood.store_errors import reason_of
from mien.mood.store_schema import check_ours, migrate


class StoreFile:
    """An open SQLite file with the store's tables.

    Args:
        path: the file. If it does not exist, it is made together with its folder, readable by this user alone.
        busy_timeout_s: how long to wait while another process writes.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.
    """

    def __init__(self, path: str | Path, busy_timeout_s: float) -> None:
        self.path, self._busy_timeout_s = Path(path), busy_timeout_s
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # O_EXCL: closing a second handle of an existing file would drop SQLite's locks on it (POSIX).
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            status = os.stat(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot open the store ({error.strerror})") from None
        self._file = (status.st_dev, status.st_ino)
        with self._clear_errors():
            self._db = sqlite3.connect(self.path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            with self._clear_errors():
                self._set_up(time.monotonic() + busy_timeout_s)
        except StoreError:
            self._db.close()
            raise

    def _set_up(self, until: float) -> None:
        """Set the file's mode and migrate its tables; retry until the monotonic time ``until``."""
        check_ours(self._db)
        while True:
            try:
                if self._db.execute("PRAGMA page_count").fetchone() == (0,):  # only an empty file accepts it
                    self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                self._db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # SQLite's own timeout does not cover this
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("PRAGMA secure_delete = ON")
        migrate(self._db)

    def _give_back(self) -> None:
        """Return freed pages to the disk and empty the log; skip this if another process is busy."""
        with suppress(sqlite3.OperationalError):
            self._db.executescript("PRAGMA incremental_vacuum")  # execute() would free one page and stop
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._clear_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite ends the transaction itself when the disk is full
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into one clear line, and detect a file that was deleted while it was open."""
        try:
            status = os.stat(self.path)
            still_there = (status.st_dev, status.st_ino) == self._file
        except OSError:
            still_there = False
        if not still_there:  # SQLite would keep writing to a deleted file
            raise StoreError(f"{self.path}: the store was deleted or replaced while it was in use; open it again")
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {reason_of(error, self._busy_timeout_s)}") from None
