"""A queue that is bounded in items and bytes, and that either end can leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from mien.video.bounded_queue import BoundedQueue, Closed


def blocks(action: Callable[[], object]) -> threading.Thread:
    """Start ``action`` in a thread that must still be waiting a moment later."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    return thread


def test_order_and_end() -> None:
    channel: BoundedQueue[int] = BoundedQueue(10, 100)
    for value in range(5):
        channel.put(value)
    channel.finish()
    assert [channel.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(Closed):
        channel.get()


@pytest.mark.parametrize(("sizes", "extra"), [([1, 1], 1), ([60], 50)])
def test_a_writer_waits_for_room(sizes: list[int], extra: int) -> None:
    channel: BoundedQueue[int] = BoundedQueue(max_items=2, max_bytes=100)
    for size in sizes:
        channel.put(0, size)
    waiting = blocks(lambda: channel.put(1, extra))
    channel.get()
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_giant_passes_alone() -> None:
    channel: BoundedQueue[str] = BoundedQueue(max_items=5, max_bytes=10)
    channel.put("giant", 1_000)
    waiting = blocks(lambda: channel.put("small", 1))
    assert channel.get() == "giant"
    waiting.join(5)
    assert channel.get() == "small"


def test_cancelling_wakes_both_ends() -> None:
    outcomes: list[str] = []

    def run(action: Callable[[], object]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                action()
            except Closed:
                outcomes.append("closed")

        return guarded

    full, empty = BoundedQueue[int](1, 1), BoundedQueue[int](1, 1)
    full.put(0)
    threads = [blocks(run(lambda: full.put(1))), blocks(run(empty.get))]
    full.cancel()
    empty.cancel()
    for thread in threads:
        thread.join(5)
    assert outcomes == ["closed"] * 2
    with pytest.raises(Closed):
        full.get()


def test_nothing_is_lost_between_threads() -> None:
    channel: BoundedQueue[int] = BoundedQueue(3, 50)

    def write() -> None:
        for value in range(2_000):
            channel.put(value, value % 30)
            if value % 500 == 0:
                time.sleep(0.001)
        channel.finish()

    threading.Thread(target=write).start()
    read = []
    with pytest.raises(Closed):
        while True:
            read.append(channel.get())
    assert read == list(range(2_000))


def test_whether_there_is_a_next_item() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, 100)
    assert not queue.has_next(0.0) and not queue.has_next(0.01)
    queue.put(1)
    assert queue.has_next(0.0) and queue.get() == 1
    threading.Timer(0.05, queue.put, [2]).start()
    assert queue.has_next(60.0) and queue.get() == 2
    queue.finish()
    assert not queue.has_next(60.0)  # nothing will come
