"""The mood in a recording that ``mien predict`` has read: who was seen, their seconds, their episodes.

    for recording in recordings_of(read_frames("rows.csv"), "rows.csv", baseline_s=0):
        recording.summary, recording.seconds

One recording for each video of the file. Everything that mien writes about a recording (tables, annotation files, the
page) is made from this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mien.contract.errors import DataError
from mien.contract.results import FrameResult
from mien.mood.episodes import Episode
from mien.mood.mood_tracker import MOOD_GAP_S, MoodTracker
from mien.mood.seconds import Second, by_step
from mien.mood.summary import Summary


@dataclass(frozen=True)
class Recording:
    """One video.

    Attributes:
        source: the video, as the user named it.
        labels: emotions in the model's order.
        begin_s, end_s: times of the first and the last frame that was looked at.
        frames: number of frames that were looked at.
        faceless: of these, how many show no face.
        faces, accepted: faces in all frames, and how many of them the model did not abstain on.
        smoothing_s: half-life by which the scores were smoothed before; the mood undoes that. 0 if they were not.
        seconds: the seconds of all people, by time, then by person.
        summary: of all people together and of each person; every episode has an end.
    """

    source: str
    labels: tuple[str, ...]
    begin_s: float
    end_s: float
    frames: int
    faceless: int
    faces: int
    accepted: int
    smoothing_s: float
    seconds: tuple[Second, ...]
    summary: Summary

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.source).name

    @property
    def frame_s(self) -> float:
        """Mean time between two frames; 0 for a single frame."""
        return (self.end_s - self.begin_s) / max(1, self.frames - 1)

    def seconds_of(self, track_id: int) -> list[Second]:
        """The seconds of one person, oldest first."""
        return [second for second in self.seconds if second.track_id == track_id]


def recordings_of(
    frames: Iterable[FrameResult],
    name: str | Path,
    half_life_s: float = 2.0,
    window_s: float = 60.0,
    baseline_s: float = 60.0,
    max_gap_s: float = MOOD_GAP_S,
) -> list[Recording]:
    """Compute the mood of everybody in ``frames``, one recording for each source.

    Args:
        frames: as ``read_frames`` gives them, or of a video that is read now.
        name: of the file of rows or the video, for messages.
        half_life_s, window_s, baseline_s, max_gap_s: settings of ``MoodTracker``.

    Raises:
        DataError: there are no frames.
        MienError: a setting is out of range.
    """
    found: dict[str, _Open] = {}
    for result in frames:
        if result.source not in found:
            tracker = MoodTracker(half_life_s, window_s, baseline_s, max_gap_s=max_gap_s, history_s=None)
            found[result.source] = _Open(result.source, tracker)
        found[result.source].add(result)
    if not found:
        raise DataError(f"{name}: no frames with a time in it; mood needs a video or its rows, not photos'")
    return [each.close() for each in found.values()]


@dataclass
class _Open:
    """A recording while its rows are read."""

    source: str
    tracker: MoodTracker
    labels: tuple[str, ...] = ()
    times: list[float] = field(default_factory=list)  # of the first and the last frame
    frames: int = 0
    faceless: int = 0
    faces: int = 0
    accepted: int = 0
    smoothing_s: float = 0.0

    def add(self, result: FrameResult) -> None:
        assert result.t_s is not None  # read_frames leaves photos out
        self.tracker.update(result)
        self.times = [*self.times[:1], result.t_s]
        self.frames += 1
        self.faceless += not result.faces
        self.faces += len(result.faces)
        self.accepted += sum(face.accepted for face in result.faces)
        self.smoothing_s = max(self.smoothing_s, result.smoothing_s)
        if result.faces:
            self.labels = tuple(result.faces[0].scores)

    def close(self) -> Recording:
        end_s = self.times[-1]
        summary = self.tracker.summary()
        people = tuple(replace(each, episodes=_ended(each.episodes, end_s)) for each in summary.people)
        rows = [second for track_id in self.tracker.tracks() for second in self.tracker.timeline(track_id)]
        return Recording(
            self.source,
            self.labels,
            self.times[0],
            end_s,
            self.frames,
            self.faceless,
            self.faces,
            self.accepted,
            self.smoothing_s,
            tuple(by_step(rows, 1)),
            replace(summary, people=people),
        )


def _ended(episodes: Sequence[Episode], end_s: float) -> tuple[Episode, ...]:
    """An episode that lasted until the recording's end ends there."""
    return tuple(each if each.end_s is not None else replace(each, end_s=max(end_s, each.onset_s)) for each in episodes)
