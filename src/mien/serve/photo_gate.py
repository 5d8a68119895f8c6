"""Lets photos wait while a live frame is in work.

    gate = PhotoGate()
    with gate.live():                  # the event loop, around each live frame
        ...
    gate.wait()                        # the photos' thread, before each step of its work
    gate.close()                       # the server stops: whoever waits, or comes to wait, gets Stopping

A low priority is not enough. Two hyperthreads of one core count as two CPUs: the system gives the second one to the
photo, and the live frame on the first one then takes twice as long. So a photo is searched in steps of about the length
of one live frame, and each step begins only when no live frame is in work. A photo never starves: no step waits longer
than ``MOST_WAIT_S``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_WAIT_S = 0.25
"""A step waits no longer, however many live frames come. A large photo has some nine steps, so two seconds in all."""


class Stopping(Exception):
    """The server stops, so the photo is given up."""


class PhotoGate:
    """Closed while live frames are in work.

    Args:
        most_wait_s: a step goes on after this time, whatever the live frames do.
    """

    def __init__(self, most_wait_s: float = MOST_WAIT_S) -> None:
        self._most_wait_s = most_wait_s
        self._changed = threading.Condition()
        self._live = 0
        self._stopping = False

    @contextmanager
    def live(self) -> Iterator[None]:
        """Around one live frame, from its arrival to its answer."""
        with self._changed:
            self._live += 1
        try:
            yield
        finally:
            with self._changed:
                self._live -= 1
                self._changed.notify_all()

    def wait(self) -> None:
        """Return as soon as no live frame is in work, or after ``most_wait_s``.

        Raises:
            Stopping: the server stops.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._live, self._most_wait_s)
            self.raise_if_closed()

    def raise_if_closed(self) -> None:
        """Raises ``Stopping`` where the server stops."""
        if self._stopping:
            raise Stopping

    def close(self) -> None:
        """Give up the photo in work at its next step. Closing twice changes nothing."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
