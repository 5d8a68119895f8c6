"""Connections that say nothing, say it slowly, or never read; and what is written to the log about them."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from serving import Process, picture

from mien.serve.asgi import Server, create_app
from mien.serve.connections import ConnectionWatch
from mien.serve.settings import Limits, ServerSettings

HANDSHAKE = (
    "GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def port(tiny_model: Path) -> Iterator[int]:
    """A server in a thread with short limits."""
    limits = Limits(header_s=1.0, ping_s=0.5, half_open_each=50, half_open=80)
    app = create_app(ServerSettings(model=tiny_model, detector="none", limits=limits))
    watch: ConnectionWatch = app.state.connections
    config = uvicorn.Config(
        app,
        port=0,
        http=watch.http_protocol(),
        ws=watch.websocket_protocol(),
        ws_ping_interval=limits.ping_s,
        ws_ping_timeout=limits.ping_s,
        log_level="warning",
    )
    ready = threading.Event()
    server = Server(config, app, lambda *urls: ready.set())
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(60)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(30)


def health(port: int) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/healthz")
        return str(json.loads(connection.getresponse().read())["status"])


def gone(connection: socket.socket, seconds: float) -> bool:
    """Whether the server closes a connection within so many seconds."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_slow_headers_are_given_up(port: int, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(start)
        began = time.monotonic()
        assert gone(connection, 10) and time.monotonic() - began < 5


def test_slow_headers_of_a_second_request_are_given_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /he")
        assert gone(connection, 4)


def test_a_slow_answer_is_no_slow_request(port: int) -> None:
    """A WebSocket and a request whose body comes slowly live longer than the limit for headers."""
    with socket.create_connection(("127.0.0.1", port)) as stream, socket.create_connection(("127.0.0.1", port)) as post:
        stream.sendall(HANDSHAKE.encode())
        assert b"101" in stream.recv(1000)
        image = picture(255)
        head = (
            f"POST /v1/recognize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(image)}"
        )
        post.sendall(head.encode() + b"\r\n\r\n" + image[:20])
        for _ in range(6):  # answer pings for 1.8 s
            time.sleep(0.3)
            stream.sendall(b"\x8a\x84" + bytes(4) + (stream.recv(65536).rpartition(b"\x89\x04")[2][:4] or bytes(4)))
        post.sendall(image[20:])
        assert post.recv(65536).startswith(b"HTTP/1.1 200")


def test_health_answers_in_a_flood_of_half_open_connections(port: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 5000), hard))
    flood: list[socket.socket] = []
    try:
        for number in range(2000):
            flood.append(socket.create_connection(("127.0.0.1", port)))
            flood[-1].sendall(b"GET / HTTP/1.1\r\n")
            if number % 400 == 399:
                began = time.monotonic()
                assert health(port) == "ok" and time.monotonic() - began < 10  # a blocked server answers never
    finally:
        for each in flood:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_that_does_not_read_loses_its_place(port: int) -> None:
    """It is cut off after two pings' time, not when the system's buffers are full."""
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(HANDSHAKE.encode())
        assert b"101" in deaf.recv(1000)
        end = time.monotonic() + 5
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as asking:
            while True:
                asking.request("GET", "/readyz")
                if not json.loads(asking.getresponse().read())["live_clients"]:
                    break
                assert time.monotonic() < end
                time.sleep(0.1)


def test_mistakes_of_clients_leave_the_log_empty(start: Callable[..., Process]) -> None:
    server = start("--no-history")
    bad_text = b"\x81\x82" + bytes(4) + b"\xff\xfe"
    messages = {
        "bad UTF-8": HANDSHAKE.encode() + bad_text,
        "no key": HANDSHAKE.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "").encode(),
        "old version": HANDSHAKE.replace("Version: 13", "Version: 7").encode(),
        "unmasked": HANDSHAKE.encode() + b"\x82\x02ab",
        "reserved": HANDSHAKE.encode() + b"\xff\x80" + bytes(4),
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
        "refused": HANDSHAKE.replace("Host: 127.0.0.1", "Host: evil.example").encode(),
        "parameter": HANDSHAKE.replace("/v1/live", "/v1/live?keep=perhaps").encode(),
        "nowhere": HANDSHAKE.replace("/v1/live", "/v1/nowhere").encode(),
    }
    for _, message in messages.items():
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(message)
            connection.settimeout(0.5)
            with contextlib.suppress(OSError):
                while connection.recv(65536):
                    pass
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert health(server.port) == "ok"
    server.stop(signal.SIGTERM)
    assert server.said[1:] == []


def test_one_address_cannot_take_all_live_places(tiny_model: Path, serve: Callable[..., object]) -> None:
    from serving import LIVE
    from starlette.websockets import WebSocketDisconnect

    with serve(limits=Limits(live_clients=5, live_clients_each=1)) as client:  # type: ignore[attr-defined]
        with client.websocket_connect(LIVE) as live:
            assert live.receive_json()["type"] == "hello"
            with client.websocket_connect(LIVE) as second, pytest.raises(WebSocketDisconnect) as refused:
                second.receive_json()
            assert refused.value.code == 1013


def test_a_stop_in_the_middle_of_a_request_leaves_no_traceback(start: Callable[..., Process]) -> None:
    """The server waits some seconds for requests under way, then cancels them: that is no error of the program."""
    server = start("--no-history")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as half:
        half.sendall(
            b"POST /v1/recognize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            b"Content-Length: 9999\r\n\r\nhalf"
        )
        time.sleep(1.0)  # until the handler waits for the rest
        server.stop()
    assert [line for line in server.said[1:] if "Traceback" in line or "CancelledError" in line] == []
