"""A queue between two threads of a pipeline: bounded in items and in bytes, and it can be closed from either end.

    queue.put(item, size_bytes)        # waits while full; Closed when the reader has gone
    queue.get()                        # waits while empty; Closed when the writer is done and all is read

The standard queue cannot count bytes and, before Python 3.13, cannot be closed. Bytes matter: eight frames of a webcam
take 7 MB, eight panoramas two gigabytes.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The other end has closed the queue. The pipeline handles it; callers never see it."""


class BoundedQueue(Generic[T]):
    """A bounded queue for one writer and one reader.

    Args:
        max_items: that wait at most.
        max_bytes: of all waiting items together; a single larger item passes when the queue is empty.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._done = self._cancelled = False
        self._changed = threading.Condition()

    def put(self, item: T, size_bytes: int = 0) -> None:
        """Append; wait while there is no room.

        Raises:
            Closed: the reader has gone.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._has_room(size_bytes))
            if self._cancelled:
                raise Closed
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            self._changed.notify_all()

    def get(self) -> T:
        """Take the oldest; wait while there is none.

        Raises:
            Closed: there is none and there will be none.
        """
        with self._changed:
            self._changed.wait_for(self._is_settled)
            if self._cancelled or not self._items:
                raise Closed
            item, size_bytes = self._items.popleft()
            self._bytes -= size_bytes
            self._changed.notify_all()
            return item

    def has_next(self, wait_s: float) -> bool:
        """Whether an item can be taken now; waits so long for one at most."""
        with self._changed:
            self._changed.wait_for(self._is_settled, wait_s)
            return bool(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def finish(self) -> None:
        """The writer is done: what waits can still be read."""
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """The reader has gone: wake up both ends and drop what waits."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def _is_settled(self) -> bool:
        return self._cancelled or self._done or bool(self._items)

    def _has_room(self, size_bytes: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < self._max_items and self._bytes + size_bytes <= self._max_bytes
