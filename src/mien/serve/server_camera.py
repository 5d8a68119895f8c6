"""A camera on the server's machine, as the published backend has it: read, recognised, followed, shown as MJPEG.

    async with CameraFeed("0", state) as camera:       # a device number, a stream's URL or a video file
        camera.live.analytics()
        async for jpeg in camera.pictures(): ...       # annotated; drawn only while somebody looks

The newest frame counts, so a slow machine skips frames instead of falling behind. A camera that is lost is opened
again. Video files are played at their own speed, over and over. Frames are drawn on, sent and forgotten.

A thread reads and a task recognises. If either fails, the camera stops, ``status`` tells why, and the server goes on.
"""

from __future__ import annotations

import asyncio
import io
import logging
import math
import threading
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mien.contract.errors import MienError
from mien.contract.results import FrameResult
from mien.contract.urls import without_password
from mien.recognition.drawing import annotate
from mien.serve.live import LiveSession, Newest
from mien.serve.state import ServerState
from mien.video.camera import open_camera

JPEG_QUALITY = 80

SILENT_S = 5.0
"""A camera without a frame for so long is reported as not running."""


class CameraFeed:
    """One camera, live. An async context manager.

    Args:
        camera: device number, URL or file.
        state: the server that it belongs to.

    Raises:
        VideoError: on entry, where it cannot be opened.
    """

    def __init__(self, camera: str, state: ServerState) -> None:
        self.camera = camera
        self.live = LiveSession("camera", accept_threshold=state.engine.recognizer.accept_threshold)
        self._state = state
        self._slot: Newest[NDArray[np.uint8]] = Newest()
        self._viewers: list[Newest[bytes]] = []
        self._seen_at = time.monotonic()
        self._frames = 0
        self._failure: str | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._source = await asyncio.to_thread(open_camera, self.camera, math.inf, self._state.settings.insecure_camera)
        if self._state.journal is not None:
            self.live.entry = self._state.journal.begin("camera")
        if self._state.drift is not None:
            self.live.people = self._state.drift.begin("camera")
        threading.Thread(target=self._read, args=(loop,), name="mien-camera-frames", daemon=True).start()
        self._task = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._source.close)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.live.people is not None and self._state.drift is not None:
            self._state.drift.end(self.live.people, "camera")
        if self.live.entry is not None and self._state.journal is not None:
            await self._state.journal.end(self.live.entry)

    def status(self) -> dict[str, Any]:
        """Whether it runs, and what is wrong where it does not."""
        running = self._failure is None and time.monotonic() - self._seen_at < SILENT_S and self._frames > 0
        notes = list(self._source.notes)  # in one step: the reading thread may add one at any time
        if self._failure is not None:
            notes.append(self._failure)
        return {"running": running, "frames": self._frames, "notes": [without_password(note) for note in notes[-5:]]}

    async def pictures(self) -> AsyncIterator[bytes]:
        """Annotated frames as JPEG, the newest each time, until the server stops."""
        slot: Newest[bytes] = Newest()
        self._viewers.append(slot)
        stopping = asyncio.create_task(self._state.hub.stopping.wait())
        try:
            while not stopping.done():
                taking = asyncio.create_task(slot.take())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    taking.cancel()
                    return
                yield taking.result()
        finally:
            stopping.cancel()
            self._viewers.remove(slot)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for frame in self._source.frames():
                try:
                    loop.call_soon_threadsafe(self._slot.put, frame.frame_rgb)
                except RuntimeError:  # the loop is closed: the server has gone
                    return
        except Exception as error:
            self._fail(error)

    async def _supervise(self) -> None:
        try:
            await self._work()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Note why the camera has stopped: one line, also for the log."""
        cause = str(error) if isinstance(error, MienError) else f"{type(error).__name__}: {error}"
        self._failure = without_password(f"the camera has stopped: {cause}")
        logging.getLogger("mien.serve").error("%s", self._failure)

    async def _work(self) -> None:
        while True:
            frame_rgb = await self._slot.take()
            t_s = self.live.now_s()
            seen = await self._state.engine.recognize_frame(frame_rgb, "camera", frame_rgb.size)
            self._seen_at, self._frames = time.monotonic(), self._frames + 1
            self._state.hub.publish(self.live, self.live.see(seen, t_s))
            if self._viewers and self.live.result is not None:
                jpeg = await asyncio.to_thread(_drawn, frame_rgb, self.live.result)
                for slot in self._viewers:
                    slot.put(jpeg)


def _drawn(frame_rgb: NDArray[np.uint8], result: FrameResult) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(annotate(frame_rgb, result)).save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()
