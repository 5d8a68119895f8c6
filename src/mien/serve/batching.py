"""Classify the faces of many clients in shared batches.

    batcher = Batcher(classifier, wait_s=0.004, others=lambda: frames_being_searched)
    task = asyncio.create_task(batcher.run())
    probs_NC = await batcher(crops_NSS)

The network runs one batch at a time. While it runs, arriving faces form the next batch. While it is idle, faces wait
for more only if frames are still being searched, and never longer than ``wait_s``, so a single client has no delay.

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
"""A batch of this size does not wait for more: larger batches are no faster a face."""


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
        """Classify faces, together with others that wait; raises what ``classify`` raised."""
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
                jobs = [job for job in jobs if not job[1].done()]  # its client has disconnected
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
        except BaseException as error:  # every waiting client gets this error
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
