"""The routes of the published MoodQuest backend, under its own names: feed, analytics, reset, health.

    mien serve --camera 0
    curl http://127.0.0.1:8000/analytics               # emotion, confidence, stress level, distribution, history
    <img src="http://127.0.0.1:8000/video_feed">       # annotated MJPEG

Analytics and reset concern the server's camera. Without a camera they concern the client that has been live longest.
The stress level is MoodQuest's, computed for each person; ``stress_index`` is ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response, StreamingResponse

from mien.serve.api_schema import AnalyticsOut, problems
from mien.serve.live import LiveSession
from mien.serve.state import ServerState, state_of

router = APIRouter(tags=["MoodQuest"])

BOUNDARY = "mien-frame"


@router.get(
    "/video_feed",
    summary="The camera's annotated pictures, MJPEG without end",
    response_class=Response,
    responses={200: {"content": {"multipart/x-mixed-replace": {}}}, **problems(404)},
)
async def video_feed(request: Request) -> Response:
    """For an <img> element. Pictures are drawn only while somebody looks, and are not stored."""
    camera = state_of(request).camera
    if camera is None:
        raise HTTPException(404, "this server has no camera; start it with --camera")

    async def parts() -> AsyncIterator[bytes]:
        async for jpeg in camera.pictures():
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"

    return StreamingResponse(parts(), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}")


@router.get("/analytics", summary="Mood right now", response_model=AnalyticsOut, responses=problems(404))
async def analytics(request: Request) -> Any:
    """Of the main face: emotion, confidence, stress level, and distribution and history of its last 30 faces."""
    return _current(state_of(request)).analytics()


@router.post("/reset", summary="Forget people, baselines and history", responses=problems(404))
async def reset(request: Request) -> dict[str, str]:
    """Reset the live analytics. Stored sessions stay (see DELETE /v1/sessions)."""
    _current(state_of(request)).reset()
    return {"status": "reset"}


@router.get("/health", summary="Health in the published terms")
async def health(request: Request) -> dict[str, Any]:
    """Whether the model is loaded and the camera runs, and what is wrong with the store, if anything."""
    state = state_of(request)
    return {
        "status": "healthy",
        "model_loaded": True,
        "model": state.engine.recognizer.card.name,
        "camera": state.camera.status() if state.camera else None,
        "store_problem": state.journal.problem if state.journal else None,
    }


def _current(state: ServerState) -> LiveSession:
    if state.camera is not None:
        return state.camera.live
    if not state.hub.sessions:
        raise HTTPException(404, "nobody is live; start the server with --camera, or open its page")
    return state.hub.sessions[0]
