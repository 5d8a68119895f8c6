"""How much one address may send: a token bucket for requests, and bodies judged while they arrive.

buckets = Buckets(rate_per_s=20, burst=60)
if not buckets.take("192.0.2.7"): ...                            # 429
receive = bounded(receive, 20_000_000)                           # HTTPException 413 from inside the read
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

BODY_S = 60.0
"""A body that takes longer is given up: whoever sends a byte a second would hold a connection for ever."""

MOST_ADDRESSES = 4096
"""Addresses remembered; beyond it those that have been quiet are forgotten first."""


class Buckets:
    """Token buckets by address: ``burst`` at once, then ``rate_per_s``."""

    def __init__(self, rate_per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, address: str) -> bool:
        """Take one token of this address; False where none is left."""
        now = self._clock()
        left, at = self._left.pop(address, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate_per_s)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)  # moved to the end: the most recent
        if len(self._left) > MOST_ADDRESSES:
            del self._left[next(iter(self._left))]
        return allowed


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
