"""What was kept: sessions, their timelines and summaries, days and weeks; export and deletion.

curl http://127.0.0.1:8000/v1/sessions
curl -OJ 'http://127.0.0.1:8000/v1/sessions/7/export?format=csv'
curl -X DELETE http://127.0.0.1:8000/v1/sessions/7
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from mien.contract.errors import MienError, MissingExtraError, StoreError
from mien.mood import MoodStore
from mien.mood.days import by_week
from mien.mood.trend import trend
from mien.serve.access import access_of
from mien.serve.api_schema import (
    MOST_ID,
    DaysOut,
    DeletedOut,
    PeopleIn,
    SecondOut,
    SessionIn,
    SessionOut,
    SummaryOut,
    problems,
)
from mien.serve.journal import Journal
from mien.serve.state import journal_of

router = APIRouter(prefix="/v1", tags=["history"])

MEDIA = {"json": "application/json", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

SessionId = Annotated[int, Path(ge=1, le=MOST_ID, description="A session's number.")]
Step = Annotated[int, Query(ge=1, le=86_400, description="Seconds a row.")]
Track = Annotated[int | None, Query(ge=1, le=MOST_ID, description="One person; all if left out.")]


@router.get(
    "/sessions", summary="Sessions, newest first", response_model=list[SessionOut], responses=problems(404, 503)
)
async def sessions(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 50,
    offset: Annotated[int, Query(ge=0, le=MOST_ID, description="How many of the newest to leave out.")] = 0,
) -> Any:
    """All for the owner, their own for a visitor. The header ``Mien-Total`` says how many there are."""
    journal, own = journal_of(request), access_of(request).sessions_of
    found = await journal.ask(lambda store: store.sessions(own, limit, offset))
    response.headers["Mien-Total"] = str(await journal.ask(lambda store: store.count(own)))
    return [session.to_dict() for session in found]


@router.get("/sessions/{session_id}", summary="One session", response_model=SessionOut, responses=problems(404, 503))
async def session(request: Request, session_id: SessionId) -> Any:
    """When it was, and how much is in it."""
    journal = await _holding(request, session_id)
    return (await journal.ask(lambda store: store.session(session_id))).to_dict()


@router.get(
    "/sessions/{session_id}/timeline",
    summary="Its rows by second or step",
    response_model=list[SecondOut],
    responses=problems(404, 503),
)
async def timeline(request: Request, session_id: SessionId, step_s: Step = 1, track_id: Track = None) -> Any:
    """Means over each step, one row a person."""
    journal = await _holding(request, session_id)
    return [row.to_dict() for row in await journal.ask(lambda store: store.timeline(session_id, step_s, track_id))]


@router.get(
    "/sessions/{session_id}/summary",
    summary="It summed up, with each person's episodes",
    response_model=SummaryOut,
    responses=problems(404, 503),
)
async def summary(request: Request, session_id: SessionId) -> Any:
    """All people together, and each on their own."""
    journal = await _holding(request, session_id)
    return (await journal.ask(lambda store: store.summary(session_id))).to_dict()


@router.get(
    "/sessions/{session_id}/export",
    summary="It as a file",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in MEDIA.values()}}, **problems(404, 501, 503)},
)
async def export_session(
    request: Request, session_id: SessionId, format: Literal["json", "csv", "parquet"] = "json"
) -> Response:
    """One row a second and person."""
    journal = await _holding(request, session_id)
    stream = io.BytesIO()
    try:
        await journal.ask(lambda store: store.export(session_id, stream, format))
    except MissingExtraError as error:
        raise HTTPException(501, str(error)) from None
    name = f"mien-session-{session_id}.{format}"
    return Response(
        stream.getvalue(),
        headers={"content-type": MEDIA[format], "content-disposition": f'attachment; filename="{name}"'},
    )


@router.post(
    "/sessions/{session_id}/people",
    summary="Two of its numbers are one person",
    response_model=SessionOut,
    responses=problems(404, 409, 503),
)
async def join_people(request: Request, session_id: SessionId, numbers: PeopleIn) -> Any:
    """Somebody who was out of view for some seconds comes back under a new number: join them by hand."""
    journal = await _holding(request, session_id)
    await _joined(journal, lambda store: store.join_people(session_id, numbers.person, numbers.into))
    return (await journal.ask(lambda store: store.session(session_id))).to_dict()


@router.post(
    "/sessions/{session_id}/join",
    summary="Another session goes on where it stopped",
    response_model=SessionOut,
    responses=problems(404, 409, 503),
)
async def join_sessions(request: Request, session_id: SessionId, other: SessionIn) -> Any:
    """The other session's rows move into this one, its people under new numbers, and it is gone."""
    journal = await _holding(request, session_id)
    await _holding(request, other.session)
    await _joined(journal, lambda store: store.join_sessions(session_id, other.session))
    return (await journal.ask(lambda store: store.session(session_id))).to_dict()


@router.delete(
    "/sessions/{session_id}", summary="Delete one session", response_model=DeletedOut, responses=problems(404)
)
async def delete(request: Request, session_id: SessionId) -> Any:
    """Also one that is running: it goes on live and is kept no longer."""
    journal = await _holding(request, session_id)
    return {"deleted": await journal.delete(session_id)}


@router.delete("/sessions", summary="Delete everything", response_model=DeletedOut, responses=problems(404, 503))
async def delete_all(request: Request) -> Any:
    """All sessions with all their rows, overwritten in the file; of a visitor, only their own."""
    return {"deleted": await journal_of(request).delete(None, access_of(request).sessions_of)}


@router.get("/days", summary="Days with something recorded", response_model=DaysOut, responses=problems(404, 422, 503))
async def days(
    request: Request,
    first: Annotated[date | None, Query(description="2026-11-01; all if left out.")] = None,
    last: Annotated[date | None, Query(description="Included.")] = None,
) -> Any:
    """Everybody's, or a visitor's own, by the server's time zone; weeks as in ISO 8601; trends over these days."""
    for day in (first, last):
        if day is not None and not 1971 <= day.year <= 9998:
            raise HTTPException(422, "expected days between 1971 and 9998")
    own = access_of(request).sessions_of
    found = await journal_of(request).ask(lambda store: store.days(first, last, own))
    trends = {name: trend(found, name) for name in ("valence", "arousal", "stress_index")}
    return {
        "days": [day.to_dict() for day in found],
        "weeks": [week.to_dict() for week in by_week(found)],
        "trends": {name: each.to_dict() if each else None for name, each in trends.items()},
    }


async def _joined(journal: Journal, join: Callable[[MoodStore], None]) -> None:
    """Join something; 409 with the reason where that cannot be."""
    try:
        await journal.ask(join)
    except StoreError:
        raise
    except MienError as error:
        raise HTTPException(409, str(error)) from None


async def _holding(request: Request, session_id: int) -> Journal:
    """The store, if it holds the session and the asker may see it; else 404, the same for both."""
    journal, own = journal_of(request), access_of(request).sessions_of
    if not await journal.ask(lambda s: session_id in s if own is None else s.belongs_to(session_id, own)):
        raise HTTPException(404, f"there is no session {session_id}; it was deleted or never existed")
    return journal
