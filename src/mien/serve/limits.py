"""Limits for each address: a token bucket for requests, and a size limit that acts while a body arrives.

buckets = Buckets(rate_per_s=20, burst=60)
if not buckets.take("192.0.2.7"): ...                            # 429
receive = bounded(receive, 20_000_000)                           # HTTPException 413 from inside the read
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

BODY_S = 60.0
"""A body that takes longer is refused; a client that sends a byte a second would keep its connection for ever."""

MOST_ADDRESSES = 4096
"""Number of addresses that are remembered; the one without a request for longest is forgotten first."""


class Buckets:
    """Token buckets by address: ``burst`` at once, then ``rate_per_s``."""

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, address: str, cost: float = 1.0) -> bool:
        """Take ``cost`` tokens of this address. If fewer are left, take none and return False."""
        now = self._clock()
        left, at = self._left.pop(address, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate_per_s)
        allowed = left >= cost
        self._left[address] = (left - cost if allowed else left, now)  # moved to the end: the most recent
        if len(self._left) > MOST_ADDRESSES:
            del self._left[next(iter(self._left))]
        return allowed

    def wait_s(self, address: str, cost: float) -> float:
        """Seconds until ``cost`` tokens of this address will be there, if nothing else takes them."""
        left, at = self._left.get(address, (float(self._burst), self._clock()))
        return max(0.0, (min(cost, self._burst) - left) / self._rate_per_s - (self._clock() - at))


class Places:
    """A number of places, of which one address may hold only some.

    with places.hold("192.0.2.7") as held:
        if not held: ...                                         # 429
    """

    def __init__(self, total: int, each: int) -> None:
        self._total, self._each = total, each
        self._held: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """How many are taken now."""
        return self._held.total()

    @contextmanager
    def hold(self, address: str) -> Iterator[bool]:
        """Hold a place while the block runs. Yields False, and holds nothing, if no place is left."""
        if self.held >= self._total or self._held[address] >= self._each:
            yield False
            return
        self._held[address] += 1
        try:
            yield True
        finally:
            self._held[address] -= 1
            if not self._held[address]:
                del self._held[address]


def bounded(receive: Receive, most_bytes: int) -> Receive:
    """Wrap an ASGI ``receive`` so that reading stops with 413 beyond ``most_bytes`` and with 408 after BODY_S."""
    taken = 0
    deadline = time.monotonic() + BODY_S

    async def counted() -> Message:
        nonlocal taken
        try:
            message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {BODY_S:.0f} s") from None
        taken += len(message.get("body", b""))
        if taken > most_bytes:
            raise HTTPException(413, f"the body is larger than {most_bytes:,} bytes")
        return message

    return counted
