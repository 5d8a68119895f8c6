"""Who may come in, before anything is read: host, origin, rate, token, size; and the headers of every answer.

    app = Guard(app, settings, metrics)

A web page elsewhere must not use a server on the visitor's own machine. The guard refuses its Origin, and it refuses a
host name that was pointed at 127.0.0.1 (DNS rebinding). Beyond loopback every request needs a token, as
``Authorization: Bearer`` or, where a browser cannot set headers (WebSocket, <img>), as ``?token=``. The page itself
holds no secret and needs none. access.py says what a token allows.

Not here: TLS, which uvicorn does (``mien serve --certificate``).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from mien.serve.access import OWNER_PATHS, identify
from mien.serve.limits import Buckets, bounded
from mien.serve.prometheus import ServerMetrics
from mien.serve.settings import ServerSettings, is_loopback

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

FREE = ("/healthz", "/readyz", "/page/", "/device", "/docs")
"""What needs no token: whether the server lives, the pages' own files, and the API's description."""


@dataclass(frozen=True)
class _Refusal:
    status: int
    reason: str
    detail: str


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._buckets = Buckets(settings.limits.requests_per_s, settings.limits.request_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        refusal = self._refusal(scope)
        if refusal is not None:
            self._metrics.refused.labels(refusal.reason).inc()
        if scope["type"] == "websocket":
            if refusal is None:
                return await self._app(scope, receive, send)
            if "websocket.http.response" not in scope.get("extensions", {}):
                return await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail})  # seen as 403
            return await WebSocket(scope, receive, send).send_denial_response(_answer(refusal))

        headless = scope["method"] == "HEAD" and scope["path"] != "/video_feed"  # which has no end
        if headless:
            scope = {**scope, "method": "GET"}

        async def dressed(message: Message) -> None:
            if headless and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self._metrics.requests.labels(str(message["status"])).inc()
            await send(message)

        if refusal is None:
            return await self._app(scope, bounded(receive, self._settings.limits.body_bytes), dressed)
        await _answer(refusal)(scope, receive, dressed)

    def _refusal(self, scope: Scope) -> _Refusal | None:
        headers = Headers(scope=scope)
        free = scope["path"] == "/" or scope["path"].startswith(FREE)
        host = headers.get("host", "")
        if is_loopback(self._settings.host) and not is_loopback(_name(host)):
            return _Refusal(421, "host", "this server answers to localhost only")
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host and origin not in self._settings.origins:
            return _Refusal(403, "origin", "another website may not use this server")
        if not free and not self._buckets.take(scope["client"][0] if scope.get("client") else ""):
            return _Refusal(429, "rate", "too many requests; slow down")
        if not free:
            access = identify(self._settings, headers, scope["query_string"])
            if access is None:
                return _Refusal(401, "token", "this server needs its token: Authorization: Bearer TOKEN")
            if not access.owner and scope["path"] in OWNER_PATHS:
                return _Refusal(403, "role", "only the owner's token opens this")
            scope["mien.access"] = access
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._settings.limits.body_bytes:
            return _Refusal(413, "size", f"the body is larger than {self._settings.limits.body_bytes:,} bytes")
        return None


def _answer(refusal: _Refusal) -> JSONResponse:
    extra = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}, 413: {"Connection": "close"}}
    return JSONResponse({"detail": refusal.detail}, refusal.status, extra.get(refusal.status))


def _place(origin: str) -> str | None:
    """Host and port of an origin; None where it is not one, such as ``http://[``."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str:
    """The host without its port: ``[::1]:8000`` -> ``::1``."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
