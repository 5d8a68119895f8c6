"""Faces of a video are classified on a grid of its time, and new ones at once."""

from __future__ import annotations

from mien.video.rhythm import ClassifyRhythm


def due(rhythm: ClassifyRhythm, fps: float, count: int, first: int = 0) -> list[int]:
    """Numbers of the frames that are due, of ``count`` frames with one face from frame ``first`` on."""
    return [index for index in range(first, first + count) if rhythm.is_due(index / fps, [1])]


def test_at_most_so_many_a_second() -> None:
    assert due(ClassifyRhythm(15), 30, 10) == [0, 2, 4, 6, 8]
    assert due(ClassifyRhythm(15), 25, 10) == [0, 2, 4, 5, 7, 9]
    assert due(ClassifyRhythm(15), 10, 5) == [0, 1, 2, 3, 4]
    assert due(ClassifyRhythm(None), 60, 5) == [0, 1, 2, 3, 4]
    assert len(due(ClassifyRhythm(15), 30000 / 1001, 3000)) in range(1500, 1503)


def test_the_moments_do_not_depend_on_where_reading_began() -> None:
    whole = due(ClassifyRhythm(15), 30, 100)
    assert due(ClassifyRhythm(15), 30, 60, first=40) == [index for index in whole if index >= 40]


def test_a_new_face_is_due_at_once() -> None:
    rhythm = ClassifyRhythm(15)
    assert rhythm.is_due(0.0, [1])
    assert rhythm.is_due(1 / 30, [1, 2]) and not rhythm.is_due(1 / 30 + 0.001, [2])
    assert not rhythm.is_due(1 / 30 + 0.002, [])
