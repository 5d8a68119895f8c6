"""The ASGI application: models and store are opened in its lifespan, everything behind the guard.

    app = create_app(ServerSettings(db=Path("mood.db")))     # for any ASGI server
    run(settings)                                             # uvicorn, as ``mien serve`` does

With another ASGI server, let it take messages of at most ``Limits.frame_bytes`` on WebSockets and log no query strings,
since a browser can show its token only there. ``run`` sees to both.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

import mien
from mien.contract.errors import MienError, StoreError
from mien.recognition.detectors import Detector, make_detector
from mien.recognition.recognizer import Recognizer
from mien.serve import (
    routes_camera,
    routes_device,
    routes_docs,
    routes_live,
    routes_ops,
    routes_personal,
    routes_recognize,
    routes_sessions,
)
from mien.serve.addresses import page_urls
from mien.serve.api_schema import problems
from mien.serve.connections import ConnectionWatch, quiet_logs
from mien.serve.drift_keeper import DriftKeeper
from mien.serve.engine import Engine
from mien.serve.guard import Guard
from mien.serve.journal import Journal
from mien.serve.live import Hub
from mien.serve.personal import Personal
from mien.serve.prometheus import ServerMetrics
from mien.serve.server_camera import CameraFeed
from mien.serve.settings import ServerSettings
from mien.serve.state import ServerState
from mien.video.daily_log import beside

PAGE = Path(str(files("mien.serve"))) / "page"

GRACE_S = 5
"""Seconds that connections have to end when the server is told to stop."""

NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Newer FastAPI exports spans, with addresses and tokens in them, where OpenTelemetry is set up; older ignore this."""

DESCRIPTION = """Facial expressions of photos and live frames, and mood over time. Expressions, not feelings; the stress
index is an expression-based index, not a diagnosis. No image is written, logged or kept.

Live frames go over `WS /v1/live`: send JPEG, WebP or PNG as binary messages, read JSON; `WS /v1/watch` looks on."""


def create_app(settings: ServerSettings, recognizer: Recognizer | None = None) -> FastAPI:
    """Make the application; nothing is loaded before its lifespan starts.

    Args:
        settings: how it is started.
        recognizer: an open one, instead of the settings' model and detector; then its detector serves all threads.

    Raises (in the lifespan):
        ModelError, DetectorError, StoreError: model, detector or database cannot be opened.
    """
    metrics = ServerMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack, _remembering(app):
            opened, make = _open(settings, recognizer)
            engine = await stack.enter_async_context(Engine(opened, make, settings.limits, metrics))
            journal = drift = None
            if settings.db is not None:
                journal = await stack.enter_async_context(Journal(settings.db, settings.retention_days, metrics))
                keeper = DriftKeeper(beside(settings.db), opened.card, settings.retention_days, metrics)
                drift = await stack.enter_async_context(keeper)
            hub = Hub(settings.limits.live_fps, metrics.live_clients.set)
            state = ServerState(settings, metrics, engine, hub, journal, drift, app.state.connections)
            app.state.mien = state
            if settings.db is not None and settings.adapt is not None:
                folder = settings.db.with_name(f"{settings.db.stem}.personal")
                state.personal = Personal(folder, opened, settings.adapt)
            if settings.camera is not None:
                state.camera = await stack.enter_async_context(CameraFeed(settings.camera, state))
            yield
            hub.stopping.set()

    app = FastAPI(
        title="mien",
        version=mien.__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.state.connections = ConnectionWatch(settings.limits)
    for routes in (routes_recognize, routes_live, routes_sessions, routes_personal, routes_camera, routes_ops):
        app.include_router(routes.router, responses=problems(401, 403, 421, 429))  # the guard's
    app.include_router(routes_docs.router)
    app.include_router(routes_device.router)
    document = app.openapi
    app.openapi = lambda: routes_docs.with_security(document())  # type: ignore[method-assign]
    app.mount("/page", StaticFiles(directory=PAGE))
    app.add_api_route("/", _page, include_in_schema=False)
    app.add_exception_handler(StoreError, _store_failed)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    return app


@asynccontextmanager
async def _remembering(app: FastAPI) -> AsyncIterator[None]:
    """uvicorn prints why a start failed and leaves; ``run`` wants to say it in one line."""
    try:
        yield
    except Exception as error:
        app.state.failure = error
        raise


def _open(settings: ServerSettings, recognizer: Recognizer | None) -> tuple[Recognizer, Callable[[], Detector]]:
    if recognizer is not None:
        return recognizer, lambda: recognizer.detector
    opened = Recognizer(settings.model, settings.detector, settings.detector_model, priors=settings.priors)
    return opened, lambda: make_detector(opened.detector.name, settings.detector_model)


async def _page() -> FileResponse:
    return FileResponse(PAGE / "index.html")


async def _store_failed(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})


class Server(uvicorn.Server):
    """uvicorn, which tells the application that it stops before it waits for the connections to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, ready: Callable[..., None]) -> None:
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        log = logging.getLogger("uvicorn.error")
        log.disabled = True  # why a start fails is raised by ``run``, in one line
        try:
            await super().startup(sockets)
        finally:
            log.disabled = False
        if not self.should_exit:
            port = self.servers[0].sockets[0].getsockname()[1]
            self._ready(*page_urls(self.config.host, port, "https" if self.config.is_ssl else "http"))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if (state := getattr(self._app.state, "mien", None)) is not None:
            state.hub.stopping.set()
            state.engine.give_up_photos()
        await super().shutdown(sockets)


def run(
    settings: ServerSettings,
    certificate: Path | None = None,
    key: Path | None = None,
    ready: Callable[..., None] = lambda *urls: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then clients are told, what is running ends, and sessions are saved.

    Args:
        settings: how it is started.
        certificate, key: PEM files for HTTPS, which browsers ask for before they give a camera to another machine.
        ready: called with the page's URLs, the most useful first, once the server answers.

    Raises:
        MienError: the address is taken, a model cannot be loaded, or the like.
    """
    app = create_app(settings)
    limits = settings.limits
    watch: ConnectionWatch = app.state.connections
    quiet_logs()
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": watch.http_protocol(),
        "ws": watch.websocket_protocol(),
        "ws_max_size": limits.frame_bytes + 64,
        "ws_per_message_deflate": False,  # frames are compressed as it is
        "ws_ping_interval": limits.ping_s,
        "ws_ping_timeout": limits.ping_s,
        "timeout_graceful_shutdown": GRACE_S,
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_level": "warning",  # at "info" the query strings of WebSockets are logged, and a token with them
        "lifespan": "on",
    }
    if certificate is not None:
        options |= {"ssl_certfile": str(certificate), "ssl_keyfile": None if key is None else str(key)}
    config = uvicorn.Config(app, **options)
    try:
        config.load()
    except OSError as error:  # of the files; ssl's errors are among them
        raise MienError(f"{certificate}: no certificate and key that can be used ({error.strerror or error})") from None
    try:
        Server(config, app, ready).run()
    except SystemExit:
        failure = getattr(app.state, "failure", None)
        raise failure or MienError(f"cannot listen on {settings.host}:{settings.port}; is it in use?") from None
