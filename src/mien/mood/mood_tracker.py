"""Mood: what the faces of a video, camera or browser show over time, one track for each person.

    tracker = MoodTracker()
    for result in results:                      # every frame, also frames without faces: they lower the coverage
        for mood in tracker.update(result):
            mood.label, mood.valence, mood.arousal, mood.stress_index, mood.coverage

Smoothing and windows are in series.py, the stress index with its formula and sources in stress.py. A face is usable
if the model accepts it; other faces only lower the coverage. Valence and arousal are a projection of the class
probabilities (``contract.emotions.valence_arousal``). No frame, crop or embedding is kept.

Nothing is smoothed twice: scores that a video's pipeline smoothed (``FrameResult.smoothing_s``) are taken apart again.
Only which faces are accepted was then decided on the smoothed scores.

This module does not know who somebody is. A person who returns under another track number counts as a new person.
"""

from __future__ import annotations

import math
from collections import deque

from mien.contract.emotions import valence_arousal
from mien.contract.errors import MienError
from mien.contract.results import Face, FrameResult
from mien.mood.episodes import Episode, EpisodeFinder
from mien.mood.mood_value import Mood
from mien.mood.score_means import Smoother, Unsmoother
from mien.mood.seconds import Second, aggregate
from mien.mood.series import SlidingWindow, SteadyClock
from mien.mood.stress import (
    LEVEL_FACES,
    Baseline,
    stress_index,
    stress_level,
    stress_probability,
)
from mien.mood.summary import Summary, summarise

MOOD_GAP_S = 2.0
"""``max_gap_s`` of live sources and of recordings: clients may send a frame every two seconds without a gap."""

TRACK_GAP_S = 5.0
"""``max_gap_s`` of the face tracker there: who looks away for so long keeps their number and baseline."""


class MoodTracker:
    """Follows the moods of all people in one source. Use one tracker for each source; it is not thread-safe.

    Args:
        half_life_s: the weight of a face in the smoothed scores halves after this many seconds.
        window_s: length of the window of the stress index and the coverage.
        baseline_s: seconds of usable face, at the start and calm, from which the baseline is learnt; 0 for no baseline.
        max_gap_s: a face represents at most this much time before its frame, and an episode ends if the face is away
            for longer. Below one frame a second, give more than the time between frames.
        label_margin: lead of another emotion's smoothed score that changes the label, 0..1.
        min_label_s: shortest time for which a label stays.
        correlation_s: seconds that count as one independent observation in the interval of the stress index.
        history_s: how long timelines, episodes and people who left are kept; None for ever.

    Raises:
        MienError: a value is out of range.
    """

    def __init__(
        self,
        half_life_s: float = 2.0,
        window_s: float = 60.0,
        baseline_s: float = 60.0,
        *,
        max_gap_s: float = 1.0,
        label_margin: float = 0.1,
        min_label_s: float = 1.0,
        correlation_s: float = 2.0,
        history_s: float | None = 3600.0,
    ) -> None:
        wanted = {"half_life_s": half_life_s, "window_s": window_s, "max_gap_s": max_gap_s}
        wanted |= {"correlation_s": correlation_s, "history_s": history_s or 1.0}
        for name, value in wanted.items():
            if not 0 < value < math.inf:
                raise MienError(f"{name}: expected more than 0 seconds, got {value}")
        if not 0 <= baseline_s < math.inf or not 0 <= min_label_s < math.inf or not 0 <= label_margin <= 1:
            raise MienError(
                "expected baseline_s and min_label_s of at least 0 seconds and label_margin in 0..1, "
                f"got {baseline_s}, {min_label_s} and {label_margin}"
            )
        self.half_life_s, self.window_s, self.baseline_s = half_life_s, window_s, baseline_s
        self.max_gap_s, self.label_margin, self.min_label_s = max_gap_s, label_margin, min_label_s
        self.correlation_s, self.history_s = correlation_s, history_s
        self.reset()

    def reset(self, track_id: int | None = None) -> None:
        """Forget one person, or everybody and the clock."""
        if track_id is not None:
            self._tracks.pop(track_id, None)
            return
        self._clock = SteadyClock()
        self._now_s: float | None = None
        self._tracks: dict[int, _Track] = {}

    def update(self, result: FrameResult) -> list[Mood]:
        """Add one frame and return the moods of its faces that have a ``track_id``, in their order.

        Call it with every frame, also with frames without faces: they lower the coverage and end episodes. A frame with
        an earlier time than the last one counts as a frame of now.

        Raises:
            MienError: the result has no finite ``t_s``; a photo has no mood over time.
        """
        if result.t_s is None or not math.isfinite(result.t_s):
            raise MienError(f"{result.source}: mood needs frames with a time, got t_s = {result.t_s}")
        now_s = self._clock(result.t_s)
        duration_s = 0.0 if self._now_s is None else min(now_s - self._now_s, self.max_gap_s)
        self._now_s = now_s
        moods: dict[int, Mood] = {}
        for face in result.faces:
            if face.track_id is not None and face.track_id not in moods:
                track = self._tracks.get(face.track_id)
                if track is None:
                    track = self._tracks[face.track_id] = _Track(face.track_id, now_s - duration_s, self)
                moods[face.track_id] = track.see(face, now_s, duration_s, result.smoothing_s)
        self._forget(now_s)
        return list(moods.values())

    def tracks(self) -> list[int]:
        """Track numbers of the people seen, in order of arrival."""
        return list(self._tracks)

    def mood(self, track_id: int) -> Mood:
        """A person's mood at the time of the last frame, even if that frame did not show them."""
        return self._track(track_id).mood(self._now())

    def baseline(self, track_id: int) -> Baseline:
        """A person's calm state as learnt so far."""
        return self._track(track_id).baseline

    def relearn_baseline(self, track_id: int | None = None) -> None:
        """Start learning the baseline of one person, or of everybody, again."""
        for track in self._tracks.values() if track_id is None else [self._track(track_id)]:
            track.baseline = Baseline.start(self.baseline_s)

    def episodes(self, track_id: int) -> list[Episode]:
        """A person's episodes, oldest first; the last has no end while it continues."""
        finder = self._track(track_id).finder
        finder.pass_time(self._now())
        return list(finder.episodes)

    def timeline(self, track_id: int) -> list[Second]:
        """A person's seconds, oldest first; the last may still be incomplete."""
        return self._track(track_id).timeline()

    def summary(self) -> Summary:
        """Summary of all people together and of each person, over the history that is kept."""
        rows = [second for track in self._tracks.values() for second in track.timeline()]
        return summarise(rows, {number: self.episodes(number) for number in self._tracks})

    def _track(self, track_id: int) -> _Track:
        if track_id not in self._tracks:
            raise MienError(f"no track {track_id}; there are {', '.join(map(str, self._tracks)) or 'none'}")
        return self._tracks[track_id]

    def _now(self) -> float:
        assert self._now_s is not None  # there are no tracks before the first frame
        return self._now_s

    def _forget(self, now_s: float) -> None:
        if self.history_s is not None:
            start_s = now_s - self.history_s
            for number in [number for number, track in self._tracks.items() if track.seen_last_s < start_s]:
                del self._tracks[number]
            for track in self._tracks.values():
                track.forget_before(start_s)


class _Track:
    """The state of one person."""

    def __init__(self, track_id: int, came_s: float, settings: MoodTracker) -> None:
        self.track_id, self.settings = track_id, settings
        self.baseline = Baseline.start(settings.baseline_s)
        self.finder = EpisodeFinder(settings.max_gap_s)
        self.seen_last_s = self.came_s = came_s
        self._scores: dict[str, float] = {}
        self._smoother, self._unsmoother = Smoother(settings.half_life_s), Unsmoother()
        self._usable_last_s, self._usable_now = came_s, False
        self._stress, self._usable = SlidingWindow(settings.window_s), SlidingWindow(settings.window_s)
        self._emotions: deque[str] = deque(maxlen=LEVEL_FACES)
        self._label, self._label_since_s = "", -math.inf
        self._seconds: deque[Second] = deque()
        self._moods: list[Mood] = []  # of the current second

    def see(self, face: Face, now_s: float, duration_s: float, smoothing_s: float) -> Mood:
        """Add the person's face of this frame, which represents the last ``duration_s``."""
        scores = self._unsmoother(face.scores, now_s, smoothing_s) if smoothing_s else face.scores
        self.seen_last_s = now_s
        self._usable_now = face.accepted
        self._emotions.append(face.emotion)
        if face.accepted or not self._scores:
            self._smoother.add(now_s - self._usable_last_s, duration_s if face.accepted else 0.0, scores)
            self._scores = self._smoother.scores()
            self._relabel(now_s)
        if face.accepted:
            self._usable_last_s = now_s
            self._usable.add(now_s, duration_s, 1.0)
            stress = stress_probability(scores)
            if stress is not None:
                self._stress.add(now_s, duration_s, stress)
                self.baseline = self.baseline.with_sample(duration_s, stress)
            self.finder.add(now_s, self._label, self._scores[self._label])
        else:
            self.finder.pass_time(now_s)
        mood = self.mood(now_s)
        if self._moods and math.floor(self._moods[0].t_s) != math.floor(now_s):
            self._seconds.append(aggregate(math.floor(self._moods[0].t_s), self._moods))
            self._moods = []
        self._moods.append(mood)
        return mood

    def mood(self, now_s: float) -> Mood:
        """The mood at ``now_s``, which must not be earlier than the last frame."""
        seen_s = self._stress.seen_s(now_s)
        mean = self._stress.mean(now_s)
        settings = self.settings
        stress = None if mean is None else stress_index(mean, seen_s, self.baseline, settings.correlation_s)
        index, low, high = stress or (None, None, None)
        possible_s = min(settings.window_s, now_s - self.came_s)
        valence, arousal = valence_arousal(self._scores)
        return Mood(
            track_id=self.track_id,
            t_s=now_s,
            scores=self._scores,
            valence=valence,
            arousal=arousal,
            label=self._label,
            confidence=self._scores[self._label],
            stress_index=index,
            stress_low=low,
            stress_high=high,
            stress_level=stress_level(list(self._emotions)),
            coverage=min(1.0, self._usable.seen_s(now_s) / possible_s) if possible_s > 0 else float(self._usable_now),
            baseline=self.baseline.state,
        )

    def timeline(self) -> list[Second]:
        current = [aggregate(math.floor(self._moods[0].t_s), self._moods)] if self._moods else []
        return [*self._seconds, *current]

    def forget_before(self, start_s: float) -> None:
        while self._seconds and self._seconds[0].second < start_s:
            self._seconds.popleft()
        self.finder.forget_before(start_s)

    def _relabel(self, now_s: float) -> None:
        """Change the label if another emotion leads by the margin and the present label is old enough."""
        leader = max(self._scores, key=self._scores.__getitem__)
        lead = self._scores[leader] - self._scores.get(self._label, 0.0)
        stood_s = now_s - self._label_since_s
        if leader != self._label and lead >= self.settings.label_margin and stood_s >= self.settings.min_label_s:
            self._label, self._label_since_s = leader, now_s
        elif not self._label:
            self._label, self._label_since_s = leader, now_s
