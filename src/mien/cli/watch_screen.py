"""The screen of ``mien watch``: figures on top, then a row for each person in sight."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mien.contract.results import Face, FrameResult

BAR_CELLS = 18

RECENT_FRAMES = 30
"""That frames/s and latency are taken over."""


class WatchScreen:
    """The screen: a line of figures and a row for each person in sight."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._result: FrameResult | None = None
        self._frames = 0
        self._began_s = time.monotonic()
        self._seen_s: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._latency_s: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._since_s: dict[int, float] = {}
        self._people = 0

    def see(self, result: FrameResult, now_s: float) -> None:
        """Take in a frame; ``now_s`` by the camera's clock."""
        assert result.t_s is not None
        self._result = result
        self._frames += 1
        self._seen_s.append(now_s)
        self._latency_s.append(now_s - result.t_s)
        present = [face.track_id for face in result.faces if face.track_id is not None]
        self._people = max([self._people, *present])  # they are numbered from 1
        self._since_s = {track: self._since_s.get(track, result.t_s) for track in present}

    def summary(self) -> str:
        """One line about all of it."""
        lasted_s = time.monotonic() - self._began_s
        rate = self._frames / max(lasted_s, 1e-3)
        people = "1 person" if self._people == 1 else f"{self._people} people"
        return f"{self._name}: {self._frames:,} frames in {lasted_s:.0f} s ({rate:.1f} a second), {people}"

    def render(self) -> RenderableType:
        """The screen as it should look now."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if self._result is None:
            return Text(f"{self._name}: waiting for a picture …", style="dim")
        span_s = self._seen_s[-1] - self._seen_s[0]
        rate = (len(self._seen_s) - 1) / span_s if span_s > 0 else 0.0
        latency_ms = statistics.median(self._latency_s) * 1000
        head = Text.assemble(
            (self._name, "bold"),
            (f"   {rate:.1f} frames/s   {latency_ms:.0f} ms behind   Ctrl-C ends", "dim"),
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("person", justify="right", no_wrap=True)
        table.add_column("emotion", style="bold", no_wrap=True, min_width=9)
        table.add_column("sure", justify="right", no_wrap=True)
        table.add_column("scores", no_wrap=True, min_width=BAR_CELLS)
        table.add_column("valence", justify="right", no_wrap=True)
        table.add_column("arousal", justify="right", no_wrap=True)
        table.add_column("here for", justify="right", style="dim", no_wrap=True)
        for face in sorted(self._result.faces, key=lambda face: face.track_id or 0):
            table.add_row(*self._row(face))
        if not self._result.faces:
            table.add_row("", Text("nobody", style="not bold dim"), "", "", "", "", "")
        return Group(head, table)

    def _row(self, face: Face) -> list[str | Text]:
        from rich.text import Text

        from mien.contract.emotions import valence_arousal
        from mien.video.timeline import clock

        assert self._result is not None and self._result.t_s is not None
        valence, arousal = valence_arousal(face.scores)
        here_s = self._result.t_s - self._since_s.get(face.track_id or 0, self._result.t_s)
        emotion = Text(face.emotion) if face.accepted else Text(f"{face.emotion}?", style="not bold dim")
        return [
            str(face.track_id),
            emotion,
            f"{face.confidence:.0%}",
            score_bar(face),
            f"{valence:+.2f}",
            f"{arousal:+.2f}",
            clock(float(int(here_s))),
        ]


def score_bar(face: Face) -> Text:
    """All scores as one bar of coloured cells, the most probable first."""
    from rich.text import Text

    from mien.contract.emotion_colours import EMOTION_COLOURS, OTHER_COLOUR

    bar, used, total = Text(), 0, 0.0
    for name, score in sorted(face.scores.items(), key=lambda item: -item[1]):
        total += score
        cells = round(total * BAR_CELLS) - used
        bar.append("█" * cells, style=EMOTION_COLOURS.get(name, OTHER_COLOUR))
        used += cells
    return bar
