"""Joining by hand: two numbers of one person, or two sessions of one visit.

    store.join_people(7, person=2, into=1)      # in session 7, number 2 is the person who is number 1
    store.join_sessions(7, 8)                   # session 8 goes on where 7 stopped

The tracker numbers a person who was out of view for more than a few seconds anew, and the store does not know who
somebody is. Only somebody who was there can say it.

The functions here run inside a transaction of the store.
"""

from __future__ import annotations

import sqlite3

from mien.contract.errors import MienError


def join_people(db: sqlite3.Connection, session_id: int, person: int, into: int) -> None:
    """Give the rows of ``person`` the number ``into``.

    Raises:
        MienError: the session is running, there is no such person, or both were seen in one second.
    """
    if person == into:
        raise MienError(f"person {person} cannot be joined with itself")
    _check_ended(db, session_id)
    seen = "SELECT second FROM seconds WHERE session_id = ? AND track_id = ?"
    for number in (person, into):
        if db.execute(seen, (session_id, number)).fetchone() is None:
            raise MienError(f"session {session_id} has no person {number}")
    together = f"SELECT count(*) FROM seconds WHERE session_id = ? AND track_id = ? AND second IN ({seen})"
    (seconds,) = db.execute(together, (session_id, person, session_id, into)).fetchone()
    if seconds:
        raise MienError(
            f"person {person} and person {into} were in view together for {seconds:,} s, so they are not one person"
        )
    db.execute("UPDATE seconds SET track_id = ? WHERE session_id = ? AND track_id = ?", (into, session_id, person))


def join_sessions(db: sqlite3.Connection, session_id: int, other_id: int) -> None:
    """Move the rows of session ``other_id`` into ``session_id`` and delete it. Its people get the next numbers.

    Raises:
        MienError: one of them is running, or they belong to different visitors.
    """
    if session_id == other_id:
        raise MienError(f"session {session_id} cannot be joined with itself")
    facts = [_check_ended(db, number) for number in (session_id, other_id)]
    if facts[0][2] != facts[1][2]:
        raise MienError(f"sessions {session_id} and {other_id} belong to different visitors")
    db.execute(
        "UPDATE seconds SET session_id = ?, track_id = track_id + "
        "(SELECT coalesce(max(track_id), 0) FROM seconds WHERE session_id = ?) WHERE session_id = ?",
        (session_id, session_id, other_id),
    )
    begin, end = min(started for started, _, _ in facts), max(ended for _, ended, _ in facts)
    db.execute("UPDATE sessions SET started = ?, ended = ? WHERE id = ?", (begin, end, session_id))
    db.execute("DELETE FROM sessions WHERE id = ?", (other_id,))


def _check_ended(db: sqlite3.Connection, session_id: int) -> tuple[float, float, str | None]:
    """Start, end and visitor of a session; MienError while it runs."""
    started, ended, visitor = db.execute(
        "SELECT started, ended, visitor FROM sessions WHERE id = ?", (session_id,)
    ).fetchone()
    if ended is None:
        raise MienError(f"session {session_id} is running; stop it first")
    return started, ended, visitor
