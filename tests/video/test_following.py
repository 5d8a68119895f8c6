"""Frames are searched when something happens, and small where the faces are large; nobody changes numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.recognition.detectors import Detections
from mien.video.following import KNOWN_FACE_PX, WHOLE_EVERY_S, Follower


class Marked:
    """Finds the white squares of dark frames, and keeps what it was asked to search."""

    name = "none"
    smallest_face_px = 10

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        self.shapes.append((frame_rgb.shape[0], frame_rgb.shape[1]))
        found = []
        for colour in (0, 2):  # a red face and a blue one
            rows, columns = np.nonzero(frame_rgb[:, :, colour] > 128)
            if len(rows) >= 9:
                found.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        return Detections(np.array(found, dtype=np.float64).reshape(-1, 4))


def frame(red: tuple[int, int] | None, blue: tuple[int, int] | None = None, side: int = 160) -> NDArray[np.uint8]:
    picture = np.full((480, 640, 3), 40, dtype=np.uint8)
    for corner, colour in ((red, 0), (blue, 2)):
        if corner is not None:
            left, top = corner
            picture[top : top + side, left : left + side, colour] = 255
    return picture


def test_a_still_face_is_searched_rarely_and_small() -> None:
    detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(27):
        found, ids = follower.follow(detector, frame((200, 150)), index / 30)
        assert ids == [1] and found.boxes_N4 == pytest.approx(np.array([[200, 150, 360, 310]]), abs=4)
    assert len(detector.shapes) <= 13
    assert detector.shapes[0] == (480, 640)
    assert set(detector.shapes[2:]) == {(120, 160)}, f"faces of 160 px are enough at {KNOWN_FACE_PX}"


def test_the_whole_frame_is_searched_once_a_second() -> None:
    detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(100):
        follower.follow(detector, frame((200, 150)), index / 30)
    assert detector.shapes.count((480, 640)) == 1 + int(99 / 30 / WHOLE_EVERY_S)


def test_the_frames_that_are_searched_do_not_depend_on_where_reading_began() -> None:
    searched: list[list[int]] = []
    for began in (0, 41):  # the second one begins in the middle of a second
        detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
        searched.append([])
        for index in range(began, 150):
            before = len(detector.shapes)
            follower.follow(detector, frame((100 + index, 150)), index / 30)
            if len(detector.shapes) > before and index >= 60:
                searched[-1].append(index)
    assert searched[0] == searched[1] and 20 < len(searched[0]) < 50


def test_a_cut_is_searched_at_once() -> None:
    detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(7):
        follower.follow(detector, frame((200, 150)), index / 30)
    before = len(detector.shapes)
    found, _ = follower.follow(detector, 200 - frame(None), 7 / 30)
    assert len(detector.shapes) == before + 1 and detector.shapes[-1] == (480, 640)
    assert len(found) == 2  # all of it is bright now, in red and in blue


def test_a_face_that_comes_or_goes_is_searched_for_in_the_next_frame() -> None:
    detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(9):
        follower.follow(detector, frame((40, 150)), index / 30)
    searched_at = []
    for index in range(9, 15):
        before = len(detector.shapes)
        _, ids = follower.follow(detector, frame((40, 150), (400, 150)), index / 30)
        if len(detector.shapes) > before:
            searched_at.append(index)
    assert sorted(ids) == [1, 2] and 1 in np.diff(searched_at)


def test_a_fast_face_is_followed_frame_by_frame_and_keeps_its_number() -> None:
    detector, follower = Marked(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(60):
        left = round(240 + 80 * np.sin(2 * np.pi * index / 20))
        _, ids = follower.follow(detector, frame((left, 150)), index / 30)
        assert ids == [1]
    assert len(detector.shapes) > 20


def test_every_frame_is_searched_whole_where_that_is_asked_for() -> None:
    detector, follower = Marked(), Follower(detect_every=1, max_gap_s=1.0)
    for index in range(10):
        follower.follow(detector, frame((200, 150)), index / 30)
    assert detector.shapes == [(480, 640)] * 10


def test_a_detector_that_states_no_smallest_face_gets_whole_frames() -> None:
    class Plain(Marked):
        smallest_face_px = None  # type: ignore[assignment]

    detector, follower = Plain(), Follower(detect_every=3, max_gap_s=1.0)
    for index in range(20):
        follower.follow(detector, frame((200, 150)), index / 30)
    assert set(detector.shapes) == {(480, 640)}
