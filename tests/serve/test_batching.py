"""Faces of several clients in one run of the network: the right answer to the right client, bounded waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.serve.batching import Batcher


def crops(*values: int) -> NDArray[np.uint8]:
    return np.array(values, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), dtype=np.uint8)


class Echo:
    """Answers each crop with its own brightness, and notes the batches."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[int] = []

    def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops_NSS))
        time.sleep(self.seconds)
        return crops_NSS[:, 0, :1].astype(np.float32)


def run(batcher: Batcher, work: Callable[[], object]) -> None:
    async def running() -> None:
        task = asyncio.create_task(batcher.run())
        await work()  # type: ignore[misc]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(running())


def test_each_client_gets_its_own_rows() -> None:
    echo = Echo(0.02)
    batcher = Batcher(echo, 0.01, lambda: 1)

    async def work() -> None:
        wanted = [[number] * (number % 4 + 1) for number in range(40)]
        answers = await asyncio.gather(*(batcher(crops(*values)) for values in wanted))
        assert [answer[:, 0].tolist() for answer in answers] == wanted

    run(batcher, work)
    assert sum(echo.batches) == sum(number % 4 + 1 for number in range(40)) and len(echo.batches) <= 3


def test_a_single_client_does_not_wait() -> None:
    batcher = Batcher(Echo(), 5.0, lambda: 0)

    async def work() -> None:
        started = time.monotonic()
        await batcher(crops(1))
        assert time.monotonic() - started < 2.5  # of the five seconds that it might wait

    run(batcher, work)


def test_waiting_ends_when_nobody_comes() -> None:
    batcher = Batcher(Echo(), 0.01, lambda: 3)

    async def work() -> None:
        assert (await asyncio.wait_for(batcher(crops(7)), 5))[0, 0] == 7

    run(batcher, work)


def test_a_full_batch_does_not_wait() -> None:
    echo = Echo()
    batcher = Batcher(echo, 60.0, lambda: 1)

    async def work() -> None:
        await asyncio.wait_for(asyncio.gather(batcher(crops(*range(40))), batcher(crops(*range(40)))), 10)

    run(batcher, work)
    assert echo.batches == [80]


def test_an_error_reaches_those_who_wait_and_nobody_after() -> None:
    class Moody(Echo):
        def __call__(self, crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
            if crops_NSS[0, 0, 0] == 13:
                raise RuntimeError("bad luck")
            return super().__call__(crops_NSS)

    batcher = Batcher(Moody(), 0.001, lambda: 0)

    async def work() -> None:
        with pytest.raises(RuntimeError, match="bad luck"):
            await batcher(crops(13))
        assert (await batcher(crops(14)))[0, 0] == 14

    run(batcher, work)


def test_a_client_that_vanishes_costs_the_others_nothing() -> None:
    echo = Echo(0.05)
    batcher = Batcher(echo, 0.02, lambda: 1)

    async def work() -> None:
        gone, stays = (asyncio.create_task(batcher(crops(value))) for value in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays)[0, 0] == 2

    run(batcher, work)
    assert echo.batches == [1]
