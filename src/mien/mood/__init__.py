"""Mood over time for each person, from a stream of recognition results; and a store for it. Needs only sqlite3.

    tracker = MoodTracker()
    for result in results:                              # FrameResults of a video, camera or browser, faceless ones too
        for mood in tracker.update(result): ...         # smoothed scores, valence, arousal, label, stress index
    with MoodStore("mood.db") as store:                 # sessions as per-second aggregates, never images
        session = store.open_session("front camera")
        store.add(session, moods)

Moods describe expressions, not feelings. Show ``NOTE`` wherever you show the stress index.
"""

from mien.mood.episodes import Episode
from mien.mood.mood_tracker import MoodTracker
from mien.mood.mood_value import Mood
from mien.mood.rows import Session
from mien.mood.seconds import Second
from mien.mood.store import MoodStore
from mien.mood.stress import NOTE

__all__ = ["NOTE", "Episode", "Mood", "MoodStore", "MoodTracker", "Second", "Session"]
