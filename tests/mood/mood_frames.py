"""Frames as a detector, a tracker and a classifier would give them, without any of the three."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.contract.emotions import FER2013_EMOTIONS
from mien.contract.results import Face, FrameResult
from mien.mood.mood_tracker import MoodTracker
from mien.mood.mood_value import Mood

Scores = Mapping[str, float]

CALM = {"angry": 0.0, "happy": 0.1, "neutral": 0.9}
SMILE = {"angry": 0.0, "happy": 0.9, "neutral": 0.1}
SCOWL = {"angry": 0.8, "happy": 0.0, "neutral": 0.2}


def spread(main: str, share: float) -> dict[str, float]:
    """``share`` for one emotion of FER2013, the rest for the others alike."""
    rest = (1 - share) / (len(FER2013_EMOTIONS) - 1)
    return {name: share if name == main else rest for name in FER2013_EMOTIONS}


def face(scores: Scores, track_id: int | None = 1, accepted: bool = True) -> Face:
    emotion = max(scores, key=scores.__getitem__)
    return Face((0, 0, 50, 50), 0.9, emotion, scores[emotion], accepted, scores, track_id)


def frame(t_s: float | None, *faces: Face) -> FrameResult:
    return FrameResult("test", 640, 480, faces, t_s)


def run(
    tracker: MoodTracker, scores_at: Callable[[float], Scores | None], until_s: float, fps: float, start_s: float = 0.0
) -> list[Mood]:
    """One person whose face at t is ``scores_at(t)``, or not there (None), at 0, 1/fps, … until_s; their moods."""
    moods = []
    for index in range(round(until_s * fps) + 1):
        t_s = index / fps
        scores = scores_at(t_s)
        moods += tracker.update(frame(start_s + t_s, *([] if scores is None else [face(scores)])))
    return moods
