"""Clips of people on known paths, detections of them with known faults, and the figures that trackers are judged by.

    clip = crossing(np.random.default_rng(0))
    found_F = imperfect(clip, rng)                                # one Detections a frame
    figures = score(clip, [(found.boxes_N4, ids), ...])

Paths are in pixels of a 640 x 480 frame, times in seconds at an uneven frame rate. A nearer person hides a farther one.
``render`` draws a clip from real face crops, for real detectors.

Shape legend: F frames, P people, N detections.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mien.recognition.detectors import Detections

Array = NDArray[np.float64]
Rng = np.random.Generator

WIDTH, HEIGHT = 640, 480
SIDE_PX = 80.0
SEEN_SHARE = 0.5
"""A person counts, and can be detected, when at least this share of the face is uncovered and inside the frame."""

FACE_IN_CROP = np.array([4.93, 1.80, 43.15, 48.35]) / 48
"""Where a detector's box lies in a FER2013 crop (margins.py)."""


@dataclass(frozen=True)
class Person:
    """Attributes: where(t_s) -> centre x, y and side of the face crop; from when to when; smaller depth is nearer."""

    where: Callable[[float], tuple[float, float, float]]
    depth: float
    begin_s: float = 0.0
    end_s: float = np.inf


@dataclass(frozen=True, eq=False)
class Clip:
    """A name, frame times and people; ``walls`` are boxes in front of everybody."""

    name: str
    times_F: Array
    people: tuple[Person, ...]
    walls: tuple[tuple[float, float, float, float], ...] = ()

    def squares(self, t_s: float) -> dict[int, Array]:
        """The crop's square of each person who is there, the farthest first."""
        squares = {}
        for index in sorted(range(len(self.people)), key=lambda index: -self.people[index].depth):
            person = self.people[index]
            if person.begin_s <= t_s < person.end_s:
                x, y, side = person.where(t_s)
                squares[index] = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        return squares

    def truth(self, t_s: float) -> dict[int, tuple[Array, float]]:
        """The face's box of each person who is there, clipped to the frame, and the share of it that can be seen."""
        boxes = {}
        for index, square_4 in self.squares(t_s).items():
            boxes[index] = square_4[[0, 1, 0, 1]] + FACE_IN_CROP * (square_4[2] - square_4[0])
        seen = {}
        grid = (np.arange(16) + 0.5) / 16
        for index, box_4 in boxes.items():
            x_GG, y_GG = np.meshgrid(*(box_4[axis] + grid * (box_4[axis + 2] - box_4[axis]) for axis in (0, 1)))
            open_GG = (x_GG >= 0) & (x_GG < WIDTH) & (y_GG >= 0) & (y_GG < HEIGHT)
            nearer = [boxes[other] for other in boxes if self.people[other].depth < self.people[index].depth]
            for x1, y1, x2, y2 in [*nearer, *self.walls]:
                open_GG &= ~((x_GG >= x1) & (x_GG < x2) & (y_GG >= y1) & (y_GG < y2))
            inside_4 = np.clip(box_4, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
            if open_GG.any():
                seen[index] = (inside_4, float(open_GG.mean()))
        return seen


def times(rng: Rng, seconds: float, fps: float = 30.0, uneven: float = 0.3) -> Array:
    """Frame times whose intervals vary by a share of ``uneven``."""
    return np.cumsum(rng.uniform(1 - uneven, 1 + uneven, round(seconds * fps)) / fps)


def straight(x: float, y: float, vx: float, vy: float = 0.0, side: float = SIDE_PX, begin_s: float = 0.0) -> Callable:
    return lambda t_s: (x + vx * (t_s - begin_s), y + vy * (t_s - begin_s), side)


def crossing(rng: Rng, seconds: float = 4.0, fps: float = 30.0) -> Clip:
    """Two people pass each other at the same height; the nearer one hides the other whole for a while."""
    y, tilt = rng.uniform(160, 320), rng.uniform(-20, 20)
    speed_one, speed_other = rng.uniform(120, 260, 2)
    meet_s, meet_x = seconds / 2, WIDTH / 2
    near = Person(straight(meet_x - speed_one * meet_s, y, speed_one, tilt, SIDE_PX * rng.uniform(1, 1.25)), 1)
    far = Person(straight(meet_x + speed_other * meet_s, y, -speed_other, -tilt, SIDE_PX * rng.uniform(0.75, 1)), 2)
    return Clip("crossing", times(rng, seconds, fps), (near, far))


def pillar(rng: Rng, seconds: float = 5.0, fps: float = 30.0) -> Clip:
    """Two people, one after the other, walk behind a pillar that hides each for about half a second."""
    speed = rng.uniform(150, 220)
    wide = 0.5 * speed + 20
    wall = (300 - wide / 2, 0.0, 300 + wide / 2, float(HEIGHT))
    first = Person(straight(160, rng.uniform(180, 280), speed), 1)
    second = Person(straight(0, rng.uniform(180, 280), speed), 2)
    return Clip("pillar", times(rng, seconds, fps), (first, second), (wall,))


def sway(rng: Rng) -> Callable[[float], tuple[float, float, float]]:
    """Somebody who wanders about the middle of the frame and to and fro, at up to about two faces a second."""
    swing_2 = rng.uniform([120, 40], [220, 110])
    hertz_2, phase_2 = rng.uniform(0.06, 0.14, 2), rng.uniform(0, 2 * np.pi, 2)
    side, zoom = rng.uniform(0.75, 1.2) * SIDE_PX, rng.uniform(0, 0.2)

    def where(t_s: float) -> tuple[float, float, float]:
        x, y = np.array([WIDTH, HEIGHT]) / 2 + swing_2 * np.sin(2 * np.pi * hertz_2 * t_s + phase_2)
        return float(x), float(y), float(side * (1 + zoom * np.sin(0.5 * t_s + phase_2[0])))

    return where


def crowd(rng: Rng, people: int = 5, seconds: float = 12.0, fps: float = 30.0) -> Clip:
    """Several people who wander about and hide each other time and again."""
    return Clip("crowd", times(rng, seconds, fps), tuple(Person(sway(rng), depth) for depth in range(people)))


def door(rng: Rng, seconds: float = 12.0, fps: float = 30.0) -> Clip:
    """People come in on the left, walk through and leave on the right, one after the other, past one who stays."""
    people = [Person(straight(330, 250, rng.uniform(-8, 8), 0, SIDE_PX * 1.2), 0)]
    begin_s = 0.0
    while begin_s < seconds - 2:
        speed, y = rng.uniform(140, 240), rng.uniform(120, 360)
        where = straight(-50, y, speed, rng.uniform(-15, 15), SIDE_PX * rng.uniform(0.8, 1.1), begin_s)
        people.append(Person(where, len(people), begin_s, begin_s + (WIDTH + 100) / speed))
        begin_s += rng.uniform(0.8, 1.6)
    return Clip("door", times(rng, seconds, fps), tuple(people))


SCENES: dict[str, Callable[[Rng], Clip]] = {"crossing": crossing, "pillar": pillar, "crowd": crowd, "door": door}


def imperfect(
    clip: Clip, rng: Rng, noise: float = 0.04, missed: float = 0.1, false_alarms: float = 0.01
) -> list[Detections]:
    """What a detector might say of each frame: edges off by ``noise`` of a side (standard deviation), a share of the
    faces missed, a share of the frames with a face where there is none; in no particular order."""
    found = []
    for t_s in clip.times_F:
        boxes = []
        for box_4, share in clip.truth(t_s).values():
            if share >= SEEN_SHARE and rng.random() >= missed:
                side = np.sqrt(np.prod(box_4[2:] - box_4[:2]))
                boxes.append(box_4 + rng.normal(0, noise * side, 4))
        if rng.random() < false_alarms:
            x, y = rng.uniform(40, WIDTH - 40), rng.uniform(40, HEIGHT - 40)
            boxes.append(np.array([x - 30, y - 30, x + 30, y + 30]))
        rng.shuffle(boxes)
        found.append(Detections(np.array(boxes).reshape(-1, 4)))
    return found


Answer = tuple[Array, list[int]]
"""Boxes of one frame and their track ids."""


def score(clip: Clip, answers_F: Sequence[Answer], least_iou: float = 0.5) -> Counter[str]:
    """Count what MOTA and IDF1 are made of; counts of several clips may be added.

    MOTA counts misses, false boxes and identity switches (Bernardin & Stiefelhagen 2008): a pair that overlapped in
    the last frame and still does stays a pair. IDF1 asks how long one id covered one person, under the best pairing of
    ids with people over the whole clip (Ristani et al. 2016). Boxes on people who are mostly hidden count for neither.
    """
    total: Counter[str] = Counter()
    last_id: dict[int, int] = {}
    together: defaultdict[tuple[int, int], int] = defaultdict(int)
    for t_s, (boxes_N4, ids) in zip(clip.times_F, answers_F, strict=True):
        assert len(set(ids)) == len(ids)
        truth = clip.truth(t_s)
        counted = [person for person, (_, share) in truth.items() if share >= SEEN_SHARE]
        hidden = [person for person in truth if person not in counted]
        iou_PN = np.array([[iou(truth[person][0], box_4) for box_4 in boxes_N4] for person in counted])
        iou_PN = iou_PN.reshape(len(counted), len(boxes_N4))
        worth_PN = np.where(iou_PN >= least_iou, iou_PN, -1e3)
        for row, person in enumerate(counted):
            for column, track_id in enumerate(ids):
                if last_id.get(person) == track_id and iou_PN[row, column] >= least_iou:
                    worth_PN[row, column] += 10
        pairs = [pair for pair in zip(*linear_sum_assignment(-worth_PN), strict=True) if worth_PN[pair] > 0]
        for row, column in pairs:
            person, track_id = counted[row], ids[column]
            total["switches"] += last_id.get(person, track_id) != track_id
            last_id[person] = track_id
        taken = {column for _, column in pairs}
        ignored = {
            column
            for column, box_4 in enumerate(boxes_N4)
            if column not in taken and any(iou(truth[person][0], box_4) >= least_iou for person in hidden)
        }
        for row, column in zip(*np.nonzero(iou_PN >= least_iou), strict=True):
            if column not in ignored:
                together[counted[row], ids[column]] += 1
        total["faces"] += len(counted)
        total["boxes"] += len(boxes_N4) - len(ignored)
        total["misses"] += len(counted) - len(pairs)
        total["false"] += len(boxes_N4) - len(ignored) - len(pairs)
    people = sorted({person for person, _ in together})
    tracks = sorted({track_id for _, track_id in together})
    frames_PT = np.array([[together[person, track_id] for track_id in tracks] for person in people]).reshape(
        len(people), len(tracks)
    )
    total["covered"] = int(frames_PT[linear_sum_assignment(-frames_PT)].sum())
    return total


def mota(total: Counter[str]) -> float:
    return 1 - (total["misses"] + total["false"] + total["switches"]) / total["faces"]


def idf1(total: Counter[str]) -> float:
    return 2 * total["covered"] / (total["faces"] + total["boxes"])


def iou(one_4: Array, other_4: Array) -> float:
    sides_2 = np.maximum(np.minimum(one_4[2:], other_4[2:]) - np.maximum(one_4[:2], other_4[:2]), 0)
    shared = float(np.prod(sides_2))
    return shared / float(np.prod(one_4[2:] - one_4[:2]) + np.prod(other_4[2:] - other_4[:2]) - shared)


def render(
    clip: Clip, faces: Sequence[NDArray[np.uint8]], background_rgb: NDArray[np.uint8]
) -> list[NDArray[np.uint8]]:
    """Draw each frame: face crops (grey or RGB) under soft oval masks, the nearer over the farther, walls in front."""
    import cv2

    frames = []
    for t_s in clip.times_F:
        frame_HW3 = background_rgb.astype(np.float32)
        for index, (x1, y1, x2, _) in clip.squares(t_s).items():
            face = faces[index % len(faces)]
            face_rgb = face if face.ndim == 3 else np.repeat(face[:, :, None], 3, axis=2)
            scale = (x2 - x1) / face.shape[0]
            move_23 = np.array([[scale, 0, x1 + scale / 2 - 0.5], [0, scale, y1 + scale / 2 - 0.5]])
            across = np.linspace(-1, 1, face.shape[0])
            oval = np.clip((1.06 - np.hypot(across[None] * 1.12, across[:, None])) * 8, 0, 1).astype(np.float32)
            size = (WIDTH, HEIGHT)
            moved = cv2.warpAffine(face_rgb.astype(np.float32), move_23, size, flags=cv2.INTER_CUBIC)
            mask = cv2.warpAffine(oval, move_23, size, flags=cv2.INTER_LINEAR)[:, :, None]
            frame_HW3 = frame_HW3 * (1 - mask) + moved * mask
        for wall in clip.walls:
            wx1, wy1, wx2, wy2 = (round(value) for value in wall)
            frame_HW3[wy1:wy2, wx1:wx2] = 70
        frames.append(np.clip(np.rint(frame_HW3), 0, 255).astype(np.uint8))
    return frames
