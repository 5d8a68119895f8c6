"""SQLite's errors in words: one line that says what to do about it."""

from __future__ import annotations

import sqlite3

from mien.mood.rows import DamagedRowError
from mien.mood.store_schema import ForeignFileError, NewerSchemaError


def reason_of(error: sqlite3.Error, busy_timeout_s: float) -> str:
    """Why the store failed, without its path."""
    if isinstance(error, NewerSchemaError):
        return f"the store was written by a newer version of mien ({error}); upgrade mien"
    if isinstance(error, ForeignFileError):
        return f"this SQLite file belongs to another program ({error}); name another file"
    if isinstance(error, DamagedRowError):
        return "the store is damaged: it holds values that mien does not write"
    if isinstance(error, sqlite3.ProgrammingError):
        return f"the store is closed ({error})"
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"the store is locked: another process has been writing for {busy_timeout_s:g} s"
        case sqlite3.SQLITE_FULL:
            return "the store cannot grow: the disk is full"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return "this is not a store of mien, or it is damaged"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "the store cannot be written here"
    return f"the store failed ({error})"
