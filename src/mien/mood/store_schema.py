"""The store's tables, and the migration of older files to this version.

    migrate(connection)      # runs every script that the file has not seen, each in one transaction

``PRAGMA user_version`` counts the scripts that a file has seen. A released script never changes. To change the tables,
add a new script at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

Script = tuple[str, ...]

MIGRATIONS: tuple[Script, ...] = (
    (
        # times are seconds since 1970 (UTC); ended stays NULL while a session runs, and where its process died
        """CREATE TABLE sessions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            source TEXT NOT NULL,
            started REAL NOT NULL,
            ended REAL
        )""",
        # one row a session, second and person: the means of that second, scores as JSON
        """CREATE TABLE seconds (
            session_id INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            second INTEGER NOT NULL,
            track_id INTEGER NOT NULL,
            n INTEGER NOT NULL,
            scores TEXT NOT NULL,
            valence REAL NOT NULL,
            arousal REAL NOT NULL,
            label TEXT NOT NULL,
            confidence REAL NOT NULL,
            stress_index REAL,
            stress_low REAL,
            stress_high REAL,
            stress_level TEXT NOT NULL,
            coverage REAL NOT NULL,
            baseline TEXT NOT NULL,
            PRIMARY KEY (session_id, second, track_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX seconds_by_time ON seconds (second)",
    ),
    (
        # visitor: who may see the session besides the store's owner, the digest of a secret; NULL: the owner alone.
        # writer: the mark of the process that writes it (writer_lock.py)
        "ALTER TABLE sessions ADD COLUMN visitor TEXT",
        "ALTER TABLE sessions ADD COLUMN writer TEXT",
        "CREATE INDEX sessions_by_visitor ON sessions (visitor)",
    ),
)


class NewerSchemaError(sqlite3.DatabaseError):
    """A newer version of mien has changed the file's tables."""


class ForeignFileError(sqlite3.DatabaseError):
    """The file has tables that mien did not make."""


def check_ours(connection: sqlite3.Connection) -> None:
    """Refuse the SQLite file of another program before anything in it is changed.

    Raises:
        ForeignFileError: it has tables, and they are not those of a store.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {"sessions", "seconds"} <= tables and _version(connection) > 0
    if tables - {"sqlite_sequence"} and not ours:
        raise ForeignFileError(f"its tables: {', '.join(sorted(tables)[:3])}")


def migrate(connection: sqlite3.Connection, scripts: Sequence[Script] = MIGRATIONS) -> None:
    """Bring a file up to date. Several processes may call this at once; one of them does the work.

    Args:
        connection: in autocommit mode (``isolation_level=None``).
        scripts: in order; tests give their own.

    Raises:
        NewerSchemaError: the file was written by a newer version.
    """
    if _version(connection) == len(scripts):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        seen = _version(connection)  # read again: another process may have migrated the file
        if seen > len(scripts):
            raise NewerSchemaError(f"schema {seen}, this version reads up to {len(scripts)}")
        for script in scripts[seen:]:
            for statement in script:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
