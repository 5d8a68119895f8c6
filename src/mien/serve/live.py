"""One live source: turns recognised frames into the messages that its viewers get.

    live = LiveSession("browser", journal, session_id)
    message = live.see(seen, t_s)                      # ids, moods, episodes: plain types for JSON
    hub.publish(live, message)                         # to those who watch; newest wins

Times are seconds of the server's monotonic clock since the session began, read when a frame arrives. So wrong clocks of
clients and changes of the server's wall clock (a time server, summer time) do not affect a timeline.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, TypeVar

from mien.contract.results import FrameResult
from mien.mood import NOTE, Mood, MoodTracker
from mien.mood.mood_tracker import MOOD_GAP_S, TRACK_GAP_S
from mien.serve.engine import EngineResult
from mien.serve.journal import Entry
from mien.serve.pacing import Pacer
from mien.serve.sets import told
from mien.video.appearances import Appearances
from mien.video.tracker import Tracker

T = TypeVar("T")

HISTORY_FACES = 30
"""Of the analytics document, as published."""

MOST_EPISODES = 5
"""Of each person in a message, the latest; a client keeps the older ones."""

HISTORY_S = 120.0
"""Clients and the store keep the history, so a stream of ever new faces must not fill the memory."""


class Newest(Generic[T]):
    """A slot for one value: a newer one replaces what nobody has taken yet."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._full = asyncio.Event()

    def put(self, value: T) -> bool:
        """Leave a value; True where it replaced another."""
        replaced = self._full.is_set()
        self._value = value
        self._full.set()
        return replaced

    async def take(self) -> T:
        """Wait for a value and take it."""
        await self._full.wait()
        self._full.clear()
        value, self._value = self._value, None
        assert value is not None
        return value


class LiveSession:
    """Faces of one source over time.

    Args:
        source: its name, as stored.
        entry: where its seconds are kept; None to keep nothing.
        baseline_s: seconds of a person's baseline; 0 for none.
        address: of its client.
        accept_threshold: a mood in which no emotion is that probable is marked as not accepted, 0..1.
        clock: seconds, monotonic.
        people: where distributions of its faces are kept; None to keep none.
    """

    def __init__(
        self,
        source: str,
        entry: Entry | None = None,
        baseline_s: float = 60.0,
        address: str = "",
        accept_threshold: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        people: Appearances | None = None,
    ) -> None:
        self.people = people
        self.source, self.entry, self.address = source, entry, address
        self._accept_threshold = accept_threshold
        self.tracker = Tracker(max_gap_s=TRACK_GAP_S)
        self.mood = MoodTracker(baseline_s=baseline_s, max_gap_s=MOOD_GAP_S, history_s=HISTORY_S)
        self.result: FrameResult | None = None
        self._clock, self._started = clock, clock()
        self._last: deque[dict[str, Any]] = deque(maxlen=HISTORY_FACES)
        self._main_mood: Mood | None = None

    @property
    def session_id(self) -> int | None:
        """Its number in the store; None where it is not kept."""
        return self.entry.session_id if self.entry else None

    def now_s(self) -> float:
        """Seconds since the session began."""
        return self._clock() - self._started

    def see(self, seen: EngineResult, t_s: float) -> dict[str, Any]:
        """Take a recognised frame that arrived at ``t_s``; returns the message for the client and for watchers."""
        ids = self.tracker.update(seen.found, t_s)
        faces = tuple(replace(face, track_id=number) for face, number in zip(seen.result.faces, ids, strict=True))
        self.result = replace(seen.result, source=self.source, faces=faces, t_s=t_s)
        if self.people is not None:
            self.people.see(faces, seen.probs_NC, seen.crops_NSS, t_s)
        moods = self.mood.update(self.result)
        if self.entry is not None:
            self.entry.add(moods)
        if moods:
            self._main_mood = moods[0]
            self._last.append({"t_s": round(t_s, 3), "emotion": faces[0].emotion, "confidence": faces[0].confidence})
        episodes = {number: self.mood.episodes(number)[-MOST_EPISODES:] for number in ids}
        baselines = {number: self.mood.baseline(number) for number in ids}
        return {
            "type": "result",
            "session": self.session_id,
            **told(self.result),
            "moods": [self._told(mood) for mood in moods],
            "episodes": {
                str(number): [_rounded(each.to_dict()) for each in found] for number, found in episodes.items()
            },
            "baselines": {
                str(number): {"seen_s": round(each.seen_s, 2), "wanted_s": each.wanted_s}
                for number, each in baselines.items()
            },
        }

    def _told(self, mood: Mood) -> dict[str, Any]:
        """A mood for clients. ``accepted`` is decided on the smoothed scores, because viewers see those."""
        sure = bool(mood.scores) and max(mood.scores.values()) >= self._accept_threshold
        return {**_rounded(mood.to_dict()), "accepted": sure}

    def analytics(self) -> dict[str, Any]:
        """The published analytics document, of the main face, and our index beside it."""
        mood, last = self._main_mood, list(self._last)
        counts = Counter(each["emotion"] for each in last)
        return {
            "source": self.source,
            "session": self.session_id,
            "current_emotion": last[-1]["emotion"] if last else None,
            "confidence": last[-1]["confidence"] if last else None,
            "stress_level": mood.stress_level if mood else "low",
            "stress_index": _round(mood.stress_index) if mood else None,
            "stress_interval": [_round(mood.stress_low), _round(mood.stress_high)] if mood else None,
            "stress_note": NOTE,
            "valence": _round(mood.valence) if mood else None,
            "arousal": _round(mood.arousal) if mood else None,
            "coverage": _round(mood.coverage) if mood else 0.0,
            "distribution": {name: round(count / len(last), 4) for name, count in counts.most_common()},
            "history": last,
        }

    def reset(self) -> None:
        """Forget all people, their baselines and the history; what is stored stays."""
        self.tracker, self.result, self._main_mood = Tracker(max_gap_s=TRACK_GAP_S), None, None
        self.mood.reset()
        self._last.clear()


class Hub:
    """The live sessions of a server, who watches them, and how fast they may send.

    Args:
        most_fps: frames a second of one client that are answered at most.
        measure: called with the number of live sessions whenever it changes.
    """

    def __init__(self, most_fps: float, measure: Callable[[float], None] = lambda clients: None) -> None:
        self.sessions: list[LiveSession] = []
        self.stopping = asyncio.Event()
        self.pacer = Pacer(most_fps)
        self._measure = measure
        self._watchers: list[tuple[str | None, Newest[dict[str, Any]]]] = []

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @contextmanager
    def hosting(self, live: LiveSession) -> Iterator[None]:
        """While a source is live."""
        self.sessions.append(live)
        self._measure(len(self.sessions))
        try:
            yield
        finally:
            self.sessions.remove(live)
            self._measure(len(self.sessions))
            if not self.sessions:
                self.pacer.reset()

    @contextmanager
    def watching(self, source: str | None) -> Iterator[Newest[dict[str, Any]]]:
        """A slot that gets every message of one source, or of all; slow watchers miss the older ones."""
        watcher = (source, Newest[dict[str, Any]]())
        self._watchers.append(watcher)
        try:
            yield watcher[1]
        finally:
            self._watchers.remove(watcher)

    def publish(self, live: LiveSession, message: dict[str, Any]) -> None:
        """Tell those who watch."""
        for source, slot in self._watchers:
            if source is None or source == live.source:
                slot.put(message)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded(plain: dict[str, Any]) -> dict[str, Any]:
    """Round to four decimals: further digits are noise and a third of the message."""
    return {
        key: _rounded(value) if isinstance(value, dict) else round(value, 4) if isinstance(value, float) else value
        for key, value in plain.items()
    }
