"""How many frames a second each live client may have answered, so that answers stay quick under load.

    pacer = Pacer(most_fps=30)
    pacer.answered(0.08, clients=3)                # seconds that a frame waited for its answer
    pacer.fps                                      # what each client is told to send

While frames wait long, each client gets its share of what the server has been seen to answer, less a fifth. While they
do not, the rate rises slowly. A slow machine whose single frames take long is not punished: "long" is measured against
the quickest answers of late.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

LEAST_FPS = 0.5
"""Nobody is slowed down further; whoever comes beyond that is asked to come later (``routes_live.LATE_S``)."""

SLOW_S = 0.25
"""Frames that wait longer on average are too many. Half of it counts as quick."""

ADJUST_EVERY_S = 0.25
"""How often the rate rises."""

CUT_EVERY_S = 1.0
"""How often it falls at most: the frames that wait already must be answered before a cut shows."""

WINDOW_S = 2.0
"""The answers of this time are counted to know what the server can do."""


class Pacer:
    """The common rate of all live clients.

    Args:
        most_fps: the highest rate.
        clock: seconds, monotonic.
    """

    def __init__(self, most_fps: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.fps = self.most_fps = most_fps
        self.late_s = 0.0
        self._clock = clock
        self._quickest_s: float | None = None
        self._raised = self._cut = clock()
        self._answers: deque[float] = deque()

    def next_turn(self, turn_s: float, now_s: float) -> float:
        """When a client's next frame is looked at, after one that had its turn at ``turn_s`` and whose answer is out.

        After a quick answer it counts from the turn, so that sending and timers cost no frame. After a slow one it
        counts from the answer, so that clients whose frames came together move apart.
        """
        quickest_s = self._quickest_s or 0.0
        quick = now_s - turn_s < 2 * quickest_s
        return max(now_s, (turn_s if quick else now_s - quickest_s) + 1 / self.fps)

    def answered(self, waited_s: float, clients: int) -> None:
        """Take how long a frame waited, and how many clients there are; ``late_s`` is the mean of the last few."""
        now = self._clock()
        self._answers.append(now)
        while now - self._answers[0] > WINDOW_S:
            self._answers.popleft()
        self.late_s += (waited_s - self.late_s) / 5
        self._quickest_s = waited_s if self._quickest_s is None else min(waited_s, self._quickest_s * 1.001)
        slow_s = max(SLOW_S, 2 * self._quickest_s)
        if self.late_s > slow_s and now - self._cut >= CUT_EVERY_S:
            self._cut = self._raised = now
            throughput = (len(self._answers) - 1) / max(0.5, now - self._answers[0])
            self.fps = min(self.fps, max(LEAST_FPS, 0.8 * throughput / max(1, clients)))
        elif self.late_s < slow_s / 2 and now - self._raised >= ADJUST_EVERY_S:
            self._raised = now
            self.fps = min(self.most_fps, 1.03 * self.fps + 0.01)

    def reset(self) -> None:
        """Nobody is live any more."""
        self.fps, self.late_s, self._quickest_s = self.most_fps, 0.0, None
