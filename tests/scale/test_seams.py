"""Tracks across the seams of a video."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mien.scale.seams import join_ranges


def row(t_s: float, track: int | None, x: float) -> dict[str, Any]:
    return {"t_s": t_s, "track_id": track, "x1": x, "y1": 0.0, "x2": x + 10.0, "y2": 10.0}


def test_a_person_keeps_the_number_across_a_seam_and_a_new_one_gets_the_next() -> None:
    first = [row(t, track, x) for t in (8.0, 9.0) for track, x in ((1, 0.0), (2, 50.0))]
    # the later range saw the same two people in the overlap, numbered the other way round, and a third one later
    overlap = [row(9.0, 1, 51.0), row(9.0, 2, 1.0)]
    later = [row(10.0, 1, 52.0), row(10.0, 2, 2.0), row(11.0, 3, 200.0), row(12.0, None, 0.0)]
    joined = [rows for rows in join_ranges([(0.0, first), (10.0, overlap + later)])]
    assert joined[0] == first
    assert [each["track_id"] for each in joined[1]] == [2, 1, 3, None]
    assert [each["t_s"] for each in joined[1]] == [10.0, 10.0, 11.0, 12.0]


def test_two_tracks_never_take_the_same_number() -> None:
    first = [row(9.0, 1, 0.0)]
    later = [row(9.0, 1, 0.0), row(9.0, 2, 1.0), row(10.0, 1, 0.0), row(10.0, 2, 1.0)]
    (_, second) = join_ranges([(0.0, first), (10.0, later)])
    assert sorted(each["track_id"] for each in second) == [1, 2]


@given(people=st.integers(1, 5), cuts=st.integers(1, 6))
def test_people_who_stay_in_view_have_one_number_however_the_video_is_cut(people: int, cuts: int) -> None:
    frames = [0.5 * index for index in range(4 * (cuts + 1) * 4)]
    ranges = []
    for cut in range(cuts + 1):
        start_s, end_s = cut * 8.0, (cut + 1) * 8.0
        seen = [t for t in frames if max(0.0, start_s - 2.0) <= t < end_s]
        order = list(range(people))[:: 1 if cut % 2 else -1]  # each range numbers people in an order of its own
        ranges.append((start_s, [row(t, order.index(who) + 1, 30.0 * who) for t in seen for who in range(people)]))
    joined = [each for rows in join_ranges(ranges) for each in rows]
    assert len(joined) == people * len(frames)
    for who in range(people):
        assert len({each["track_id"] for each in joined if each["x1"] == 30.0 * who}) == 1
