"""Who may come in, before anything is read: host, origin, rate, token, size; and the headers of every answer.

    app = Guard(app, settings, metrics)

A web page elsewhere must not use a server on the visitor's own machine: its Origin is refused, and so is a name that
was pointed at 127.0.0.1 (DNS rebinding). Beyond loopback every request needs the token, as ``Authorization: Bearer``
or, where a browser cannot set headers (WebSocket, <img>), as ``?token=``; the page itself holds no secret and is free.

Not here: TLS, which is uvicorn's (``mien serve --certificate``).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from mien.serve.limits import Buckets, bounded
from mien.serve.prometheus import Metrics
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

FREE = ("/healthz", "/readyz", "/page/")
"""What needs no token: whether the server lives, and the page's own files."""


@dataclass(frozen=True)
class _Refusal:
    status: int
    reason: str
    detail: str


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
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

        async def dressed(message: Message) -> None:
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
        if origin is not None and urlsplit(origin).netloc != host and origin not in self._settings.origins:
            return _Refusal(403, "origin", "another website may not use this server")
        if not free and not self._buckets.take(scope["client"][0] if scope.get("client") else ""):
            return _Refusal(429, "rate", "too many requests; slow down")
        if not free and not self._knows(scope, headers):
            return _Refusal(401, "token", "this server needs its token: Authorization: Bearer TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._settings.limits.body_bytes:
            return _Refusal(413, "size", f"the body is larger than {self._settings.limits.body_bytes:,} bytes")
        return None

    def _knows(self, scope: Scope, headers: Headers) -> bool:
        expected = self._settings.token
        if expected is None:
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(shown.strip().encode(), expected.encode())


def _answer(refusal: _Refusal) -> JSONResponse:
    extra = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}, 413: {"Connection": "close"}}
    return JSONResponse({"detail": refusal.detail}, refusal.status, extra.get(refusal.status))


def _name(host: str) -> str:
    """The host without its port: ``[::1]:8000`` -> ``::1``."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
