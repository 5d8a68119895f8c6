"""The rows of ``mien predict --out faces.jsonl`` as frames again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mood_frames import CALM, SCOWL, face, frame

from mien.contract.errors import DataError
from mien.contract.results import FrameResult
from mien.mood import MoodTracker
from mien.mood.row_reader import read_frames
from mien.video.row_schema import rows


def write(path: Path, *results: FrameResult) -> Path:
    lines = [json.dumps(row) for result in results for row in rows(result, list(CALM))]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_frames_come_back_as_they_were_written(tmp_path: Path) -> None:
    frames = [
        frame(0.0, face(CALM, 1), face(SCOWL, 2, accepted=False)),
        frame(0.1),
        frame(0.2, face(SCOWL, 2)),
        frame(None, face(CALM, None)),  # a photo among them
        frame(0.3, face(CALM, None)),
    ]
    found = list(read_frames(write(tmp_path / "faces.jsonl", *frames)))
    assert [result.t_s for result in found] == [0.0, 0.1, 0.2, 0.3]
    for got, wanted in zip(found, [*frames[:3], frames[4]], strict=True):
        assert [(f.emotion, f.accepted, f.track_id, f.scores) for f in got.faces] == [
            (f.emotion, f.accepted, f.track_id, f.scores) for f in wanted.faces
        ]


def test_the_mood_after_the_fact_is_that_of_the_live_frames(tmp_path: Path) -> None:
    frames = [frame(index / 10, face(SCOWL if 300 < index else CALM)) for index in range(600)]
    live, after = MoodTracker(baseline_s=20), MoodTracker(baseline_s=20)
    for result in frames:
        live.update(result)
    for result in read_frames(write(tmp_path / "faces.jsonl", *frames)):
        after.update(result)
    assert after.summary() == live.summary()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 2.0}, r"faces\.jsonl:2: not a row of mien predict .*expected confidence"),
        ({"x2": None}, r"faces\.jsonl:2: not a row"),
        ({"score_angry": "high"}, r"faces\.jsonl:2: not a row"),
        ({"t_s": "soon"}, r"faces\.jsonl:2: not a row"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "faces.jsonl", frame(0.0, face(CALM)), frame(0.1, face(CALM)))
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps(json.loads(second) | change) + "\n")
    with pytest.raises(DataError, match=message):
        list(read_frames(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n", r":1: not a row .*no 't_s'"),
        (b"[1]\n", ":1: not a row"),
        (b"\xff\xfe", "not a text file"),
        (b"half a ro", ":1: not a row"),
        (b"[" * 5000, ":1: not a row"),
        (None, "cannot be read"),
    ],
)
def test_files_of_something_else(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "faces.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_frames(path))


def test_broken_tables_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"a\.parquet"):
        list(read_frames(tmp_path / "a.parquet"))
    (tmp_path / "a.csv").write_text("source,t_s,emotion\nx.mp4,soon,\n")
    with pytest.raises(DataError, match=r"a\.csv:2: not a row .*could not convert"):
        list(read_frames(tmp_path / "a.csv"))


@pytest.mark.parametrize("content", ["source,t_s,emotion\na.mp4,0.1\n", "source,t_s\na.mp4,0.1,happy\n"])
def test_a_line_of_another_length_than_the_first(tmp_path: Path, content: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"faces\.csv:2: not a row .*not as many fields as the first line names"):
        list(read_frames(path))


def test_a_damaged_parquet_file_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="comes with mien[parquet]")
    path = tmp_path / "faces.parquet"
    path.write_bytes(b"PAR1" + bytes(40))
    with pytest.raises(DataError, match=r"faces\.parquet") as caught:
        list(read_frames(path))
    assert "\n" not in str(caught.value)
