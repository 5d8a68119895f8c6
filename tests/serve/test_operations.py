"""What an operator sees: metrics, HEAD, the API's page, camera failures with their cause, and no passwords."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import LIVE, Serve, picture

from mien.contract.errors import VideoError
from mien.contract.urls import without_password
from mien.video.camera import Camera, open_camera


def test_metrics(serve: Serve) -> None:
    with serve() as client:
        with client.websocket_connect(LIVE) as live:
            live.receive_json()
            live.send_bytes(picture(1))
            live.receive_json()
        client.post("/v1/recognize", content=picture(9), headers={"content-type": "image/png"})
        text = client.get("/metrics").text
        for line in (
            'mien_decode_seconds_count{kind="frame"} 1.0',
            'mien_decode_seconds_count{kind="photo"} 1.0',
            'mien_search_seconds_count{kind="photo"} 1.0',
            "mien_classify_seconds_count 2.0",
            'mien_queue_age_seconds{kind="frame"} 0.0',
            "mien_open_sockets 0.0",
            "mien_store_errors_total 0.0",
            'mien_frames_total{outcome="answered"} 1.0',
        ):
            assert line in text, line


def test_the_age_of_the_queue(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve() as client:
        engine = client.app.state.mien.engine
        slow, go = engine._photo_decoder.decode, threading.Event()
        monkeypatch.setattr(engine._photo_decoder, "decode", lambda *given: (go.wait(10), slow(*given))[1])
        post = {"content": picture(9), "headers": {"content-type": "image/png"}}
        posting = threading.Thread(target=lambda: client.post("/v1/recognize", **post))
        posting.start()
        while not engine.photos_waiting:
            time.sleep(0.01)
        time.sleep(0.1)
        text = client.get("/metrics").text
        go.set()
        posting.join()
        (age,) = (line for line in text.splitlines() if line.startswith('mien_queue_age_seconds{kind="photo"}'))
        assert 0.1 <= float(age.split()[1]) < 10 and "mien_photos_waiting 1.0" in text


@pytest.mark.parametrize("path", ["/", "/health", "/healthz", "/readyz", "/metrics", "/page/main.js", "/docs"])
def test_head(serve: Serve, path: str) -> None:
    with serve() as client:
        head, get = client.head(path), client.get(path)
        assert head.status_code == 200 and head.content == b"" and get.content
        assert head.headers["content-type"] == get.headers["content-type"]
        assert client.head("/nowhere").status_code == 404 and client.head("/video_feed").status_code == 405


def test_the_api_is_described_without_other_peoples_servers(serve: Serve) -> None:
    with serve(token="a-token-of-twenty-four-c", owner_token="another-token-of-24-chars", host="0.0.0.0") as client:
        page = client.get("/docs")
        assert page.status_code == 200 and "<script" not in page.text and "://" not in page.text
        for words in ("/v1/recognize/batch", "/v1/live", "application/octet-stream", "429 Too many requests"):
            assert words in page.text
        headers = {"authorization": "Bearer a-token-of-twenty-four-c"}
        document = client.get("/openapi.json", headers=headers).json()
        assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        assert document["security"] and document["paths"]["/healthz"]["get"]["security"] == []


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("rtsp://anna:secret@192.0.2.1:554/a", "rtsp://192.0.2.1:554/a"),
        ("rtsp://anna:p@ss@192.0.2.1/a: lost", "rtsp://192.0.2.1/a: lost"),
        ("http://cam/video?user=anna&password=secret&channel=1", "http://cam/video?user=…&password=…&channel=1"),
        ("write to a@b.example or http://c.example/d", "write to a@b.example or http://c.example/d"),
    ],
)
def test_passwords_are_cut_out(text: str, clean: str) -> None:
    assert without_password(text) == clean


def test_the_error_of_a_camera_names_no_password() -> None:
    pytest.importorskip("av", reason="comes with mien[video]")
    with pytest.raises(VideoError) as refused:
        open_camera("rtsp://anna:secret@127.0.0.1:9/stream")
    assert "secret" not in str(refused.value) and str(refused.value).startswith("rtsp://127.0.0.1:9/stream: ")


class Breaks:
    """A capture whose third read meets an error that nobody expected."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self) -> Any:
        self.reads += 1
        if self.reads > 2:
            raise ZeroDivisionError("a defect in a driver")
        time.sleep(0.02)
        return np.full((8, 8, 3), 255, dtype=np.uint8)

    def close(self) -> None:
        pass


def test_a_camera_thread_that_breaks_ends_the_stream_with_its_cause() -> None:
    camera = Camera("desk", Breaks)
    with camera, pytest.raises(VideoError, match=r"^desk: cannot be read any more \(ZeroDivisionError: a defect"):
        for _ in camera.frames():
            pass


def until(condition: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


@pytest.fixture
def broken(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    from mien.serve import server_camera

    monkeypatch.setattr(server_camera, "open_camera", lambda name, patience_s, insecure: Camera("desk", Breaks))
    with serve(camera="0") as client:
        yield client


def test_the_servers_camera_tells_why_it_stopped(broken: Any) -> None:
    def notes() -> list[str]:
        return list(broken.get("/health").json()["camera"]["notes"])

    until(notes)
    assert "the camera has stopped: desk: cannot be read any more (ZeroDivisionError" in notes()[-1]
    assert broken.get("/readyz").json()["camera_runs"] is False


def test_notes_that_come_while_they_are_read(serve: Serve, broken: Any) -> None:
    """A deque that one thread reads and another extends must not break the health check."""
    feed = broken.app.state.mien.camera
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            feed._source.notes.append("back again")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(3000):
            feed.status()
    finally:
        over.set()
        thread.join()
