"""In which frames of a video the faces are classified.

    rhythm = ClassifyRhythm(per_s=15)
    if rhythm.is_due(t_s, track_ids): ...          # cut the faces out and classify them

An expression takes a tenth of a second at least, and scores are smoothed over half a second, so 15 answers a second say
as much as 30 and cost half. The moments lie on a grid of the video's own time: a range of a video is classified in the
same frames as the whole of it. A face that was not there before is classified at once.

Not here: in which frames faces are searched (following.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SLACK_S = 1e-6
"""By which a frame's time may miss the grid: timestamps are rounded."""


class ClassifyRhythm:
    """Says for each frame of one video whether it is due. Not for several threads at once.

    Args:
        per_s: how often a second at most; None for every frame.
    """

    def __init__(self, per_s: float | None) -> None:
        self._per_s = per_s
        self._tick = -math.inf
        self._known: frozenset[int] = frozenset()

    def is_due(self, t_s: float, track_ids: Sequence[int]) -> bool:
        """Whether the faces of this frame have to be classified.

        Args:
            t_s: the frame's time in seconds.
            track_ids: who is in it.
        """
        if self._per_s is None:
            return True
        tick = math.floor((t_s + SLACK_S) * self._per_s)
        if tick == self._tick and self._known.issuperset(track_ids):
            return False
        self._tick, self._known = tick, frozenset(track_ids)
        return True
