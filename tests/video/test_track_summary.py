"""People of a video: totals that no merging changes, and a drawing of them."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.contract.emotion_colours import EMOTION_COLOURS
from mien.contract.results import Face, FrameResult
from mien.video.timeline import MOST_PEOPLE, clock, timeline_svg
from mien.video.track_summary import STRETCHES, TrackSummary

LABELS = ("sad", "happy")


def face(track_id: int, happy: float) -> Face:
    scores = {"sad": 1 - happy, "happy": happy}
    emotion = max(scores, key=scores.__getitem__)
    return Face((0.0, 0.0, 9.0, 9.0), None, emotion, scores[emotion], happy > 0.2, scores, track_id)


def summary(frames: list[tuple[float, list[Face]]], source: str = "a & b.mp4") -> TrackSummary:
    tracks = TrackSummary(source, LABELS)
    for t_s, faces in frames:
        tracks.add(FrameResult(source, 20, 20, tuple(faces), t_s))
    return tracks


def test_means_and_times() -> None:
    tracks = summary([(1.0, [face(1, 0.1)]), (2.0, [face(1, 0.5), face(2, 1.0)]), (3.5, []), (4.0, [face(2, 0.8)])])
    plain = tracks.to_dict()
    assert {key: plain[key] for key in ("source", "from_s", "to_s", "frames", "frames_without_face")} == {
        "source": "a & b.mp4",
        "from_s": 1.0,
        "to_s": 4.0,
        "frames": 4,
        "frames_without_face": 1,
    }
    one, two = plain["tracks"]
    assert (one["track_id"], one["from_s"], one["to_s"], one["frames"], one["accepted"]) == (1, 1.0, 2.0, 2, 0.5)
    assert one["mean_scores"] == {"sad": 0.7, "happy": 0.3} and one["emotion"] == "sad"
    assert one["valence"] == pytest.approx(0.7 * -0.63 + 0.3 * 0.81)
    assert two["mean_scores"] == pytest.approx({"sad": 0.1, "happy": 0.9})


@given(
    gaps_s=st.lists(st.floats(0, 5000), min_size=1, max_size=60),
    happy=st.lists(st.floats(0, 1), min_size=60, max_size=60),
)
def test_merging_stretches_loses_nothing_and_is_bounded(gaps_s: list[float], happy: list[float]) -> None:
    moments = list(itertools.accumulate(gaps_s))
    tracks = summary([(t_s, [face(1, score)]) for t_s, score in zip(moments, happy, strict=False)])
    (person,) = tracks.people()
    assert max(person.series) < STRETCHES
    assert sum(count for _, count in person.series.values()) == person.frames == len(moments)
    total_C = np.sum([sum_C for sum_C, _ in person.series.values()], axis=0)
    assert total_C == pytest.approx(person.sum_C) and person.sum_C.sum() == pytest.approx(len(moments))
    for stretch in person.series:
        begin = tracks.from_s + stretch * tracks.stretch_s  # type: ignore[operator]
        assert any(begin - 1e-6 <= t_s <= begin + tracks.stretch_s + 1e-6 for t_s in moments)


def polygons(svg: str) -> list[tuple[str, list[tuple[float, float]]]]:
    root = ElementTree.fromstring(svg)
    found = []
    for each in root.iter("{http://www.w3.org/2000/svg}polygon"):
        points = [tuple(map(float, point.split(","))) for point in each.attrib["points"].split()]
        found.append((each.attrib["fill"], points))
    return found  # type: ignore[return-value]


def test_the_drawing_says_who_when_and_how_much() -> None:
    """Person 1 in the first half, 80 % happy; person 2 in the second, sad."""
    frames = [(index / 10, [face(1, 0.8)] if index < 100 else [face(2, 0.0)]) for index in range(201)]
    svg = timeline_svg(summary(frames))
    assert "a &amp; b.mp4" in svg and "Person 1" in svg and "201 frames · 2 people" in svg
    happy, sad, *other = polygons(svg)
    assert (happy[0], sad[0]) == (EMOTION_COLOURS["happy"], EMOTION_COLOURS["sad"])  # the most frequent at the bottom
    heights = [max(y for _, y in points) - min(y for _, y in points) for _, points in (happy, sad)]
    assert heights[0] / sum(heights) == pytest.approx(0.8, abs=0.01)
    left, right = min(x for x, _ in happy[1]), max(x for x, _ in happy[1])
    begun = min(x for _, points in other for x, _ in points)
    assert right <= begun + 0.2
    assert (right - left) / 800 == pytest.approx(0.5, abs=0.02)


def test_a_gap_is_empty_and_passers_by_are_counted() -> None:
    frames = [(index / 10, [face(1, 1.0)] if not 50 <= index < 100 else []) for index in range(150)]
    frames += [(15 + index / 10, [face(2 + index, 0.0)]) for index in range(20)]
    svg = timeline_svg(summary(frames))
    assert len(re.findall("Person", svg)) == 1 and "21 people, 20 of them seen too briefly to show" in svg
    happy = [points for colour, points in polygons(svg) if colour == EMOTION_COLOURS["happy"]]
    assert len(happy) == 2


def test_many_people_and_nobody() -> None:
    crowd = [(index / 2, [face(person, 0.5) for person in range(1, 31)]) for index in range(5)]
    svg = timeline_svg(summary(crowd))
    assert len(re.findall("Person", svg)) == MOST_PEOPLE and f"{30 - MOST_PEOPLE} not shown" in svg
    assert "nobody was seen for a second or longer" in timeline_svg(summary([(0.0, []), (1.0, [])]))
    ElementTree.fromstring(timeline_svg(summary([(0.0, [])])))  # a single frame has no length


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (7.24, "0:07.2"),
        (9.97, "0:10"),
        (12.4, "0:12"),
        (65, "1:05"),
        (3599.6, "1:00:00"),
        (3723, "1:02:03"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
