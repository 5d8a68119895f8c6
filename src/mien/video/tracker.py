"""The same person over frames: a stable number for each face.

    tracker = Tracker(max_gap_s=1.0)                 # one per source
    ids = tracker.update(detections, t_s)            # for each detection the number of its person, from 1 on
    found, ids = tracker.predict(t_s)                # where they should be now, for frames that nobody searched

Each face moves at constant velocity under a Kalman filter (Kalman 1960) whose noises grow with the face and with the
seconds that passed, so frame rates may vary. Detections go to tracks by the assignment of least total cost, strong
detections before weak ones (ByteTrack, Zhang et al. 2022, arXiv:2110.06864). A face that is hidden or missed for up to
``max_gap_s`` keeps its number; numbers are never used again.

Not here: looks. Two people who vanish together and come back exchanged are exchanged, a cut may hand a number
on, and who comes back after more than ``max_gap_s`` is somebody new. Scores over time are smoothed in smoothing.py.

Shape legend: T tracks, D detections; a state is ((x, y), (vx, vy)) of the box's centre in pixels and pixels a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.recognition.detectors import Detections

Array = NDArray[np.float64]

POSITION_NOISE = 0.05
"""Standard deviation of a detector's centre, in sides of the face (geometric mean of width and height)."""

START_SPEED = 2.0
"""Standard deviation of a velocity that nobody has seen yet, in sides a second."""

ACCELERATION = 2.0
"""A velocity strays by this many sides a second within one second: the square root of the white noise's density."""

GATE_DEVIATIONS, GATE_SIDES = 4.0, 1.5
"""A detection may lie this far from where its track is expected: in standard deviations, and never more sides."""

LARGEST_GROWTH = 3.0
"""Nor may a face become so many times larger or smaller from one sight to the next."""

WEAK_SCORE = 0.6
"""Detections below it choose among the tracks that strong ones left over."""

FORBIDDEN = 1e6


@dataclass(eq=False)
class _Track:
    """One person: the state and its covariance at the time of the last sight."""

    track_id: int
    seen_s: float
    state_22: Array
    covariance_22: Array  # of position and velocity along one axis; both axes have the same
    sides_2: Array
    score: float | None
    landmarks_52: Array | None  # from the centre, in sides

    @property
    def side(self) -> float:
        return float(math.sqrt(self.sides_2[0] * self.sides_2[1]))

    def expected(self, t_s: float) -> tuple[Array, Array]:
        """State and covariance at ``t_s``."""
        dt = max(0.0, t_s - self.seen_s)
        step_22 = np.array([[1.0, dt], [0.0, 1.0]])
        strayed_22 = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]) * (ACCELERATION * self.side) ** 2
        return step_22 @ self.state_22, step_22 @ self.covariance_22 @ step_22.T + strayed_22

    def see(self, centre_2: Array, sides_2: Array, t_s: float) -> None:
        """Take in a detection: the filter's correction."""
        state_22, covariance_22 = self.expected(t_s)
        gain_2 = covariance_22[:, 0] / (covariance_22[0, 0] + (POSITION_NOISE * self.side) ** 2)
        self.state_22 = state_22 + np.outer(gain_2, centre_2 - state_22[0])
        self.covariance_22 = covariance_22 - np.outer(gain_2, covariance_22[0])
        self.sides_2 = self.sides_2 + gain_2[0] * (sides_2 - self.sides_2)
        self.seen_s = max(self.seen_s, t_s)


class Tracker:
    """Numbers the people in one source. Not for several threads at once.

    Args:
        max_gap_s: how long a face may be missed and still keep its number.

    Raises:
        ValueError: ``max_gap_s`` is negative or not a number.
    """

    def __init__(self, max_gap_s: float = 1.0) -> None:
        if not max_gap_s >= 0:
            raise ValueError(f"expected max_gap_s >= 0, got {max_gap_s}")
        self.max_gap_s = max_gap_s
        self._tracks: list[_Track] = []
        self._seen: list[_Track] = []  # by the last update, in the order of its detections
        self._last_s = -math.inf
        self._last_id = 0

    def update(self, detections: Detections, t_s: float) -> list[int]:
        """Give each detection of the frame at ``t_s`` its person's number.

        Args:
            detections: faces of this frame.
            t_s: the frame's time in seconds. Where it lies before the last one's, as after a damaged packet, no time
                has passed.

        Returns:
            Track ids in the order of the detections, all different; new people count up from 1.

        Raises:
            ValueError: ``t_s`` is not finite.
        """
        t_s = self._advance(t_s)
        self._tracks = [track for track in self._tracks if t_s - track.seen_s <= self.max_gap_s]
        centres_D2, sides_D2 = _centres_and_sides(detections.boxes_N4)
        strong_D = np.ones(len(detections), dtype=bool)
        if detections.scores_N is not None:
            strong_D = detections.scores_N >= WEAK_SCORE
        cost_TD = self._costs(detections.boxes_N4, t_s)
        chosen: dict[int, _Track] = {}
        for stage_D in (np.flatnonzero(strong_D), np.flatnonzero(~strong_D)):
            left_T = np.array(
                [row for row, track in enumerate(self._tracks) if track not in chosen.values()], dtype=int
            )
            for row, column in assign(cost_TD[np.ix_(left_T, stage_D)]):
                chosen[int(stage_D[column])] = self._tracks[left_T[row]]
        self._seen = []
        for index in range(len(detections)):
            centre_2, sides_2 = centres_D2[index], sides_D2[index]
            if index in chosen:
                chosen[index].see(centre_2, sides_2, t_s)
            else:
                chosen[index] = self._begin(centre_2, sides_2, t_s)
            track = chosen[index]
            if detections.scores_N is not None:
                track.score = float(detections.scores_N[index])
            if detections.landmarks_N52 is not None:
                track.landmarks_52 = (detections.landmarks_N52[index] - centre_2) / sides_2
            self._seen.append(track)
        return [track.track_id for track in self._seen]

    def predict(self, t_s: float, frame_hw: tuple[int, int] | None = None) -> tuple[Detections, list[int]]:
        """Where the faces of the last update should be at ``t_s``, for a frame between two that were searched.

        Args:
            t_s: the frame's time in seconds, not before the last update's.
            frame_hw: height and width in pixels that boxes are clipped to; faces that have left it are left out.
                Without it, boxes may reach outside the frame.

        Returns:
            Their boxes, landmarks and last scores, and their track ids. Faces that the last update missed are not here.

        Raises:
            ValueError: ``t_s`` is not finite.
        """
        _check_time(t_s)
        tracks = self._seen
        centres_T2 = np.array([track.expected(t_s)[0][0] for track in tracks]).reshape(-1, 2)
        halves_T2 = np.array([track.sides_2 for track in tracks]).reshape(-1, 2) / 2
        boxes_T4 = np.concatenate([centres_T2 - halves_T2, centres_T2 + halves_T2], axis=1)
        kept_T = np.ones(len(tracks), dtype=bool)
        if frame_hw is not None:
            height, width = frame_hw
            boxes_T4 = np.clip(boxes_T4, 0, [width, height, width, height])
            kept_T = ((boxes_T4[:, 2:] - boxes_T4[:, :2]) >= 1).all(axis=1)
        kept = np.flatnonzero(kept_T).tolist()
        scores = [track.score for track in tracks]
        landmarks = [track.landmarks_52 for track in tracks]
        scores_N = np.array([scores[index] for index in kept], dtype=np.float64)
        landmarks_N52 = None
        if tracks and all(each is not None for each in landmarks):
            relative_T52 = np.array(landmarks, dtype=np.float64)
            landmarks_N52 = (centres_T2[:, None] + relative_T52 * 2 * halves_T2[:, None])[kept]
        found = Detections(boxes_T4[kept], None if None in scores else scores_N, landmarks_N52)
        return found, [tracks[index].track_id for index in kept]

    def _advance(self, t_s: float) -> float:
        _check_time(t_s)
        self._last_s = max(self._last_s, t_s)
        return self._last_s

    def _begin(self, centre_2: Array, sides_2: Array, t_s: float) -> _Track:
        self._last_id += 1
        side = float(math.sqrt(sides_2[0] * sides_2[1]))
        covariance_22 = np.diag([(POSITION_NOISE * side) ** 2, (START_SPEED * side) ** 2])
        state_22 = np.stack([centre_2, np.zeros(2)])
        track = _Track(self._last_id, t_s, state_22, covariance_22, sides_2.copy(), None, None)
        self._tracks.append(track)
        return track

    def _costs(self, boxes_D4: Array, t_s: float) -> Array:
        """What it costs to say that a detection is a track, FORBIDDEN where it cannot be; shape (T, D)."""
        costs_TD = np.empty((len(self._tracks), len(boxes_D4)))
        centres_D2, sides_D2 = _centres_and_sides(boxes_D4)
        for row, track in enumerate(self._tracks):
            state_22, covariance_22 = track.expected(t_s)
            noise = POSITION_NOISE * track.side
            deviation = math.sqrt(covariance_22[0, 0] + noise**2)
            away_D = np.hypot(*(centres_D2 - state_22[0]).T)
            growth_D = np.exp(np.abs(np.log(sides_D2 / track.sides_2)).max(axis=1))
            limit = min(GATE_DEVIATIONS * deviation, GATE_SIDES * track.side)
            allowed_D = (away_D <= limit) & (growth_D <= LARGEST_GROWTH)
            box_4 = np.concatenate([state_22[0] - track.sides_2 / 2, state_22[0] + track.sides_2 / 2])
            cost_D = 1 - iou(box_4, boxes_D4) + away_D / track.side
            costs_TD[row] = np.where(allowed_D, cost_D, FORBIDDEN)
        return costs_TD


def assign(cost_RC: Array) -> list[tuple[int, int]]:
    """Pair rows with columns so that as many pairs as possible are allowed, and then the sum of costs is least.

    The Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker & Volgenant 1987): what
    ``scipy.optimize.linear_sum_assignment`` does, without its 110 MB.

    Args:
        cost_RC: any number of rows and columns; FORBIDDEN where the two must not be paired, else far below it.

    Returns:
        Pairs (row, column), no row and no column twice, none of them forbidden.
    """
    if cost_RC.shape[0] > cost_RC.shape[1]:
        return [(row, column) for column, row in assign(cost_RC.T)]
    rows, columns = cost_RC.shape
    # Column `columns` is a stand-in where the search for each row begins.
    row_of = np.full(columns + 1, -1)
    row_price, column_price = np.zeros(rows), np.zeros(columns + 1)
    for start in range(rows):
        row_of[columns] = start
        column = columns
        distance, came_from = np.full(columns, np.inf), np.full(columns, columns)
        reached = np.zeros(columns + 1, dtype=bool)
        while row_of[column] >= 0:
            reached[column] = True
            row = row_of[column]
            through = cost_RC[row] - row_price[row] - column_price[:columns]
            shorter = ~reached[:columns] & (through < distance)
            distance[shorter], came_from[shorter] = through[shorter], column
            nearest = int(np.where(reached[:columns], np.inf, distance).argmin())
            step = distance[nearest]
            row_price[row_of[reached]] += step
            column_price[reached] -= step
            distance[~reached[:columns]] -= step
            column = nearest
        while column != columns:  # hand the columns along the path on
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    pairs = [(int(row_of[column]), column) for column in range(columns) if row_of[column] >= 0]
    return sorted((row, column) for row, column in pairs if cost_RC[row, column] < FORBIDDEN)


def _check_time(t_s: float) -> None:
    if not math.isfinite(t_s):
        raise ValueError(f"expected a time in seconds, got {t_s}")


def _centres_and_sides(boxes_D4: Array) -> tuple[Array, Array]:
    return (boxes_D4[:, :2] + boxes_D4[:, 2:]) / 2, boxes_D4[:, 2:] - boxes_D4[:, :2]


def iou(box_4: Array, boxes_D4: Array) -> Array:
    """Intersection over union of one box with each of the others."""
    corner_D2 = np.maximum(box_4[:2], boxes_D4[:, :2])
    shared_D = np.prod(np.maximum(np.minimum(box_4[2:], boxes_D4[:, 2:]) - corner_D2, 0), axis=1)
    areas_D = np.prod(boxes_D4[:, 2:] - boxes_D4[:, :2], axis=1)
    return np.asarray(shared_D / (np.prod(box_4[2:] - box_4[:2]) + areas_D - shared_D))
