"""Bytes -> faces, for many clients at once: decode and detect in a few threads, classify together in one.

    engine = Engine(recognizer, make, limits, metrics)
    async with engine:
        seen = await engine.recognise(data, "upload", limits.image_pixels)
        seen.result, seen.found

There is a detector for each thread, since a detector works on one frame at a time, and a thread for each CPU. Frames
wait for a thread in the order they came; who may wait, and how many, is decided by the callers.

Shape legend: H height, W width in pixels; N faces; S side of the crop.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.contract.images import decode_image
from mien.contract.results import FrameResult
from mien.contract.system import usable_cpus
from mien.recognition.detectors import Detections, Detector
from mien.recognition.recognizer import Recognizer, largest_first
from mien.serve.batching import Batcher
from mien.serve.prometheus import Metrics
from mien.serve.settings import Limits

FORMATS = ("JPEG", "PNG", "WEBP")
"""What may be sent: what browsers and cameras make. Each decoder more is one more that strangers can reach."""


@dataclass(frozen=True, eq=False)
class EngineResult:
    """A frame after recognition.

    Attributes:
        result: its faces, largest first.
        found: the detections behind them, in the same order, for the tracker.
        search_s: seconds of decoding, detecting and cropping.
        total_s: from being asked to the answer, waiting included.
    """

    result: FrameResult
    found: Detections
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
        metrics: Metrics,
        threads: int | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.waiting = 0
        threads = threads or usable_cpus()
        self._detectors: queue.SimpleQueue[Detector] = queue.SimpleQueue()
        for detector in (recognizer.detector, *(make() for _ in range(threads - 1))):
            self._detectors.put(detector)
        self._threads = ThreadPoolExecutor(threads, "mien-detect")
        self._batcher = Batcher(
            recognizer.classifier, limits.batch_wait_s, lambda: self.waiting, metrics.batch_faces.observe
        )
        self._metrics = metrics

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._batcher.run())
        grey_HW3 = np.full((480, 640, 3), 127, dtype=np.uint8)
        side = self.recognizer.card.image.side
        for _ in range(self._detectors.qsize()):  # the first run of each is many times slower than all others
            self._search(grey_HW3)
        self.recognizer.classifier(np.zeros((1, side, side), dtype=np.uint8))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def recognise(self, image: bytes | NDArray[np.uint8], source: str, max_pixels: int) -> EngineResult:
        """Find and classify the faces of one image.

        Args:
            image: the bytes of a JPEG, PNG or WebP file, or an upright uint8 RGB frame (H, W, 3).
            source: its name in the result.
            max_pixels: width times height at most, judged before decoding.

        Raises:
            ImageError: not such an image, damaged or too large.
        """
        asked = time.perf_counter()
        self.waiting += 1
        try:
            searched = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._read_and_search, image, max_pixels
            )
        finally:
            self.waiting -= 1
        probs_NC = np.empty((0, len(self.recognizer.card.labels)), dtype=np.float32)
        if len(searched.found):
            probs_NC = await self._batcher(searched.crops_NSS)
        result = self.recognizer.result(searched.width, searched.height, searched.found, probs_NC, source)
        self._metrics.faces.inc(len(result.faces))
        return EngineResult(result, searched.found, searched.search_s, time.perf_counter() - asked)

    def _read_and_search(self, image: bytes | NDArray[np.uint8], max_pixels: int) -> _Searched:
        started = time.perf_counter()
        frame_HW3 = decode_image(image, max_pixels, FORMATS) if isinstance(image, bytes) else image
        return self._search(frame_HW3, started)

    def _search(self, frame_HW3: NDArray[np.uint8], started: float = 0.0) -> _Searched:
        detector = self._detectors.get()
        try:
            found = largest_first(detector.detect(frame_HW3))
        finally:
            self._detectors.put(detector)
        crops_NSS = self.recognizer.crops(frame_HW3, found)
        height, width = frame_HW3.shape[:2]
        return _Searched(width, height, found, crops_NSS, time.perf_counter() - started)
