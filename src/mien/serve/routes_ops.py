"""Whether the server lives (``/healthz``), is ready (``/readyz``), and how it does (``/metrics``)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

import mien
from mien.serve.access import access_of
from mien.serve.api_schema import AccessOut, ProblemOut
from mien.serve.state import state_of
from mien.serve.static_page import page_is_built

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the process can."""
    return {"status": "ok", "version": mien.__version__}


@router.get(
    "/readyz",
    summary="Is it ready?",
    responses={503: {"model": ProblemOut, "description": "Starting or stopping"}},
)
async def readyz(request: Request) -> Any:
    """503 until the model is loaded, and again while the server stops. Needs no token, so it names no paths."""
    state = state_of(request)
    if state.hub.stopping.is_set():
        return Response('{"detail":"stopping"}', 503, media_type="application/json")
    return {
        "status": "ready",
        "model": state.engine.recognizer.card.name,
        "detector": state.engine.recognizer.detector.name,
        "live_clients": len(state.hub.sessions),
        "history": state.journal is not None,
        "store_works": state.journal is None or state.journal.problem is None,
        "camera_runs": state.camera.status()["running"] if state.camera else None,
    }


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """The text format, version 0.0.4."""
    state = state_of(request)
    figures, engine, watch = state.metrics, state.engine, state.connections
    figures.waiting.set(engine.waiting)
    figures.photos_waiting.set(engine.photos_waiting)
    for kind in ("frame", "photo"):
        figures.queue_age.labels(kind).set(engine.oldest_s(kind))
    figures.rate.set(state.hub.pacer.fps)
    figures.sockets.set(watch.open)
    for reason, count in watch.closed.items():
        figures.closed.labels(reason).set(count)
    return Response(state.metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})


@router.get("/v1/access", summary="Who am I here?", response_model=AccessOut)
async def access(request: Request) -> Any:
    """What the asker may see, and what is kept: the page tells it before a camera starts."""
    state, asker = state_of(request), access_of(request)
    recognizer = state.engine.recognizer
    return {
        "role": "owner" if asker.owner else "visitor",
        "shared": state.settings.token is not None,
        "history": state.journal is not None,
        "retention_days": state.settings.retention_days,
        "model": recognizer.card.name,
        "labels": list(recognizer.card.labels),
        "detector": recognizer.detector.name,
        "device": page_is_built(),
    }
