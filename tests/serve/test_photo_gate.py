"""Photos give way to live frames, never starve, and never hold up the end of the server."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from serving import LIVE, Serve, picture

from mien.contract.results import FrameResult
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer
from mien.serve import engine as engine_module
from mien.serve.engine import Engine
from mien.serve.photo_gate import PhotoGate, Stopping
from mien.serve.prometheus import ServerMetrics
from mien.serve.settings import Limits

LONG_S = 60.0
PNG = {"content-type": "image/png"}
WHOLE_NN = np.array([[0.0, 0.0, 64.0, 48.0]])


class Photos:
    """A detector of several steps, which notes what happens; each search may be held up."""

    name = "none"

    def __init__(self, steps: int = 5) -> None:
        self.steps = steps
        self.begun: list[int] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.live: Callable[[], int] = lambda: 0

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        return Detections(WHOLE_NN)

    def detect_in_steps(self, frame_rgb: NDArray[np.uint8], before_step: Callable[[], None]) -> Detections:
        for _ in range(self.steps):
            before_step()
            self.begun.append(self.live())
            self.began.set()
            assert self.go_on.wait(LONG_S)
        return Detections(WHOLE_NN)


def _in_a_thread(call: Callable[[], None]) -> tuple[threading.Thread, list[str]]:
    ended: list[str] = []

    def run() -> None:
        try:
            call()
            ended.append("went on")
        except Stopping:
            ended.append("stopped")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, ended


def test_a_step_waits_for_the_live_frames_and_only_for_them() -> None:
    gate = PhotoGate(LONG_S)
    gate.wait()  # nobody is there
    with gate.live():
        with gate.live():
            thread, ended = _in_a_thread(gate.wait)
        thread.join(0.1)
        assert thread.is_alive()  # one of two has left
    thread.join(LONG_S / 2)
    assert ended == ["went on"]


def test_photos_do_not_starve() -> None:
    gate = PhotoGate(0.01)
    with gate.live():
        thread, ended = _in_a_thread(lambda: [gate.wait() for _ in range(3)] and None)
        thread.join(LONG_S)
        assert ended == ["went on"]


def test_a_stop_ends_the_waiting() -> None:
    gate = PhotoGate(LONG_S)
    with gate.live():
        thread, ended = _in_a_thread(gate.wait)
        gate.close()
        thread.join(LONG_S / 2)
    assert ended == ["stopped"]
    with pytest.raises(Stopping):
        gate.wait()


def test_no_step_of_a_photo_begins_while_a_live_frame_is_in_work(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve photos beside a live view made each live frame take twice its time."""
    with serve(limits=Limits(live_fps=1000)) as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        engine: Engine = client.app.state.mien.engine
        photos = Photos(steps=20)
        photos.live = lambda: engine._gate._live
        photos.go_on.set()
        monkeypatch.setattr(engine, "_photo_detector", photos)
        monkeypatch.setattr(engine._gate, "_most_wait_s", LONG_S)
        statuses: list[int] = []

        def post() -> None:
            for _ in range(5):
                statuses.append(client.post("/v1/recognize", content=picture(255), headers=PNG).status_code)

        posting = threading.Thread(target=post)
        posting.start()
        frames = 0
        while posting.is_alive():
            live.send_bytes(picture(255))
            assert live.receive_json()["type"] == "result"
            frames += 1
        posting.join()
        assert statuses == [200] * 5 and frames > 5
        assert photos.begun == [0] * 100


def _engine(tiny_model: Path, detector: Photos) -> Engine:
    recognizer = Recognizer(tiny_model, "none")
    return Engine(recognizer, lambda: detector, Limits(), ServerMetrics(), threads=1)


async def _photo_in_work(engine: Engine, detector: Photos) -> asyncio.Task[FrameResult]:
    """A photo whose search has begun."""
    photo = asyncio.create_task(engine.recognize_photo(picture(1), "one", 10_000))
    await asyncio.to_thread(detector.began.wait, LONG_S)
    return photo


def test_a_stop_ends_a_photo_at_its_next_step(tiny_model: Path) -> None:
    detector = Photos()

    async def run() -> None:
        async with _engine(tiny_model, detector) as engine:
            photo = await _photo_in_work(engine, detector)
            engine.give_up_photos()
            detector.go_on.set()
            with pytest.raises(Stopping):
                await photo
            with pytest.raises(Stopping):  # and further ones are refused
                await engine.recognize_photo(picture(1), "two", 10_000)

    asyncio.run(run())
    assert len(detector.begun) == 1


def test_the_stop_does_not_wait_for_a_step_without_end(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a step of low priority took half a minute, and the server's end with it."""
    monkeypatch.setattr(engine_module, "PHOTO_STOP_S", 0.05)
    detector = Photos()

    async def run() -> None:
        async with _engine(tiny_model, detector) as engine:
            photo = await _photo_in_work(engine, detector)
            photo.cancel()
            late = threading.Timer(LONG_S / 2, detector.go_on.set)
            late.start()
        assert not detector.go_on.is_set()
        late.cancel()
        detector.go_on.set()

    asyncio.run(run())


SLOW = """
import sys, threading, time
from mien.recognition.detectors.base import WholeFrameDetector

quick = WholeFrameDetector.detect

def detect(self, frame_rgb):
    if threading.current_thread().name.startswith("mien-photo"):
        print("searching", flush=True)
        time.sleep(120)
    return quick(self, frame_rgb)

WholeFrameDetector.detect = detect
sys.argv = ["mien", "serve", "--port", "0", "--no-history", "--detector", "none", "--model", sys.argv[1]]
from mien.cli.app import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_searches_a_photo_ends_when_told(tiny_model: Path, sign: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, tiny_model], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    answers: list[Any] = []
    try:
        url = process.stderr.readline().split()[-1].rstrip("/")

        def post() -> None:
            request = urllib.request.Request(f"{url}/v1/recognize", picture(1), PNG)
            try:
                urllib.request.urlopen(request, timeout=LONG_S)
            except OSError as error:  # 503, or a connection that ends
                answers.append(error)
                if isinstance(error, urllib.error.HTTPError):
                    error.close()

        posting = threading.Thread(target=post)
        posting.start()
        assert process.stdout.readline() == "searching\n"
        told = time.monotonic()
        process.send_signal(sign)
        status = process.wait(LONG_S)  # the photo would take 120 s
        posting.join()
        assert status in (130, -sign), (status, time.monotonic() - told)
        assert "Traceback" not in process.stderr.read()
        assert len(answers) == 1
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_a_photo_that_meets_the_end_of_the_server_is_told(serve: Serve) -> None:
    with serve() as client:
        client.app.state.mien.engine.give_up_photos()
        answer = client.post("/v1/recognize", content=picture(1), headers=PNG)
        assert answer.status_code == 503 and json.loads(answer.content)["detail"].startswith("the server stops")
        batch = client.post("/v1/recognize/batch", files=[("images", ("a.png", picture(1)))])
        assert batch.json()["results"] == [{"source": "a.png", "error": answer.json()["detail"]}]
