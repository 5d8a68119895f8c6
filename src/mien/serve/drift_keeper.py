"""Keeps the distributions of each day beside the history, and the gauges of how far they are from the card's reference.

    async with DriftKeeper(beside(db), card, retention_days, metrics) as keeper:
        session.people = keeper.begin("live")
        ...
        keeper.end(session.people, "live")

Once a minute what is new goes to the file in a thread. Only sessions whose figures are kept count, and the server's own
camera. If the file cannot be written, the server goes on and the failure is counted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Self

from mien.contract.card import ModelCard
from mien.contract.distributions import Tally, distance, reference_of
from mien.contract.errors import StoreError
from mien.serve.prometheus import ServerMetrics
from mien.video.appearances import Appearances
from mien.video.daily_log import DailyLog

WRITE_EVERY_S = 60.0
GAUGE_DAYS = 7


class DriftKeeper:
    """The distributions of one server. An async context manager.

    Args:
        path: of the file.
        card: of the model.
        retention_days: of the file; None to keep all days.
        metrics: its gauges are set, and failures counted.

    Raises:
        ModelError: the card misstates its reference.
    """

    def __init__(self, path: Path, card: ModelCard, retention_days: float | None, metrics: ServerMetrics) -> None:
        self._log, self._card, self._metrics = DailyLog(path, retention_days), card, metrics
        self._reference = reference_of(card)
        self._open: list[tuple[Appearances, str]] = []
        self._done: dict[str, list[Tally]] = {}

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._measure)
        self._writing = asyncio.create_task(self._write_often())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)
        for people, source in list(self._open):
            self.end(people, source)
        await self.write()

    def begin(self, source: str) -> Appearances:
        """The people of a new source, "live" or "camera"."""
        people = Appearances(self._card.labels)
        self._open.append((people, source))
        return people

    def end(self, people: Appearances, source: str) -> None:
        """A source is over: whoever was in sight has left."""
        self._open = [each for each in self._open if each[0] is not people]
        self._done.setdefault(source, []).extend(people.take(all_end=True))

    async def write(self) -> None:
        """Write what is new to the file, and set the gauges."""
        for people, source in self._open:
            self._done.setdefault(source, []).extend(people.take())
        done, self._done = self._done, {}
        try:
            for source in list(done):
                await asyncio.to_thread(self._log.add, self._card.name, source, done[source])
                del done[source]
        except StoreError:
            self._metrics.store_errors.inc()
            for source, tallies in done.items():
                self._done.setdefault(source, []).extend(tallies)
        await asyncio.to_thread(self._measure)

    async def _write_often(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    def _measure(self) -> None:
        week = date.today() - timedelta(days=GAUGE_DAYS - 1)
        with suppress(StoreError):
            seen = self._log.read(self._card.name, self._card.labels, since=week)
            self._metrics.drift_appearances.set(seen.units)
            if self._reference is None or not seen.units:
                return
            for name, shares_B in self._reference.shares.items():
                self._metrics.drift_distance.labels(name).set(distance(seen.weights[name], shares_B))
