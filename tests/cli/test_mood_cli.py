"""``mien mood``: a store looked at, exported and emptied; the mood of a recording. Through typer's runner."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mood_frames import CALM, SCOWL, SMILE, face, frame
from recordings import record
from tiny_onnx import TINY_CARD, write_tiny_model
from typer.testing import CliRunner, Result

from mien.cli.app import command_line
from mien.cli.mood_tables import span
from mien.contract.errors import MienError
from mien.mood import NOTE, MoodStore, MoodTracker
from mien.recognition.recognizer import Recognizer, largest_first
from mien.serve.engine import EngineResult
from mien.serve.live import LiveSession
from mien.video.reader import VideoReader
from mien.video.row_schema import rows

NOON = datetime(2026, 11, 21, 12, 0).timestamp()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Two sessions of one day: a person who smiles, then scowls, and one who is calm."""
    with MoodStore(tmp_path / "mood.db") as store:
        for source, start in (("front door", NOON), ("kitchen", NOON + 3600)):
            session = store.open_session(source, datetime.fromtimestamp(start))
            tracker = MoodTracker(baseline_s=10)
            for index in range(45 * 5):
                t_s = index / 5
                shown = CALM if t_s <= 15 or source == "kitchen" else SMILE if t_s <= 30 else SCOWL
                store.add(session, tracker.update(frame(t_s, face(shown))), start + t_s)
            store.end_session(session, start + 45)
    return tmp_path / "mood.db"


def mien(
    *arguments: str | Path | float, input: str | None = None, width: int = 80, verb: tuple[str, ...] = ("mood",)
) -> Result:
    done = CliRunner().invoke(command_line(), [*verb, *map(str, arguments)], input=input, env={"COLUMNS": str(width)})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_sessions(db: Path) -> None:
    found = json.loads(mien("sessions", "--db", db, "--format", "json").stdout)
    assert [(each["id"], each["source"], each["person_s"]) for each in found] == [
        (2, "kitchen", 45),
        (1, "front door", 45),
    ]
    table = mien("sessions", "--db", db).stdout
    assert "front door" in table and "2026-11-21 12:00" in table and "45 s" in table


def test_show(db: Path) -> None:
    done = mien("show", 1, "--db", db, "--step", 15)
    for text in ("session 1, front door", "happy", "angry", "every 15 s", "12:00:30"):
        assert text in done.stdout
    assert "…" not in done.stdout  # it fits 80 columns
    assert NOTE in done.stderr
    plain = json.loads(mien("show", 1, "--db", db, "--step", 15, "--format", "json").stdout)
    assert plain["summary"]["note"] == NOTE
    assert [row["label"] for row in plain["timeline"]] == ["neutral", "happy", "angry"]
    assert plain["timeline"][2]["stress_index"] > plain["timeline"][1]["stress_index"] == 0
    assert [episode["label"] for episode in plain["summary"]["people"][0]["episodes"]] == ["happy", "angry"]


def test_show_of_nobody(db: Path) -> None:
    done = mien("show", 1, "--track", 9, "--db", db)
    assert "nobody was seen" in done.stderr


def test_days_and_weeks(db: Path) -> None:
    plain = json.loads(mien("days", "--db", db, "--format", "json").stdout)
    assert [(day["day"], day["person_s"], day["sessions"]) for day in plain["days"]] == [("2026-11-21", 90, 2)]
    assert plain["trends"]["valence"] is None
    (week,) = json.loads(mien("days", "--weeks", "--db", db, "--format", "json").stdout)["weeks"]
    assert week["day"] == "2026-W47"
    assert "2026-11-21" in mien("days", "--db", db).stdout
    assert "nothing is stored for these days" in mien("days", "--from", "2026-11-22", "--db", db).stderr


def test_export(db: Path, tmp_path: Path) -> None:
    mien("export", 1, "--db", db, "--out", tmp_path / "one.csv")
    with (tmp_path / "one.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 45
    assert len(json.loads(mien("export", 2, "--db", db).stdout)["seconds"]) == 45


def test_delete_asks_and_deletes(db: Path) -> None:
    assert mien("delete", 1, "--db", db, input="n\n").exit_code == 1
    assert len(json.loads(mien("sessions", "--db", db, "--format", "json").stdout)) == 2
    done = mien("delete", 1, "--db", db, input="y\n")
    assert "Delete 1 session, 45 s, for good?" in done.stderr and "deleted: 1 session" in done.stderr
    assert [each["id"] for each in json.loads(mien("sessions", "--db", db, "--format", "json").stdout)] == [2]
    mien("delete", "--all", "--yes", "--db", db)
    assert "nothing is stored" in mien("sessions", "--db", db).stderr
    assert mien("delete", "--db", db).exit_code == 2
    with pytest.raises(MienError, match="there is no session 1"):
        mien("delete", 1, "--yes", "--db", db)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"none\.db: there is no store here; mien serve makes one"):
        mien("sessions", "--db", tmp_path / "none.db")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    lines = []
    for index in range(90 * 5):
        t_s = index / 5
        shown = frame(t_s, face(SCOWL if t_s > 70 else CALM, 3))
        lines += [json.dumps(row) for row in rows(shown, list(CALM))]
    path = tmp_path / "faces.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_summary_of_a_recording(recording: Path) -> None:
    done = mien("summary", recording)
    assert "neutral 81%, angry 19%" in done.stdout and "1:13.2" in done.stdout  # the label follows smoothed scores
    assert NOTE in done.stderr
    (plain,) = json.loads(mien("summary", recording, "--format", "json").stdout)
    (person,) = plain["people"]
    assert (plain["source"], person["track_id"], person["person_s"]) == ("test", 3, 90)
    assert person["stress_peak"] == pytest.approx(100 * 0.8 * 19.8 / 60, abs=1)
    (without,) = json.loads(mien("summary", recording, "--baseline-s", 0, "--format", "json").stdout)
    assert without["people"][0]["stress_peak"] >= person["stress_peak"]


def test_a_short_recording_says_why_it_has_no_index(recording: Path) -> None:
    assert "--baseline-s 0 goes without one" in mien("summary", recording, "--baseline-s", 600).stderr


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A video of nine seconds whose one face turns from neutral to angry to happy, and a model that never abstains."""
    folder = tmp_path_factory.mktemp("clip")
    shown = [np.full((64, 64, 3), level, np.uint8) for level in [250] * 30 + [10] * 30 + [128] * 30]
    return record(folder / "clip.mp4", shown, Fraction(10)), write_tiny_model(
        folder / "tiny.onnx", replace(TINY_CARD, accept_threshold=0.0)
    )


@pytest.fixture(scope="module")
def live_person(clip: tuple[Path, Path]) -> dict[str, Any]:
    """What the server's live session says of the clip's one person."""
    video, model = clip
    recognizer, live = Recognizer(model, "none"), LiveSession("clip", baseline_s=2)
    with VideoReader(str(video)) as reader:
        for frame in reader.frames():
            assert frame.t_s is not None
            found = largest_first(recognizer.detector.detect(frame.frame_rgb))
            crops_NSS = recognizer.crops(frame.frame_rgb, found)
            probs_NC = recognizer.classifier(crops_NSS)
            result = recognizer.result(64, 64, found, probs_NC, "clip")
            live.see(EngineResult(result, found, probs_NC, crops_NSS, 0, 0), round(frame.t_s, 6))
    (person,) = live.mood.summary().to_dict()["people"]
    assert [each["label"] for each in person["episodes"]] == ["angry", "happy"]
    return dict(person)


def test_a_video_has_the_same_mood_live_and_offline(clip: tuple[Path, Path], live_person: dict[str, Any]) -> None:
    video, model = clip
    options = ("--model", model, "--detector", "none", "--baseline-s", 2, "--format", "json")
    (offline,) = json.loads(mien("summary", video, *options).stdout)
    (person,) = offline["people"]
    expected = json.loads(json.dumps(live_person))
    assert expected["episodes"][-1].pop("end_s") is None  # a recording ends its last episode, a live source does not
    assert person["episodes"][-1].pop("end_s") == pytest.approx(8.9)
    assert person == expected


@pytest.mark.parametrize(("smooth", "tolerance"), [("0", 0.0), ("0.5", 1e-4)])
def test_rows_have_the_mood_of_their_video(
    clip: tuple[Path, Path], live_person: dict[str, Any], tmp_path: Path, smooth: str, tolerance: float
) -> None:
    """Scores that ``mien predict`` smoothed are not smoothed twice; the user is told what remains of it."""
    video, model = clip
    options = ("--model", model, "--detector", "none")
    mien(video, *options, "--smooth", smooth, "--out", tmp_path / "rows.jsonl", verb=("predict",))
    done = mien("summary", tmp_path / "rows.jsonl", "--baseline-s", 2, "--format", "json")
    (person,) = json.loads(done.stdout)[0]["people"]
    for name in ("valence", "arousal", "stress_index", "stress_peak", "scores", "labels"):
        assert person[name] == pytest.approx(live_person[name], abs=100 * tolerance, rel=1e-9), name
    assert person["scores"] == pytest.approx(live_person["scores"], abs=tolerance, rel=1e-9)
    assert ("half-life 0.5 s" in done.stderr) == (smooth != "0")


def test_a_video_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MienError, match=r"none\.mp4: no such"):
        mien("summary", tmp_path / "none.mp4", "--detector", "none")


def test_photos_have_no_mood(tmp_path: Path) -> None:
    path = tmp_path / "photos.jsonl"
    path.write_text(json.dumps(rows(frame(None, face(CALM, None)), list(CALM))[0]) + "\n")
    with pytest.raises(MienError, match="no frames with a time"):
        mien("summary", path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1:00"), (125, "2:05"), (3600, "1:00:00"), (600, "10:00")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
