"""Random requests and WebSocket messages, from a seed: no answer of 500 or above, no traceback, and the server lives.

MIEN_FUZZ=10000 python -m pytest tests/serve/test_fuzz.py         # a long run
"""

from __future__ import annotations

import http.client
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Process, picture

CASES = int(os.environ.get("MIEN_FUZZ", "300"))
SEED = os.environ.get("MIEN_FUZZ_SEED", "7")
HANG_S = 5

PATHS = (
    "/", "/v1/recognize", "/v1/recognize/batch", "/v1/sessions", "/v1/sessions/1", "/v1/sessions/1/timeline",
    "/v1/sessions/1/export", "/v1/days", "/v1/access", "/analytics", "/reset", "/health", "/healthz", "/readyz",
    "/metrics", "/docs", "/openapi.json", "/page/main.js", "/page/../main.py", "/v1/live", "/v1/watch",
    "/nowhere",
)  # fmt: skip
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW")
HEADERS = (
    "Origin", "Host", "Authorization", "Mien-Visitor", "Content-Type", "Content-Length", "Transfer-Encoding",
    "Range", "Upgrade", "Connection", "Accept-Encoding", "If-None-Match", "If-Modified-Since",
    "X-Forwarded-For", "Cookie", "Expect", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
)  # fmt: skip
VALUES = (
    b"http://[", b"http://]", b"//", b"null", b"127.0.0.1", b"[::1", b"a" * 3000, b"\xff\xfe", b"Bearer",
    b"Bearer \xe4",
    b"multipart/form-data", b"multipart/form-data; boundary=x", b"image/png", b"text/html; charset=\xff", b"-1",
    b"0x10",
    b"18446744073709551616", b"chunked", b"gzip, chunked", b"bytes=5-1", b"bytes=0-0,-1", b"websocket",
    b"Upgrade", b"13",
    b"dGhlIHNhbXBsZSBub25jZQ==", b"permessage-deflate", b"Thu, 99 Foo 2026", b'"', b"a=b; c", b"100-continue", b"\t",
)  # fmt: skip
QUERIES = (
    "limit=1e9", "offset=-1", "step_s=0", "track_id=9223372036854775808", "format=exe", "first=2026-13-01",
    "first=9999-12-31", "token=%00", "visitor=%FF", "keep=perhaps", "baseline_s=nan", "baseline_s=1e400",
    "source=%0A", "%", "=", "&&&", "a[]=%c3%28",
)  # fmt: skip
COMMANDS = (
    b"", b"{", b'{"type": "reset"}', b'{"type": ["relearn"]}', b"null", b"[" * 5000, b"\xff\xfe", b"1e999",
    b'{"type": NaN}',
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    db = tmp_path_factory.mktemp("store") / "mood.db"
    process = Process("--model", tiny_model, "--detector", "none", "--db", db)
    yield process
    process.stop()
    assert [line for line in process.said[1:] if not line.startswith("history, never images")] == []


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, cut or doubled."""
    parts = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(parts) + 1)
        match rng.randrange(3):
            case 0 if at < len(parts):
                parts[at] = rng.randrange(256)
            case 1:
                del parts[at : at + rng.randrange(1, 40)]
            case _:
                parts[at:at] = parts[at : at + rng.randrange(1, 40)]
    return bytes(parts)


def http_case(rng: random.Random) -> bytes:
    """A request that is almost right."""
    path = rng.choice(PATHS)
    if rng.random() < 0.5:
        path += "?" + "&".join(rng.sample(QUERIES, rng.randrange(1, 4)))
    body = mutated(rng, picture(rng.randrange(256))) if rng.random() < 0.4 else b""
    headers = {"Host": b"127.0.0.1", "Content-Length": str(len(body)).encode()}
    if body:
        headers["Content-Type"] = rng.choice((b"image/png", b"multipart/form-data; boundary=x"))
    for name in rng.sample(HEADERS, rng.randrange(3)):
        headers[name] = rng.choice(VALUES)
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers.items())
    request = f"{rng.choice(METHODS)} {path} HTTP/1.1\r\n".encode() + lines + b"Connection: close\r\n\r\n" + body
    return mutated(rng, request) if rng.random() < 0.1 else request


def websocket_case(rng: random.Random) -> bytes:
    """A handshake and some messages, good and bad."""
    handshake = (
        b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    frames = b""
    for _ in range(rng.randrange(1, 5)):
        if rng.random() < 0.5:
            kind, data = 0x81, rng.choice(COMMANDS)
        else:
            kind, data = 0x82, mutated(rng, b"mien" + bytes(12) + picture(rng.randrange(256)))
        kind = rng.randrange(256) if rng.random() < 0.1 else kind
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + len(data).to_bytes(2, "big")
        frames += bytes([kind]) + length + bytes(4) + data
    return handshake + frames


def answer_to(port: int, request: bytes) -> bytes:
    """Everything that the server answers; TimeoutError where it takes too long."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=HANG_S) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:  # it may hang up on nonsense
            pass
    return answer


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_no_request_breaks_the_server(server: Process, kind: str) -> None:
    rng = random.Random(f"{kind} {SEED}")
    for number in range(CASES):
        request = http_case(rng) if kind == "http" else websocket_case(rng)
        answer = answer_to(server.port, request)
        status = answer[9:12]
        assert not status.startswith(b"5") or status == b"501", f"case {number}: {request[:400]!r} -> {answer[:200]!r}"
        assert b"Traceback" not in answer
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/readyz")
    assert connection.getresponse().status == 200
    connection.close()
