"""Limits on connections, below HTTP: who opens many and says nothing cannot keep others out.

    watch = ConnectionWatch(limits)
    uvicorn.Config(app, http=watch.http_protocol(), ws=watch.websocket_protocol())

A connection must send the headers of its request within ``Limits.header_s``. Of connections that have not, each address
may hold ``half_open_each`` and all together ``half_open``; beyond that the one that has waited longest is closed. The
newest is always let in, so health checks get through a flood, and the number of open files stays bounded. A WebSocket
whose client reads nothing, or has gone without a word, is cut off after ``ping_s`` + ``ping_s``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from mien.serve.settings import Limits


class ConnectionWatch:
    """Knows the open connections of one server, oldest first.

    Args:
        limits: how long headers may take, and how many connections may wait for them.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open = 0
        self.closed: Counter[str] = Counter()
        self._half_open: dict[Any, str] = {}  # in the order in which they came

    def waits(self, protocol: Any, address: str) -> None:
        """A connection whose headers are still to come."""
        self._half_open.pop(protocol, None)
        self._half_open[protocol] = address
        mine = [each for each, owner in self._half_open.items() if owner == address]
        if len(mine) > self.limits.half_open_each:
            self.close(mine[0], "half_open")
        elif len(self._half_open) > self.limits.half_open:
            self.close(next(iter(self._half_open)), "half_open")

    def arrived(self, protocol: Any) -> None:
        """Its headers are there, or it has gone."""
        self._half_open.pop(protocol, None)

    def close(self, protocol: Any, reason: str) -> None:
        """Close a connection at once."""
        self._half_open.pop(protocol, None)
        self.closed[reason] += 1
        protocol.transport.abort()

    def http_protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's HTTP protocol with these limits."""
        watch = self

        class Watched(H11Protocol):
            """One connection."""

            _timer: asyncio.TimerHandle | None = None

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                watch.open += 1
                self._wait()

            def connection_lost(self, exc: Exception | None) -> None:
                watch.open -= 1
                self._rest()
                super().connection_lost(exc)

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                if self.transport.get_protocol() is not self:  # a WebSocket now
                    watch.open -= 1
                    self._rest()
                elif self.cycle is not None and not self.cycle.response_complete:
                    self._rest()
                elif self._timer is None:
                    self._wait()

            def _wait(self) -> None:
                peer = self.transport.get_extra_info("peername")
                self._timer = self.loop.call_later(watch.limits.header_s, watch.close, self, "slow_headers")
                watch.waits(self, str(peer[0]) if peer else "")

            def _rest(self) -> None:
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
                watch.arrived(self)

        return Watched

    def websocket_protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's WebSocket protocol, which cuts off clients that answer no ping."""
        watch = self

        class Watched(WebSocketsSansIOProtocol):
            """One connection."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                watch.open += 1

            def connection_lost(self, exc: Exception | None) -> None:
                watch.open -= 1
                super().connection_lost(exc)

            def keepalive_timeout(self) -> None:
                super().keepalive_timeout()
                watch.closed["no_pong"] += 1
                self.transport.abort()  # closing would wait until the client has read what is on its way

        return Watched


class QuietLog(logging.Filter):
    """Keeps a client's mistakes out of the log: a traceback for each would let strangers fill the disk."""

    MISTAKES = ("Invalid UTF-8", "without completing handshake", "Invalid HTTP request", "opening handshake failed")

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line about a client's mistake."""
        # After a malformed body uvicorn has answered 400 itself; the application's own answer then has no place.
        # A connection that is cancelled while the server stops is no error either.
        if record.exc_info and isinstance(record.exc_info[1], LocalProtocolError | asyncio.CancelledError):
            return False
        return not any(mistake in record.getMessage() for mistake in self.MISTAKES)


def quiet_logs() -> None:
    """Keep clients' mistakes out of the logs of uvicorn and of the parser of forms."""
    logging.getLogger("uvicorn.error").addFilter(QuietLog())
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
