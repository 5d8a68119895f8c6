"""Faces of many clients, classified together.

    batcher = Batcher(classifier, wait_s=0.004, others=lambda: frames_being_searched)
    task = asyncio.create_task(batcher.run())
    probs_NC = await batcher(crops_NSS)

One run of the network at a time; while it runs, the next batch gathers. When nothing runs, faces wait for others only
if a detector is about to bring some, and never longer than ``wait_s``: a single client does not pay for a crowd.

Shape legend: N faces, S side of the crop in pixels, C emotions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Classify = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

BATCH_FACES = 64
"""More faces in one run of the network bring no speed, so a batch of these does not wait."""


class Batcher:
    """Gathers faces and classifies them in one thread.

    Args:
        classify: crops (N, S, S) -> probabilities (N, C), such as a ``Classifier``.
        wait_s: how long faces wait for others at most.
        others: how many frames are being searched for faces right now.
        measure: called with the number of faces of every batch.
    """

    def __init__(
        self,
        classify: Classify,
        wait_s: float,
        others: Callable[[], int],
        measure: Callable[[float], None] = lambda faces: None,
    ) -> None:
        self._classify, self._wait_s, self._others, self._measure = classify, wait_s, others, measure
        self._pending: list[tuple[NDArray[np.uint8], asyncio.Future[NDArray[np.float32]]]] = []
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "mien-classify")

    async def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify faces, with whatever others are waiting; raises what ``classify`` raised."""
        future: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        self._pending.append((crops_NSS, future))
        self._arrived.set()
        return await future

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._arrived.wait()
                await self._gather(loop.time() + self._wait_s)
                jobs, self._pending = self._pending, []
                self._arrived.clear()
                jobs = [job for job in jobs if not job[1].done()]  # whose client has gone meanwhile
                if jobs:
                    await self._serve(jobs)
        finally:
            self._thread.shutdown(wait=False)
            for _, future in self._pending:
                future.cancel()

    async def _gather(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        while self._others() and sum(len(crops) for crops, _ in self._pending) < BATCH_FACES:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - loop.time())
            except TimeoutError:
                break

    async def _serve(self, jobs: list[tuple[NDArray[np.uint8], asyncio.Future[NDArray[np.float32]]]]) -> None:
        crops_NSS = np.concatenate([crops for crops, _ in jobs])
        try:
            probs_NC = await asyncio.get_running_loop().run_in_executor(self._thread, self._classify, crops_NSS)
        except BaseException as error:  # each of the waiting clients gets it
            for _, future in jobs:
                if not future.done():
                    future.set_exception(error) if isinstance(error, Exception) else future.cancel()
            if isinstance(error, Exception):
                return
            raise
        self._measure(len(crops_NSS))
        first = 0
        for crops, future in jobs:
            if not future.done():
                future.set_result(probs_NC[first : first + len(crops)])
            first += len(crops)
