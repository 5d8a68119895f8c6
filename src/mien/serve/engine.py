"""Bytes -> faces, for many clients at once. Live frames come first; photos use what is left of the machine.

    engine = Engine(recognizer, make, limits, metrics)
    async with engine:
        seen = await engine.recognize_frame(data, "live", limits.frame_pixels)
        result = await engine.recognize_photo(data, "upload", limits.image_pixels)

Live frames are decoded and searched in one thread for each CPU, each with a detector of its own, and classified
together (batching.py). Photos never wait in that queue: a process of its own decodes them, one at a time
(photo_decoder.py), and one thread of low priority searches them. Each step of that work is short, and begins when no
live frame is in work (photo_gate.py).

Shape legend: H height, W width in pixels; N faces; S side of the crop.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.contract.images import decode_image
from mien.contract.results import FrameResult
from mien.contract.system import usable_cpus
from mien.recognition.detectors import Detections, Detector, SteppedDetector
from mien.recognition.recognizer import Recognizer, largest_first
from mien.serve.batching import Batcher
from mien.serve.photo_decoder import PhotoDecoder
from mien.serve.photo_gate import PhotoGate
from mien.serve.photo_worker import PHOTO_NICE
from mien.serve.prometheus import ServerMetrics
from mien.serve.settings import IMAGE_FORMATS, Limits

T = TypeVar("T")

PHOTO_THREAD = "mien-photo"
"""Begins the name of the thread that searches photos."""

PHOTO_FACES = 4
"""Faces of a photo that are classified at once; about 10 ms of work, which is what a live frame may have to wait."""

PHOTO_STOP_S = 2.0
"""When the server stops, a step of a photo that is in work gets so long to end; then it is left behind."""

PHOTO_IDLE_S = 30.0
"""The process that decodes photos ends after this time without one, which gives its memory back."""


@dataclass(frozen=True, eq=False)
class EngineResult:
    """A frame after recognition.

    Attributes:
        result: its faces, largest first.
        found: the detections behind them, in the same order, for the tracker.
        probs_NC: their probabilities, columns in the order of the card's labels.
        crops_NSS: what the network saw of them.
        search_s: seconds of decoding, detecting and cropping.
        total_s: from being asked to the answer, waiting included.
    """

    result: FrameResult
    found: Detections
    probs_NC: NDArray[np.float32]
    crops_NSS: NDArray[np.uint8]
    search_s: float
    total_s: float


@dataclass(frozen=True, eq=False)
class _Searched:
    width: int
    height: int
    found: Detections
    crops_NSS: NDArray[np.uint8]
    search_s: float


class Engine:
    """Recognises images of many clients. An async context manager: the batcher runs inside.

    Args:
        recognizer: the model, its margins and its threshold; its own detector is one of the pool.
        make: makes one more detector of the same kind.
        limits: how long faces wait for others.
        metrics: where figures go.
        threads: that decode and detect; None for the CPUs that this process may use.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        make: Callable[[], Detector],
        limits: Limits,
        metrics: ServerMetrics,
        threads: int | None = None,
    ) -> None:
        self.recognizer = recognizer
        self._since: dict[str, deque[float]] = {"frame": deque(), "photo": deque()}
        threads = threads or usable_cpus()
        self._detectors: queue.SimpleQueue[Detector] = queue.SimpleQueue()
        for detector in (recognizer.detector, *(make() for _ in range(threads - 1))):
            self._detectors.put(detector)
        self._gate = PhotoGate()
        self._photo_decoder = PhotoDecoder()
        self._photo_step: asyncio.Future[Any] | None = None
        self._photo_thread = ThreadPoolExecutor(1, PHOTO_THREAD, initializer=_lower_priority)
        # Made in that thread: the threads that a detector starts of its own inherit the low priority.
        self._photo_detector = self._photo_thread.submit(make).result()
        self._photo_turn = asyncio.Lock()
        self._photo_idle: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(threads, "mien-detect")
        self._batcher = Batcher(self._classify, limits.batch_wait_s, lambda: self.waiting, metrics.batch_faces.observe)
        self._metrics = metrics

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._batcher.run())
        grey_HW3 = np.full((480, 640, 3), 127, dtype=np.uint8)
        side = self.recognizer.card.image.side
        for _ in range(self._detectors.qsize()):  # the first run of each is many times slower than all others
            detector = self._detectors.get()
            self.recognizer.crops(grey_HW3, detector.detect(grey_HW3))
            self._detectors.put(detector)
        self.recognizer.classifier(np.zeros((1, side, side), dtype=np.uint8))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        if self._photo_idle is not None:
            self._photo_idle.cancel()
        self.give_up_photos()
        self._threads.shutdown(wait=True, cancel_futures=True)
        last = self._photo_thread.submit(lambda: None)
        await asyncio.wait([asyncio.wrap_future(last)], timeout=PHOTO_STOP_S)
        self._photo_thread.shutdown(wait=False, cancel_futures=True)
        self._photo_decoder.stop()

    def give_up_photos(self) -> None:
        """Answer those who wait for photos with ``Stopping``, since the server stops; the step in work is the last."""
        self._gate.close()
        self._photo_decoder.abort()
        if self._photo_step is not None:
            self._photo_step.cancel()  # its thread goes on until the step ends

    @property
    def waiting(self) -> int:
        """Live frames that wait for a detector or are in one."""
        return len(self._since["frame"])

    @property
    def photos_waiting(self) -> int:
        """Photos that wait or are in work."""
        return len(self._since["photo"])

    def oldest_s(self, kind: str) -> float:
        """Seconds since the oldest "frame" or "photo" in work arrived; 0 where there is none."""
        return time.perf_counter() - self._since[kind][0] if self._since[kind] else 0.0

    @contextmanager
    def _waiting(self, kind: str) -> Iterator[None]:
        arrived = time.perf_counter()
        self._since[kind].append(arrived)
        try:
            yield
        finally:
            self._since[kind].remove(arrived)

    async def recognize_frame(
        self,
        image: bytes | NDArray[np.uint8],
        source: str,
        max_pixels: int,
        own: Recognizer | None = None,
    ) -> EngineResult:
        """Find and classify the faces of one live frame.

        Args:
            image: the bytes of a JPEG, PNG or WebP file, or an upright uint8 RGB frame (H, W, 3).
            source: its name in the result.
            max_pixels: width times height at most, judged before decoding.
            own: another model for this frame, for crops of the same side; None for the server's.

        Raises:
            ImageError: not such an image, damaged or too large.
        """
        asked = time.perf_counter()
        recognizer = own or self.recognizer
        probs_NC = np.empty((0, len(recognizer.card.labels)), dtype=np.float32)
        with self._gate.live():
            with self._waiting("frame"):
                searched = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._read_and_search, image, max_pixels
                )
            if len(searched.found) and own is not None:
                probs_NC = await asyncio.to_thread(own.classifier, searched.crops_NSS)
            elif len(searched.found):
                probs_NC = await self._batcher(searched.crops_NSS)
        result = recognizer.result(searched.width, searched.height, searched.found, probs_NC, source)
        self._metrics.faces.inc(len(result.faces))
        total_s = time.perf_counter() - asked
        return EngineResult(result, searched.found, probs_NC, searched.crops_NSS, searched.search_s, total_s)

    async def recognize_photo(self, data: bytes, source: str, max_pixels: int) -> FrameResult:
        """Find and classify the faces of one photo. Photos wait for each other and never for long hold up a frame.

        Args:
            data: the bytes of a JPEG, PNG or WebP file.
            source: its name in the result.
            max_pixels: width times height at most, judged before decoding.

        Raises:
            ImageError: not such an image, damaged, too large, or it took too long to decode.
            Stopping: the server stops.
        """
        with self._waiting("photo"):
            async with self._photo_turn:  # first come, first served
                probs = [np.empty((0, len(self.recognizer.card.labels)), dtype=np.float32)]
                searched = await self._search_photo(data, max_pixels)
                for first in range(0, len(searched.crops_NSS), PHOTO_FACES):
                    await self._in_photo_thread(self._gate.wait)
                    probs.append(await self._batcher(searched.crops_NSS[first : first + PHOTO_FACES]))
        result = self.recognizer.result(searched.width, searched.height, searched.found, np.concatenate(probs), source)
        self._metrics.faces.inc(len(result.faces))
        return result

    async def _search_photo(self, data: bytes, max_pixels: int) -> _Searched:
        """Decode and search in the photos' thread; let the worker end when no further photo comes."""
        if self._photo_idle is not None:
            self._photo_idle.cancel()
        try:
            return await self._in_photo_thread(lambda: self._decode_and_search(data, max_pixels))
        finally:
            loop = asyncio.get_running_loop()
            self._photo_idle = loop.call_later(PHOTO_IDLE_S, self._photo_thread.submit, self._photo_decoder.stop)

    async def _in_photo_thread(self, step: Callable[[], T]) -> T:
        self._gate.raise_if_closed()
        self._photo_step = running = asyncio.get_running_loop().run_in_executor(self._photo_thread, step)
        try:
            return await running
        except asyncio.CancelledError:
            self._gate.raise_if_closed()
            raise

    def _classify(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._metrics.classify_seconds.time():
            return self.recognizer.classifier(crops_NSS)

    def _read_and_search(self, image: bytes | NDArray[np.uint8], max_pixels: int) -> _Searched:
        started = time.perf_counter()
        frame_HW3 = decode_image(image, max_pixels, IMAGE_FORMATS) if isinstance(image, bytes) else image
        self._metrics.decode_seconds.labels("frame").observe(time.perf_counter() - started)
        detector = self._detectors.get()
        try:
            return self._search(detector.detect, frame_HW3, started, "frame")
        finally:
            self._detectors.put(detector)

    def _decode_and_search(self, data: bytes, max_pixels: int) -> _Searched:
        started = time.perf_counter()
        self._gate.wait()
        try:
            photo = self._photo_decoder.decode(data, max_pixels)
        finally:
            self._gate.raise_if_closed()  # the decoder was ended then, and the image is not to blame
        self._metrics.decode_seconds.labels("photo").observe(time.perf_counter() - started)
        searched = self._search(self._detect_in_steps, photo.frame_rgb, started, "photo")
        found = _enlarged(searched.found, photo.width / searched.width, photo.height / searched.height)
        return replace(searched, width=photo.width, height=photo.height, found=found)

    def _detect_in_steps(self, frame_HW3: NDArray[np.uint8]) -> Detections:
        detector = self._photo_detector
        if isinstance(detector, SteppedDetector):
            return detector.detect_in_steps(frame_HW3, self._gate.wait)
        self._gate.wait()
        return detector.detect(frame_HW3)

    def _search(
        self, detect: Callable[[NDArray[np.uint8]], Detections], frame_HW3: NDArray[np.uint8], started: float, kind: str
    ) -> _Searched:
        with self._metrics.search_seconds.labels(kind).time():
            found = largest_first(detect(frame_HW3))
        crops_NSS = self.recognizer.crops(frame_HW3, found)
        height, width = frame_HW3.shape[:2]
        return _Searched(width, height, found, crops_NSS, time.perf_counter() - started)


def _enlarged(found: Detections, across: float, down: float) -> Detections:
    """Detections of a reduced frame, in pixels of the whole photo."""
    scale_2 = np.array([across, down])
    return Detections(
        found.boxes_N4 * np.tile(scale_2, 2),
        found.scores_N,
        None if found.landmarks_N52 is None else found.landmarks_N52 * scale_2,
    )


def _lower_priority() -> None:
    """Let others go before the calling thread. Only Linux gives each thread a priority."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PHOTO_NICE)
