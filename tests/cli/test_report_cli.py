"""``mien report``: from a video that the test makes to a page, tables and annotation files."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from recordings import record
from tiny_onnx import write_tiny_model
from typer.testing import CliRunner, Result

from mien.cli.app import command_line
from mien.contract.errors import DataError


def mien(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(command_line(), [*map(str, arguments)], env={"COLUMNS": "100"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds: white (neutral to the tiny model), then mid-grey (happy) from 4 s to 8 s, then white."""
    folder = tmp_path_factory.mktemp("talk")
    level = [127 if 40 <= number < 80 else 250 for number in range(120)]
    frames = (np.full((64, 64, 3), value, dtype=np.uint8) for value in level)
    video = record(folder / "sub-01_task-talk_video.mp4", frames, rate=Fraction(10))
    model = write_tiny_model(folder / "tiny.onnx")
    out = folder / "rows.csv"
    assert mien("predict", video, "--model", model, "--detector", "none", "--smooth", 0, "--out", out).exit_code == 0
    return out


def test_the_rows_have_their_settings_beside_them(rows: Path) -> None:
    about = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))
    with rows.open(newline="") as file:
        assert set(next(csv.reader(file))) <= set(about)
    assert about["DataFile"] == "rows.csv" and about["t_s"]["Units"] == "s"
    settings = about["Settings"]
    assert settings["model"].startswith("tiny (") and settings["detector"] == "none" and settings["smooth"] == 0
    assert {"mien", "python", "numpy", "onnxruntime", "av", "processor"} <= set(about["SoftwareVersions"])


def test_a_video_becomes_a_page_tables_and_annotations(rows: Path, tmp_path: Path) -> None:
    done = mien("report", rows, "--out", tmp_path / "out", "--baseline-s", 0, "--half-life-s", 0.1)
    assert done.exit_code == 0 and "1 video, 1 person, 1 episode" in done.stderr
    stem = "sub-01_task-talk"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [
            "index.html",
            f"{stem}.eaf",
            f"{stem}.vtt",
            f"{stem}_events.json",
            f"{stem}_events.tsv",
            f"{stem}_recording-person1_physio.json",
            f"{stem}_recording-person1_physio.tsv.gz",
            f"{stem}_seconds-long.csv",
            f"{stem}_seconds.csv",
            f"{stem}_seconds.json",
        ]
    )
    with (tmp_path / "out" / f"{stem}_events.tsv").open(newline="") as file:
        (event,) = csv.DictReader(file, delimiter="\t")
    assert event["trial_type"] == "happy"
    assert float(event["onset"]) == pytest.approx(4, abs=0.3) and float(event["duration"]) == pytest.approx(4, abs=0.3)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "120 frames from 0:00 to 0:12" in page and "tiny (" in page
    assert "RELATIVE_MEDIA_URL" in (tmp_path / "out" / f"{stem}.eaf").read_text(encoding="utf-8")


def test_the_folder_has_a_name_by_itself_and_json_lists_the_files(rows: Path) -> None:
    done = mien("report", rows, "--format", "json")
    told = json.loads(done.stdout)
    assert Path(told["page"]) == rows.with_name("rows-report") / "index.html"
    assert all(Path(each).is_file() for each in [told["page"], *told["files"]])


def test_videos_of_one_name_keep_their_files_apart(rows: Path, tmp_path: Path) -> None:
    lines = rows.read_text(encoding="utf-8").splitlines(keepends=True)
    name = lines[1].split(",", 1)[0]
    twice = [*lines, *(line.replace(name, f"/elsewhere/{Path(name).name}") for line in lines[1:])]
    (tmp_path / "two.csv").write_text("".join(twice), encoding="utf-8")
    mien("report", tmp_path / "two.csv")
    assert (tmp_path / "two-report" / "sub-01_task-talk.eaf").is_file()
    assert (tmp_path / "two-report" / "sub-01_task-talk-2.eaf").is_file()


def test_photos_and_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"x\.csv:2: not a row of mien predict --out \(no 't_s'\)"):
        mien("report", tmp_path / "x.csv")
    with pytest.raises(DataError, match="cannot be read"):
        mien("report", tmp_path / "absent.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
