"""Live sources: only the newest frame counts, losses are mended, and the end is told."""

from __future__ import annotations

import io
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from recordings import record, squares

from mien.contract.errors import VideoError
from mien.video import camera as room
from mien.video.camera import Camera, Capture, StreamCapture, open_camera
from mien.video.frames import Frame
from mien.video.sources import Note, SourceEnd


def numbered(number: int) -> NDArray[np.uint8]:
    return np.full((4, 4, 3), number, dtype=np.uint8)


class Script:
    """A camera that does as told: a number is a frame, a text is a loss, None waits for more."""

    def __init__(self, *script: int | str) -> None:
        self.steps: queue.Queue[int | str] = queue.Queue()
        self.opened = self.closed = 0
        for step in script:
            self.steps.put(step)

    def open(self) -> Capture:
        self.opened += 1
        return self

    def read(self) -> NDArray[np.uint8]:
        while True:
            try:
                step = self.steps.get(timeout=0.05)
            except queue.Empty:
                if self.closed:
                    raise VideoError("closed") from None
                continue
            if isinstance(step, str):
                raise VideoError(f"camera: {step}")
            return numbered(step)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(room, "JOIN_S", 0.05)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "waited 10 s in vain"
        time.sleep(0.01)


def test_who_is_slow_gets_the_newest_frame() -> None:
    script = Script(1)
    with Camera("camera", script.open) as camera:
        frames = camera.frames()
        first = next(frames)
        assert first.frame_rgb.max() == 1 and first.source == "camera"
        for number in range(2, 50):
            script.steps.put(number)
        wait_for(script.steps.empty)
        time.sleep(0.1)
        newest = next(frames)
        assert newest.frame_rgb.max() == 49
        assert first.t_s is not None and newest.t_s is not None and 0 <= first.t_s < newest.t_s <= camera.now_s()


def test_a_loss_is_mended_and_told() -> None:
    script = Script(1, "unplugged", "still unplugged", 2)
    with Camera("camera", script.open) as camera:
        frames = camera.frames()
        seen = [next(frames).frame_rgb.max()]
        while seen[-1] != 2:
            seen.append(next(frames).frame_rgb.max())
        assert list(camera.notes) == ["camera: lost (unplugged); trying to get it back", "camera: back again"]
    until = time.monotonic() + 10  # the reading thread closes what it has, on a busy machine a little later
    while script.closed < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert script.opened == 3 and script.closed == 3


def test_the_pause_between_tries_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(room, "FIRST_PAUSE_S", 0.5)
    script = Script("gone")

    def refuse() -> Capture:
        if script.opened:
            raise VideoError("camera: gone")
        return script.open()

    real_wait = threading.Event.wait

    def wait(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "mien-camera":
            pauses.append(timeout or 0)
            timeout = 0.001
        return real_wait(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait)
    with Camera("camera", refuse):
        wait_for(lambda: len(pauses) >= 7)
    assert pauses[:7] == [0.5, 1, 2, 4, 8, 10, 10]


def test_a_camera_that_stays_away_is_given_up() -> None:
    script = Script(1, *["unplugged"] * 1000)
    with Camera("camera", script.open, patience_s=0.3) as camera:
        items = list(camera.items())
    assert {type(item) for item in items[:-1]} == {Frame, Note}
    end = items[-1]
    assert isinstance(end, SourceEnd) and str(end.error) == "camera: no picture for 0 s (unplugged); gave up"


def test_a_camera_that_hangs_is_told_and_given_up() -> None:
    with Camera("camera", Script(1).open, patience_s=0.5, stalled_s=0.2) as camera:
        frame, note, end = camera.items()
    assert isinstance(frame, Frame) and isinstance(note, Note) and note.text == "camera: silent for 0 s"
    assert isinstance(end, SourceEnd) and "no picture for" in str(end.error)


def test_stopping_ends_the_frames() -> None:
    script = Script(1)
    with Camera("camera", script.open) as camera:
        frames = camera.items()
        assert isinstance(next(frames), Frame)
        camera.stop()
        assert list(frames) == [SourceEnd("camera")]
        script.steps.put(2)  # so that it no longer waits
    wait_for(lambda: script.closed == 1)


def test_an_absent_camera_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"^camera 63: is not there, or another program uses it$"):
        open_camera(63)
    with pytest.raises(VideoError, match=r"missing\.mp4: no such file$"):
        open_camera(str(tmp_path / "missing.mp4"))
    with pytest.raises(VideoError, match=r"^http://127\.0\.0\.1:9/: nobody answers there$"):
        open_camera("http://127.0.0.1:9/")


def test_a_file_plays_at_its_own_speed_and_again(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", 12)
    with open_camera(str(path)) as camera:
        seen = [frame.t_s for frame, _ in zip(camera.frames(), range(30), strict=False)]
    assert seen[-1] is not None and seen[0] is not None
    assert 0.5 < seen[-1] - seen[0]  # 30 frames of 1/30 s, fewer gaps where it is slow, never faster


def jpeg(index: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(squares(index, (96, 64))).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@contextmanager
def web_camera(after: str, frames: int = 8) -> Iterator[str]:
    """An IP camera that sends MJPEG and then stops, ends, or is no camera at all."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            if after == "text":
                self.wfile.write(b"hello " * 1000)
                return
            for index in range(frames):
                content = jpeg(index)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                self.wfile.write(head.encode() + content + b"\r\n")
                time.sleep(0.03)
            if after == "stalls":
                over.wait(20)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("after", "reason"), [("ends", "the stream ended|broke off"), ("stalls", "does not answer, or stopped sending")]
)
def test_a_stream_that_ends_or_stalls_is_told(after: str, reason: str) -> None:
    with web_camera(after) as url:
        capture = StreamCapture(url, open_s=5, read_s=0.6)
        assert np.abs(capture.read().astype(int) - squares(0)).mean() < 6
        with pytest.raises(VideoError, match=reason) as error:
            for _ in range(20):
                capture.read()
        assert str(error.value).startswith(f"{url}: ")
        capture.close()


def test_a_stream_that_is_no_video_is_told() -> None:
    with web_camera("text") as url, pytest.raises(VideoError, match=f"^{url}: "):
        StreamCapture(url, 5, 1).read()


def test_a_stream_comes_back_after_it_ended() -> None:
    with web_camera("ends", frames=4) as url, open_camera(url) as camera:
        wait_for(lambda: f"{url}: back again" in camera.notes)
        assert camera.notes[0].startswith(f"{url}: lost (the stream ")
        assert next(camera.frames()).frame_rgb.shape == (64, 96, 3)
