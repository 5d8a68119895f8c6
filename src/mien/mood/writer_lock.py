"""A mark that a process is alive: a locked file beside the store. The system drops the lock when the process dies.

    lock = WriterLock(path)                        # mood.db.writer-3f2a…
    is_alive(path, lock.name)                      # True, also for other processes, until lock.release()

The store uses it to tell a session that another process is writing from one whose process was killed. A clock would
not do: it may step. The lock holds within one machine.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


class WriterLock:
    """One process's mark beside the store at ``path``.

    Raises:
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.name = secrets.token_hex(8)
        self._file = _file(path, self.name)
        self._handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(self._handle)

    def release(self) -> None:
        """Drop the lock and remove the file."""
        os.close(self._handle)
        with suppress(OSError):
            self._file.unlink()


def is_alive(path: Path, name: str | None) -> bool:
    """Whether the process that made the mark ``name`` still runs; removes the mark of a dead one."""
    if name is None or not name.isalnum():
        return False
    try:
        handle = os.open(_file(path, name), os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:  # nobody knows; do not end a session that may be running
        return True
    try:
        _lock(handle)
    except OSError:
        return True
    finally:
        os.close(handle)
    with suppress(OSError):
        _file(path, name).unlink()
    return False


def _file(path: Path, name: str) -> Path:
    return path.with_name(f"{path.name}.writer-{name}")


def _lock(handle: int) -> None:
    """Lock the file, or raise OSError where somebody else holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
