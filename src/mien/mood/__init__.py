"""A stream of results -> mood over time, per person; and a store of it. numpy and sqlite3 are all it needs.

    tracker = MoodTracker()
    for result in results:                              # FrameResults of a video, camera or browser, faceless ones too
        for mood in tracker.update(result): ...         # smoothed scores, valence, arousal, label, stress index
    with MoodStore("mood.db") as store:                 # sessions as per-second aggregates, never images
        session = store.open_session("front camera")
        store.add(session, moods)

What comes out of here is about expressions, not feelings: show ``NOTE`` wherever the stress index is shown.
"""

from mien.mood.episodes import Episode
from mien.mood.mood_tracker import Mood, MoodTracker
from mien.mood.rows import Session
from mien.mood.seconds import Second
from mien.mood.store import MoodStore
from mien.mood.stress import NOTE

__all__ = ["NOTE", "Episode", "Mood", "MoodStore", "MoodTracker", "Second", "Session"]
