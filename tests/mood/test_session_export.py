"""Exports hold the rows, and appear whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from mood_frames import SCOWL, SMILE, face, frame

from mien.contract.errors import OutputError, StoreError
from mien.mood import MoodStore, MoodTracker

NOON = 1_795_262_400.0
COLUMNS = [
    *("session", "time", "second", "track_id", "n", "label", "confidence", "valence", "arousal"),
    *("stress_index", "stress_low", "stress_high", "stress_level", "coverage", "baseline"),
    *("score_angry", "score_happy", "score_neutral"),
]


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with MoodStore(tmp_path / "mood.db") as opened:
        session = opened.open_session('caméra "0"')
        tracker = MoodTracker(baseline_s=2)
        for index in range(80):
            moods = tracker.update(frame(index / 10, face(SCOWL if index < 40 else SMILE)))
            opened.add(session, moods, NOON + index / 10)
        opened.end_session(session, NOON + 8)
        opened.open_session("empty")
        yield opened


def test_csv(store: MoodStore, tmp_path: Path) -> None:
    store.export(1, tmp_path / "one.csv", "csv")
    with (tmp_path / "one.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert (len(rows), rows[0]["time"], rows[0]["label"], rows[-1]["label"]) == (
        8,
        "2026-11-21T12:00:00+00:00",
        "angry",
        "happy",
    )
    assert (rows[0]["stress_index"], rows[0]["baseline"]) == ("", "learning")
    assert [float(row["score_angry"]) for row in rows] == [row.scores["angry"] for row in store.rows(1)]


def test_json(store: MoodStore) -> None:
    stream = io.BytesIO()
    store.export(1, stream)
    plain = json.loads(stream.getvalue())
    assert plain["session"]["source"] == 'caméra "0"'
    assert plain["note"] == "an expression-based index, not a diagnosis"
    assert [row["scores"] for row in plain["seconds"]] == [row.scores for row in store.rows(1)]
    assert plain["seconds"][-1]["stress_index"] == store.rows(1)[-1].stress_index


def test_parquet(store: MoodStore, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="Parquet comes with mien[parquet]")
    store.export(1, str(tmp_path / "one.parquet"), "parquet")
    table = pq.read_table(tmp_path / "one.parquet")
    assert table.column_names == COLUMNS
    assert table.column("stress_index").to_pylist() == [row.stress_index for row in store.rows(1)]
    assert table.column("second").to_pylist() == [NOON + second for second in range(8)]
    assert table.schema.metadata[b"note"] == b"an expression-based index, not a diagnosis"
    assert json.loads(table.schema.metadata[b"session"])["person_s"] == 8


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_a_session_without_rows(store: MoodStore, format: str) -> None:
    stream = io.BytesIO()
    store.export(2, stream, format)
    if format == "json":
        assert json.loads(stream.getvalue())["seconds"] == []
    elif format == "csv":
        assert stream.getvalue().decode() == ",".join(COLUMNS[:15]) + "\r\n"


def test_what_cannot_be_exported(store: MoodStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no export format 'xml'; there are json, csv, parquet"):
        store.export(1, tmp_path / "one.xml", "xml")
    with pytest.raises(StoreError, match="no session 7"):
        store.export(7, tmp_path / "seven.csv", "csv")
    (tmp_path / "mood.db-file").touch()
    with pytest.raises(OutputError, match=r"mood\.db-file/one\.csv: cannot be written \("):
        store.export(1, tmp_path / "mood.db-file" / "one.csv", "csv")
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith("mood.db")]


def test_an_export_that_fails_half_way_leaves_what_was_there(store: MoodStore, tmp_path: Path) -> None:
    target = tmp_path / "one.json"
    target.write_text("the export before")
    rows = store.rows(1)
    object.__setattr__(rows[4], "valence", float("nan"))  # JSON has no NaN
    from mien.mood.session_export import write_session

    with pytest.raises(ValueError):
        write_session(store.session(1), rows, target, "json")
    assert target.read_text() == "the export before"
    assert not list(tmp_path.glob(".*"))


def test_own_class_names_are_kept_as_they_are(tmp_path: Path) -> None:
    with MoodStore(tmp_path / "own.db") as store:
        session = store.open_session("own")
        store.add(session, MoodTracker().update(frame(0.0, face({"Bored": 0.7, "Keen": 0.3}))), NOON)
        stream = io.BytesIO()
        store.export(session, stream, "csv")
        (row,) = csv.DictReader(io.StringIO(stream.getvalue().decode()))
    assert (row["score_Bored"], row["score_Keen"], row["label"]) == ("0.7", "0.3", "Bored")
