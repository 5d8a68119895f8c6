"""Recordings: rows of every format come back as the same people, seconds and episodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from mood_frames import CALM, face, frame
from recorded import LENGTH_S, RATE, read_recordings, shown_frames, write_rows

from mien.contract.errors import DataError, MienError
from mien.mood import MoodTracker
from mien.mood.provenance import read_provenance


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_each_format_gives_the_mood_of_the_live_frames(tmp_path: Path, suffix: str) -> None:
    live = MoodTracker(baseline_s=15, history_s=None)
    for result in shown_frames():
        live.update(result)
    (found,) = read_recordings(write_rows(tmp_path / f"rows{suffix}"), baseline_s=15)
    assert found.labels == tuple(CALM) and found.source == found.name == "test"
    assert (found.begin_s, found.end_s, found.frames, found.faceless) == (0, LENGTH_S, LENGTH_S * RATE + 1, 10)
    assert found.frame_s == pytest.approx(1 / RATE)
    assert [each.person_s for each in found.summary.people] == [each.person_s for each in live.summary().people]
    assert found.seconds_of(1) == live.timeline(1) and found.seconds_of(2) == live.timeline(2)
    assert found.accepted == found.faces - 6  # person 2 in the first second


def test_an_episode_that_lasts_ends_with_the_recording(tmp_path: Path) -> None:
    (found,) = read_recordings(write_rows(tmp_path / "rows.csv"), baseline_s=0)
    smile, scowl = found.summary.people[0].episodes
    assert (smile.label, scowl.label) == ("happy", "angry")
    assert 20 < smile.onset_s < 24 and 40 < (smile.end_s or 0) < 45  # smoothing is behind by its half-life
    assert scowl.end_s == LENGTH_S
    assert found.summary.people[1].episodes == ()


def test_two_videos_of_one_file(tmp_path: Path) -> None:
    from dataclasses import replace

    frames = [frame(0.0, face(CALM)), frame(1.0)]
    path = write_rows(tmp_path / "rows.jsonl", [*frames, *(replace(each, source="b.mp4") for each in frames)])
    assert [(each.source, each.frames) for each in read_recordings(path)] == [("test", 2), ("b.mp4", 2)]


def test_what_cannot_be_a_recording_is_one_line(tmp_path: Path) -> None:
    photos = write_rows(tmp_path / "photos.csv", [frame(None, face(CALM, None))])
    with pytest.raises(DataError, match="no frames with a time in it"):
        read_recordings(photos)
    with pytest.raises(MienError, match="half_life_s: expected more than 0 seconds"):
        read_recordings(write_rows(tmp_path / "rows.csv"), half_life_s=0)


def test_settings_come_from_the_file_beside_the_rows_and_from_no_other(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv", settings={"model": "tiny", "smooth": 0.5})
    how = read_provenance(rows, {"window_s": 60.0}, "1")
    assert how.settings == {"model": "tiny", "smooth": 0.5} and how.mood == {"window_s": 60.0}
    assert {"mien", "numpy", "onnxruntime", "python"} <= set(how.versions)
    assert read_provenance(rows.with_suffix(".jsonl"), {}, "1").settings == {}
    rows.with_suffix(".json").write_text("[]")
    assert read_provenance(rows, {}, "1").versions == {}
