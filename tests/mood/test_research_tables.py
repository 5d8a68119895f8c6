"""Tables for statistics: wide and long agree, and the BIDS files are what BIDS asks for."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace

import pytest
from recorded import LABELS, LENGTH_S, read_recordings, write_rows

from mien.mood.provenance import Provenance
from mien.mood.recording import Recording
from mien.mood.research_tables import bids_name, research_tables

HOW = Provenance({"model": "tiny"}, {"mien": "1"}, {"baseline_s": 15.0}, "1")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    (found,) = read_recordings(write_rows(tmp_path_factory.mktemp("rows") / "rows.parquet"), baseline_s=15)
    return found


@pytest.fixture(scope="module")
def files(recording: Recording) -> dict[str, bytes]:
    return research_tables(recording, "sub-01_task-talk", HOW)


def table(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=delimiter))


def test_the_wide_table_has_every_second_of_every_person(files: dict[str, bytes], recording: Recording) -> None:
    rows = table(files["sub-01_task-talk_seconds.csv"])
    assert [(int(row["second"]), int(row["track_id"])) for row in rows] == [
        (each.second, each.track_id) for each in recording.seconds
    ]
    for row, second in zip(rows, recording.seconds, strict=True):
        assert float(row["valence"]) == pytest.approx(second.valence, abs=5e-5)
        assert row["stress_index"] == "" if second.stress_index is None else float(row["stress_index"]) >= 0
        assert [float(row[f"score_{label}"]) for label in LABELS] == pytest.approx(
            list(second.scores.values()), abs=5e-5
        )


def test_the_long_table_holds_the_same_numbers(files: dict[str, bytes]) -> None:
    wide, long = table(files["sub-01_task-talk_seconds.csv"]), table(files["sub-01_task-talk_seconds-long.csv"])
    assert len(long) == len(LABELS) * len(wide)
    assert {(row["second"], row["track_id"], row["emotion"], row["probability"]) for row in long} == {
        (row["second"], row["track_id"], label, row[f"score_{label}"]) for row in wide for label in LABELS
    }


def test_events_are_episodes_as_bids_writes_them(files: dict[str, bytes], recording: Recording) -> None:
    content = files["sub-01_task-talk_events.tsv"]
    assert content.splitlines()[0].split(b"\t")[:3] == [b"onset", b"duration", b"trial_type"]
    rows = table(content, "\t")
    assert [(row["trial_type"], row["track_id"]) for row in rows] == [("happy", "1"), ("angry", "1")]
    for row, each in zip(rows, recording.summary.people[0].episodes, strict=True):
        assert float(row["onset"]) + float(row["duration"]) == pytest.approx(each.end_s, abs=1e-3)
    about = json.loads(files["sub-01_task-talk_events.json"])
    assert set(rows[0]) <= set(about) and about["onset"]["Units"] == "s"
    assert set(about["trial_type"]["Levels"]) == set(LABELS)
    assert about["Settings"] == {"recognition": {"model": "tiny"}, "mood": {"baseline_s": 15.0}}
    assert about["GeneratedBy"][0]["Name"] == "mien" and about["SoftwareVersions"] == {"mien": "1"}


def test_a_continuous_recording_has_a_row_each_second_and_no_header(files: dict[str, bytes]) -> None:
    about = json.loads(files["sub-01_task-talk_recording-person2_physio.json"])
    assert (about["SamplingFrequency"], about["StartTime"]) == (1, 0)
    lines = gzip.decompress(files["sub-01_task-talk_recording-person2_physio.tsv.gz"]).decode().splitlines()
    assert len(lines) == LENGTH_S + 1
    values = [dict(zip(about["Columns"], line.split("\t"), strict=True)) for line in lines]
    assert values[10]["score_neutral"] == "0.9"
    assert set(values[40].values()) == {"n/a"}  # away
    assert set(about["Columns"]) <= set(about)


def test_names_are_those_that_bids_knows(files: dict[str, bytes]) -> None:
    validator = pytest.importorskip("bids_validator", reason="bids-validator comes with mien[dev]")
    known = validator.BIDSValidator()
    for name in files:
        assert known.is_bids(f"/sub-01/beh/{name}") == ("_seconds" not in name), name


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("sub-01_task-interview_video", "sub-01_task-interview"),
        ("sub-01_ses-2_task-talk_run-1_beh", "sub-01_ses-2_task-talk_run-1"),
        ("My lecture (2)", "My-lecture-2"),
        ("Fête 写真", "Fête-写真"),
        ("???", "recording"),
    ],
)
def test_stems(stem: str, name: str) -> None:
    assert bids_name(stem) == name


def test_somebody_seen_once_is_a_row(recording: Recording) -> None:
    once = replace(recording, seconds=recording.seconds[:2], summary=recording.summary)
    files = research_tables(once, "a", HOW)
    assert len(table(files["a_seconds.csv"])) == 2
    assert len(gzip.decompress(files["a_recording-person1_physio.tsv.gz"]).splitlines()) == 1
