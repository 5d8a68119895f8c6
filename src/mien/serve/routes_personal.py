"""A model for one's own face: labelled moments in, an adapted model out, kept for this visitor or deleted.

    curl --data-binary @me.jpg 'http://127.0.0.1:8000/v1/personal/moments?emotion=happy&moment=1'
    curl -X POST http://127.0.0.1:8000/v1/personal/model
    curl -X DELETE http://127.0.0.1:8000/v1/personal

Pictures stay in memory (personal.py). ``WS /v1/live?personal=true`` then answers with the visitor's model.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.requests import HTTPConnection

from mien.contract.errors import ImageError, MienError
from mien.serve.access import access_of, digest, new_secret
from mien.serve.api_schema import MadeOut, MomentOut, PersonalOut, binary_body, problems
from mien.serve.personal import OWNER, Personal
from mien.serve.routes_recognize import IMAGE_TYPES
from mien.serve.state import state_of

router = APIRouter(prefix="/v1/personal", tags=["personal"])

SHOWN = ("neutral", "happy", "surprise", "sad", "angry", "fear")
"""What people can show on request; disgust and contempt are hard to play."""


@router.get("", summary="What is there of mine", response_model=PersonalOut, responses=problems(404))
async def personal(request: Request) -> Any:
    """Faces in memory by emotion, whether a model is kept, and what to show."""
    mine, key = personal_of(request), key_of(request)
    return {
        "wanted": [name for name in SHOWN if name in mine.emotions],
        "collected": {} if key is None else mine.counts(key),
        "model": key is not None and mine.has_model(key),
    }


@router.post(
    "/moments",
    summary="One labelled picture of my face",
    response_model=MomentOut,
    openapi_extra=binary_body(IMAGE_TYPES),
    responses=problems(400, 404),
)
async def moments(
    request: Request,
    emotion: Annotated[str, Query(max_length=64, description="What the face shows.")],
    moment: Annotated[int, Query(ge=0, le=10_000, description="Pictures of one moment are judged together.")] = 0,
) -> Any:
    """The largest face counts. A new visitor is told a secret, as on the live stream."""
    state, mine, key = state_of(request), personal_of(request), key_of(request)
    secret = None
    if key is None:
        secret = new_secret()
        key = digest(secret)
    try:
        data = await request.body()
        if len(data) > state.settings.limits.frame_bytes:
            raise ImageError(f"the picture is larger than {state.settings.limits.frame_bytes:,} bytes")
        seen = await state.engine.recognize_frame(data, "personal", state.settings.limits.frame_pixels)
        if not len(seen.crops_NSS):
            raise ImageError("no face found in the picture")
        mine.add(key, emotion, moment, seen.crops_NSS[0])
    except MienError as error:
        raise HTTPException(400, str(error)) from None
    return {"collected": mine.counts(key), "visitor": secret}


@router.post("/model", summary="Make my model", response_model=MadeOut, responses=problems(400, 404))
async def model(request: Request) -> Any:
    """Takes some seconds. The faces are forgotten; the model is kept where it was shown to help."""
    mine, key = personal_of(request), key_of(request)
    if key is None:
        raise HTTPException(400, "no face was collected yet")
    try:
        outcome = await asyncio.to_thread(mine.make, key)
    except MienError as error:
        raise HTTPException(400, str(error)) from None
    return {"helps": outcome.helps, "faces": outcome.faces, "before": outcome.before, "after": outcome.after}


@router.delete("", summary="Delete my faces and my model", responses=problems(404))
async def delete(request: Request) -> dict[str, bool]:
    """At once, from memory and from the disk."""
    mine, key = personal_of(request), key_of(request)
    return {"deleted": key is not None and await asyncio.to_thread(mine.forget, key)}


def personal_of(connection: HTTPConnection) -> Personal:
    """The server's personal models.

    Raises:
        HTTPException: 404 where it makes none.
    """
    found = state_of(connection).personal
    if found is None:
        raise HTTPException(404, "this server makes no personal models; it needs --db and mien[evaluate]")
    return found


def key_of(connection: HTTPConnection) -> str | None:
    """Whose model: a visitor's digest, or the owner's; None for a visitor who has no secret yet."""
    access = access_of(connection)
    return OWNER if access.owner else access.visitor
