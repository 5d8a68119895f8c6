"""What each person of a video showed, in constant memory: a summary, and means over time to draw.

    tracks = TrackSummary("lecture.mp4", labels)
    for seen in stream: tracks.add(seen.result)
    tracks.to_dict(); tracks.people()[0].series

The time line is cut into at most 240 stretches; when a video outgrows them, neighbours are merged and all are twice as
long. So an hour costs as much as a minute, and a passer-by next to nothing.

Not here: who is who (tracker.py), the drawing (timeline.py).

Shape legend: C emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.emotions import valence_arousal
from mien.contract.results import Face, FrameResult

STRETCHES = 240
"""More than there are pixels to tell apart in a chart."""

FIRST_STRETCH_S = 0.25


@dataclass
class Person:
    """One track: totals over its frames, and sums for each stretch of time in which it was seen.

    Attributes:
        track_id: its number.
        from_s: when it was first seen.
        to_s: when it was last seen.
        frames: in which it was seen.
        accepted: of these, in how many the model did not abstain.
        sum_C: of the scores.
        series: by number of the stretch, the sum of scores and the frames in it.
    """

    track_id: int
    from_s: float
    to_s: float
    sum_C: NDArray[np.float64]
    frames: int = 0
    accepted: int = 0
    series: dict[int, tuple[NDArray[np.float64], int]] = field(default_factory=dict)

    def see(self, face: Face, t_s: float, stretch: int) -> None:
        """Take in one face."""
        scores_C = np.array(list(face.scores.values()))
        before_C, count = self.series.get(stretch, (0.0, 0))
        self.series[stretch] = (before_C + scores_C, count + 1)
        self.sum_C += scores_C
        self.frames += 1
        self.accepted += face.accepted
        self.to_s = t_s

    def halve(self) -> None:
        """Merge neighbouring stretches."""
        merged: dict[int, tuple[NDArray[np.float64], int]] = {}
        for stretch, (sum_C, count) in self.series.items():
            before_C, before = merged.get(stretch // 2, (0.0, 0))
            merged[stretch // 2] = (before_C + sum_C, before + count)
        self.series = merged


class TrackSummary:
    """The people of one video.

    Args:
        source: its name.
        labels: emotions, in the order of every face's scores.
    """

    def __init__(self, source: str, labels: Sequence[str]) -> None:
        self.source, self.labels = source, tuple(labels)
        self.stretch_s = FIRST_STRETCH_S
        self.from_s: float | None = None
        self.to_s = 0.0
        self.frames = self.faceless = 0
        self._people: dict[int, Person] = {}

    def add(self, result: FrameResult) -> None:
        """Take in one frame of the video, in order of time."""
        assert result.t_s is not None, "photos have no tracks"
        self.from_s = result.t_s if self.from_s is None else self.from_s
        self.to_s = result.t_s
        self.frames += 1
        self.faceless += not result.faces
        while (stretch := int((result.t_s - self.from_s) / self.stretch_s)) >= STRETCHES:
            self.stretch_s *= 2
            for person in self._people.values():
                person.halve()
        for face in result.faces:
            if face.track_id is None:
                continue
            if face.track_id not in self._people:
                none_C = np.zeros(len(self.labels))
                self._people[face.track_id] = Person(face.track_id, result.t_s, result.t_s, none_C)
            self._people[face.track_id].see(face, result.t_s, stretch)

    def people(self) -> list[Person]:
        """Who was seen, the most seen first."""
        return sorted(self._people.values(), key=lambda person: (-person.frames, person.track_id))

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON: the video, and for each person mean scores, valence and arousal."""
        return {
            "source": self.source,
            "from_s": self.from_s,
            "to_s": self.to_s,
            "frames": self.frames,
            "frames_without_face": self.faceless,
            "tracks": [self._person(person) for person in self.people()],
        }

    def _person(self, person: Person) -> dict[str, Any]:
        means_C = (person.sum_C / person.frames).tolist()
        scores = {label: round(mean, 4) for label, mean in zip(self.labels, means_C, strict=True)}
        valence, arousal = valence_arousal(scores)
        emotion = max(scores, key=scores.__getitem__)
        return {
            "track_id": person.track_id,
            "from_s": person.from_s,
            "to_s": person.to_s,
            "frames": person.frames,
            "emotion": emotion,
            "mean_scores": scores,
            "accepted": round(person.accepted / person.frames, 4),
            "valence": round(valence, 4),
            "arousal": round(arousal, 4),
        }
