"""``mien serve`` as a process: signals, sockets that misbehave, kill -9, large uploads, wrong starts."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Process, picture

from mien.contract.errors import MienError
from mien.serve.asgi import run
from mien.serve.settings import ServerSettings

websockets = pytest.importorskip("websockets", reason="comes with mien[serve]")

Start = Callable[..., Process]


def get(server: Process, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return json.loads(body) if answer.headers["content-type"].startswith("application/json") else body.decode()


def metric(server: Process, name: str) -> float:
    match = re.search(rf"^{re.escape(name)} (\S+)$", get(server, "/metrics"), re.M)
    return float(match[1]) if match else 0.0


def settled(server: Process, name: str, value: float, seconds: float = 10.0) -> None:
    """Wait until a figure has a value."""
    end = time.monotonic() + seconds
    while metric(server, name) != value:
        assert time.monotonic() < end, f"{name} stays {metric(server, name)}, expected {value}"
        time.sleep(0.05)


def live(server: Process, query: str = "") -> Any:
    return websockets.connect(f"ws://127.0.0.1:{server.port}/v1/live{query}", open_timeout=20, close_timeout=5)


def rows(db: Path) -> int:
    with contextlib.closing(sqlite3.connect(db)) as connection:
        return int(connection.execute("SELECT coalesce(sum(n), 0) FROM seconds").fetchone()[0])


def test_sigterm_tells_clients_and_saves(start: Start, tmp_path: Path) -> None:
    server = start("--db", tmp_path / "mood.db")

    async def client() -> tuple[int, int]:
        async with live(server, "?keep=true") as socket_:
            await socket_.recv()
            answers = 0
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    await socket_.send(picture(255))
                    await socket_.recv()
                    answers += 1
                    if answers == 5:
                        os.kill(server.process.pid, signal.SIGTERM)
            return answers, socket_.close_code

    answers, code = asyncio.run(client())
    status = server.stop()
    assert code == 1012  # the server restarts; try again
    assert status in (0, -signal.SIGTERM) and "Traceback" not in "\n".join(server.said[1:]), server.said
    with contextlib.closing(sqlite3.connect(tmp_path / "mood.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sessions WHERE ended IS NOT NULL").fetchone() == (1,)
    assert answers <= rows(tmp_path / "mood.db") <= answers + 1  # the last frame's answer may not have been read


def test_kill_9_loses_at_most_the_second_it_was_in(start: Start, tmp_path: Path) -> None:
    server = start("--db", tmp_path / "mood.db")

    async def client() -> list[float]:
        """Frames for four seconds, then the end; the wall-clock times of the answers."""
        answered: list[float] = []
        async with live(server, "?keep=true") as socket_:
            await socket_.recv()
            while not answered or answered[-1] - answered[0] < 4:
                await socket_.send(picture(255))
                await socket_.recv()
                answered.append(time.time())
                await asyncio.sleep(0.03)
            os.kill(server.process.pid, signal.SIGKILL)
        return answered

    answered = asyncio.run(client())
    server.stop(signal.SIGKILL)
    with contextlib.closing(sqlite3.connect(tmp_path / "mood.db")) as connection:
        last = connection.execute("SELECT max(second) + 1 FROM seconds").fetchone()[0]
    assert answered[-1] - last <= 1.0 + 0.3  # the second that was not over, and a frame's way
    again = start("--db", tmp_path / "mood.db")
    (session,) = get(again, "/v1/sessions")
    assert session["ended"] == session["recorded_until"] is not None  # and not "running" for ever


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Process]:
    """One that the following tests share: none of them may harm it."""
    process = Process("--model", tiny_model, "--detector", "none", "--no-history")
    yield process
    process.stop()
    assert not [line for line in process.said[1:] if "Traceback" in line or "Error" in line], process.said


def test_clients_that_vanish_or_never_speak_leave_nothing_behind(server: Process) -> None:
    key = "GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    open_sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
    for each in open_sockets:
        each.sendall(key.encode())
        assert b"101" in each.recv(1000)
    settled(server, "mien_live_clients", 12)
    frame = picture(128)
    head = b"\x82" + struct.pack("!B", 0x80 | 126) + struct.pack("!H", len(frame)) + bytes(4)  # masked with zeros
    for number, each in enumerate(open_sockets):
        if number % 3 == 0:
            each.sendall(head + frame[: len(frame) // 2])  # half a frame
        elif number % 3 == 1:
            each.sendall(head + frame)  # a frame whose answer nobody takes
        else:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # the cable is cut
        each.close()
    settled(server, "mien_live_clients", 0)
    assert metric(server, "mien_waiting") == 0
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]  # and send nothing at all
    assert get(server, "/healthz")["status"] == "ok"
    for each in silent:
        each.close()


def test_a_client_that_does_not_read_holds_nobody_up(server: Process) -> None:

    async def talk() -> int:
        async with live(server) as deaf, live(server) as other:
            await deaf.recv(), await other.recv()
            deaf.transport.pause_reading()
            answers = 0
            for _ in range(12):
                await deaf.send(picture(0))
                await other.send(picture(255))
                answers += json.loads(await other.recv())["faces"][0]["emotion"] == "neutral"
            deaf.transport.resume_reading()
            return answers

    assert asyncio.run(talk()) == 12


def test_a_frame_that_is_too_large_ends_the_stream(server: Process) -> None:

    async def talk() -> int:
        async with live(server) as socket_:
            await socket_.recv()
            with contextlib.suppress(websockets.ConnectionClosed):
                await socket_.send(bytes(3_000_000))
                await socket_.recv()
            await socket_.wait_closed()
            return int(socket_.close_code)

    assert asyncio.run(talk()) == 1009
    settled(server, "mien_live_clients", 0)


@pytest.mark.parametrize("stated", [True, False], ids=["with its length", "chunked"])
def test_100_megabytes_are_refused_without_being_kept(server: Process, stated: bool) -> None:
    import psutil

    refused = metric(server, 'mien_requests_total{status="413"}')
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = b"POST /v1/recognize HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        head += b"Content-Length: 100000000\r\n\r\n" if stated else b"Transfer-Encoding: chunked\r\n\r\n"
        chunk = bytes(1 << 20)
        connection.sendall(head)
        with contextlib.suppress(ConnectionError):  # it does not have to listen to the end
            for _ in range(100):
                connection.sendall(chunk if stated else b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
    settled(server, 'mien_requests_total{status="413"}', refused + 1)
    assert process.memory_info().rss - before < 60_000_000  # 20 MB are read before a body without a length is too long


def test_a_slow_body_is_given_up(monkeypatch: pytest.MonkeyPatch, serve: Any) -> None:
    from mien.serve import limits

    monkeypatch.setattr(limits, "BODY_S", 0.2)

    async def run(app: Any) -> int:
        sent: list[Any] = []
        first = asyncio.Event()

        async def receive() -> Any:
            if not first.is_set():
                first.set()
                return {"type": "http.request", "body": b"x", "more_body": True}
            await asyncio.sleep(30)

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"image/png")]
        scope = {"type": "http", "method": "POST", "path": "/v1/recognize", "headers": headers, "query_string": b""}
        scope |= {"http_version": "1.1", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1), "server": None}
        await app(scope, receive, send)
        return int(sent[0]["status"])

    with serve() as client:
        assert client.portal.call(run, client.app) == 408


def test_wrong_starts_are_one_line(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.db").write_text("dear diary, " * 100)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"port": port}, rf"^cannot listen on 127\.0\.0\.1:{port}; is it in use\?$"),
            ({"model": "nothing"}, "^no model 'nothing': not a file, and not one of the models here"),
            ({"db": tmp_path / "diary.db"}, r"diary\.db: this is not a store of mien, or it is damaged$"),
            ({"camera": str(tmp_path / "none.mp4")}, r"none\.mp4: no such file$"),
            ({"detector": "eyes"}, "^unknown detector 'eyes'"),
        ]
        for settings, text in wrong:
            with pytest.raises(MienError, match=text):
                run(ServerSettings(**{"model": tiny_model, "detector": "none", "port": 0, **settings}))


def test_https(start: Start, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject]
    subprocess.run(made, check=True, capture_output=True)
    server = start("--certificate", certificate, "--key", key, "--no-history")
    assert server.url.startswith("https://")
    trusting = ssl.create_default_context(cafile=str(certificate))
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting)) as connection:
        connection.request("GET", "/readyz")
        assert json.loads(connection.getresponse().read())["status"] == "ready"
    key.write_text("no key")
    with pytest.raises(MienError, match=r"cert\.pem: no certificate and key that can be used"):
        run(ServerSettings(port=0), certificate, key)


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", "--token", "short", "--no-history"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "mien: expected a token of at least 16 characters; leave it out to have one made\n"


def test_beyond_loopback_a_token_is_made_and_printed_and_never_logged(start: Start) -> None:
    server = start("--host", "0.0.0.0", "--no-history")
    token = server.page.partition("#token=")[2]
    assert len(token) == 32
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/metrics")
    assert connection.getresponse().status == 401
    connection.close()
    assert get(server, f"/v1/access?token={token}")["role"] == "visitor"

    async def talk() -> None:
        async with live(server, f"?token={token}") as socket_:
            assert json.loads(await socket_.recv())["type"] == "hello"

    asyncio.run(talk())
    server.stop()
    assert "127.0.0.1" not in server.said[0]  # other machines can use the first address
    (owner,) = (line for line in server.said if line.startswith("only for you"))
    assert owner.split()[-1].startswith("http://127.0.0.1:") and owner.partition("#token=")[2] != token
    assert len([line for line in server.said if token in line]) == 2  # each address once, and no log
    assert any("--certificate" in line for line in server.said[1:])
