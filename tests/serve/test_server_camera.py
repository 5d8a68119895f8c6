"""The server's own camera, in the published backend's terms: feed, analytics, reset, health; and the example on top."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import runpy
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import LIVE, Process, Serve, picture

from mien.mood import NOTE

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of white at 10 frames a second, which the tiny model reads as neutral."""
    av = pytest.importorskip("av", reason="comes with mien[serve]")
    path = tmp_path_factory.mktemp("film") / "white.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(20):
            white = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 255, dtype=np.uint8), format="rgb24")
            for packet in stream.encode(white):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_analytics_of_the_camera(serve: Serve, film: Path, tmp_path: Path) -> None:
    with serve(camera=str(film), db=tmp_path / "mood.db") as client:
        until(lambda: len(client.get("/analytics").json()["history"]) >= 12)
        document = client.get("/analytics").json()
        assert document["current_emotion"] == "neutral" and document["source"] == "camera"
        assert document["confidence"] == document["history"][-1]["confidence"] > 0.4
        assert document["distribution"] == {"neutral": 1.0} and document["stress_level"] == "low"
        assert document["stress_note"] == NOTE and len(document["history"]) <= 30
        times = [face["t_s"] for face in document["history"]]
        assert times == sorted(times)
        assert client.get("/readyz").json()["camera_runs"] is True
        health = client.get("/health").json()
        assert health["status"] == "healthy" and health["camera"]["frames"] >= 12

        assert client.post("/reset").json() == {"status": "reset"}
        assert len(client.get("/analytics").json()["history"]) < 12
    with serve(db=tmp_path / "mood.db") as client:  # the operator's camera is kept
        (session,) = client.get("/v1/sessions").json()
        assert session["source"] == "camera" and session["person_s"] >= 1 and session["ended"]


def test_feed(film: Path, start: Callable[..., Process]) -> None:
    server = start("--camera", film, "--no-history")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("GET", "/video_feed")
        with connection.getresponse() as answer:
            kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
            assert kind == "multipart/x-mixed-replace"
            for _ in range(2):
                assert answer.readline().decode().strip() == f"--{boundary}"
                assert answer.readline() == b"Content-Type: image/jpeg\r\n"
                length = int(answer.readline().removeprefix(b"Content-Length: "))
                assert answer.readline() == b"\r\n"
                image = np.asarray(Image.open(io.BytesIO(answer.read(length))).convert("RGB"))
                assert image.shape == (64, 96, 3)
                assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20  # white, and what was drawn on it
                assert answer.readline() == b"\r\n"
            assert server.stop() in (0, -15)  # a viewer does not hold it up


def test_no_camera(serve: Serve) -> None:
    with serve() as client:
        answer = client.get("/video_feed")
        assert answer.status_code == 404 and "--camera" in answer.json()["detail"]
        assert client.get("/analytics").status_code == 404 and client.post("/reset").status_code == 404


def test_analytics_of_a_browser(serve: Serve) -> None:
    with serve() as client, client.websocket_connect(f"{LIVE}?baseline_s=0") as live:
        live.receive_json()
        assert client.get("/analytics").json()["current_emotion"] is None
        for level in [0] * 11 + [255]:
            live.send_bytes(picture(level))
            live.receive_json()
        document = client.get("/analytics").json()
        assert document["current_emotion"] == "neutral" and document["stress_level"] == "high"  # 11 of 12 were angry
        assert document["distribution"] == {"angry": 0.9167, "neutral": 0.0833}
        low, high = document["stress_interval"]
        assert low <= document["stress_index"] <= high


def test_passwords_of_cameras_are_not_told(serve: Serve, film: Path) -> None:
    with serve(camera=str(film)) as client:
        feed = client.app.state.mien.camera
        feed._source.notes.append("rtsp://user:secret@192.0.2.1/stream: lost (nobody answers); trying to get it back")
        assert feed.status()["notes"][-1].startswith("rtsp://192.0.2.1/stream: lost")


@pytest.fixture
def sender(start: Callable[..., Process]) -> Iterator[Process]:
    """A server with a live client that shows black, then white, then black …"""
    connect = pytest.importorskip("websockets.sync.client").connect
    server = start("--no-history")
    over = threading.Event()

    def send() -> None:
        with connect(f"ws://127.0.0.1:{server.port}/v1/live?source=desk") as live:
            live.recv()
            while not over.is_set():
                live.send(picture(0 if time.monotonic() % 4 < 2 else 255))
                json.loads(live.recv())
                time.sleep(0.05)

    thread = threading.Thread(target=send)
    thread.start()
    yield server
    over.set()
    thread.join(10)


def test_example(sender: Process, capsys: pytest.CaptureFixture[str]) -> None:
    example: dict[str, Any] = runpy.run_path(str(REPOSITORY / "examples" / "moodquest.py"))
    example["main"](f"ws://127.0.0.1:{sender.port}/v1/watch?source=desk", changes=2)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("desk, person 1: ") and first.endswith("index not known yet (not a diagnosis)")
    assert first != second
