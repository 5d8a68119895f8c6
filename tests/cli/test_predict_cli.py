"""mien predict as users meet it: what it leaves out, what it prints, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import mien
from mien.cli.predict_report import PrintFormat, Report
from mien.contract.results import Face, FrameResult
from mien.contract.shipped_models import shipped_models


def predict(*arguments: str | Path, status: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``mien predict`` with the smallest model as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "mien", "predict", *map(str, arguments), "--model", "nano"],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"COLUMNS": "120", "NO_COLOR": "1"},
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def holidays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two readable photos, a damaged one, and two that mien does not read."""
    folder = tmp_path_factory.mktemp("photos") / "holidays"
    folder.mkdir()
    shutil.copyfile(mien.SAMPLE_PHOTO, folder / "a.jpg")
    Image.new("RGB", (300, 200), "white").save(folder / "b.png")
    (folder / "c.jpg").write_bytes(mien.SAMPLE_PHOTO.read_bytes()[:5000])
    (folder / "d.cr2").write_bytes(b"raw")
    (folder / "e.nef").write_bytes(b"raw")
    return folder


def test_a_folder_ends_with_a_line_about_all_of_it(holidays: Path) -> None:
    done = predict(holidays, status=1)
    lines = done.stderr.splitlines()
    assert lines[0] == f"{holidays}: 2 images left out that mien does not read here: 1 .cr2, 1 .nef"
    assert any(line.startswith(f"mien: {holidays}/c.jpg: is cut short or damaged") for line in lines)
    assert lines[-1].startswith("3 files: 1 face, 1 unreadable, ") and lines[-1].endswith(" s")
    assert "files:" not in predict(holidays / "a.jpg").stderr  # one file needs no such line


def test_the_closing_line_counts_people_in_videos() -> None:
    report = Report(PrintFormat.table, ("happy", "sad"), "none", unreadable=576)
    report._files, report._faces, report._people = 4320, 3900, {("a.mp4", 1)}
    assert report.closing_line(45.4) == "4,320 files: 3,900 faces, 1 person in videos, 576 unreadable, 45 s"


def test_rows_on_standard_output(holidays: Path) -> None:
    lines = predict(holidays, "--format", "jsonl", status=1).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [Path(row["source"]).name for row in rows] == ["a.jpg", "b.png"]
    assert rows[0]["emotion"] == "happy" and rows[1]["emotion"] is None
    table = list(csv.DictReader(io.StringIO(predict(holidays, "--format", "csv", status=1).stdout)))
    assert [row["emotion"] for row in table] == ["happy", ""] and table[0]["accepted"] == "true"
    assert float(table[0]["score_happy"]) == rows[0]["score_happy"]


def test_a_format_that_does_not_exist_is_one_plain_line(holidays: Path) -> None:
    done = predict(holidays / "a.jpg", "--format", "xml", status=2)
    assert done.stderr.splitlines() == [
        "mien: Invalid value for '--format': 'xml' is not one of 'table', 'json', 'jsonl', 'csv'. "
        "(python -m mien predict --help lists what there is)"
    ]


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("", "mien: an empty name: expected a file or a folder; . is the current folder"),
        (
            "https://anna:secret@example.org//photos//b.jpg",
            "mien: https://example.org//photos//b.jpg: is an address; download it first, then give the file "
            "(mien watch reads cameras' streams)",
        ),
    ],
)
def test_names_that_are_no_files(argument: str, text: str, holidays: Path) -> None:
    done = predict(argument, status=1, cwd=holidays)
    assert done.stderr.splitlines() == [text] and done.stdout == ""


def test_resuming_a_finished_file_ends_as_its_run_did(holidays: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    first = predict(holidays, "--out", out, status=1)
    (problem,) = (line for line in first.stderr.splitlines() if "c.jpg" in line)
    again = predict(holidays, "--out", out, "--resume", status=1)
    assert again.stderr.splitlines()[-2:] == [problem, f"{out}: is whole already"]
    predict(holidays / "a.jpg", "--out", out)  # a new run without problems
    assert predict(holidays / "a.jpg", "--out", out, "--resume").stderr.splitlines()[-1] == f"{out}: is whole already"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.json"]


def test_the_readers_of_images_are_quiet(tmp_path: Path) -> None:
    """libtiff, Pillow and libav write to standard error by themselves; only our line is to be seen."""
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(stream, "TIFF", compression="tiff_lzw")
    whole = stream.getvalue()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2] + bytes(100))
    (tmp_path / "odd.tif").write_bytes(whole[:8] + b"\x99" * 40 + whole[48:])
    (tmp_path / "odd.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    done = predict(tmp_path, "--detector", "none", status=1)
    ours = [line for line in done.stderr.splitlines() if line.startswith(("mien: ", "4 files: "))]
    assert done.stderr.splitlines() == ours and len(ours) >= 4


def test_help_says_what_the_exit_status_means() -> None:
    for words in (["--help"], ["predict", "--help"], ["models", "list", "--help"]):
        done = subprocess.run([sys.executable, "-m", "mien", *words], capture_output=True, text=True)
        assert "Exit status: 0 done; 1 something failed" in " ".join(done.stdout.split())


def test_what_is_recognised_may_lie_in_memory() -> None:
    assert "nano" in shipped_models()
    from_path = mien.recognize(mien.SAMPLE_PHOTO, model="nano")
    from_bytes = mien.recognize(mien.SAMPLE_PHOTO.read_bytes(), model="nano")
    from_pillow = mien.recognize(Image.open(mien.SAMPLE_PHOTO), model="nano")
    assert (from_path.source, from_bytes.source, from_pillow.source) == (str(mien.SAMPLE_PHOTO), "bytes", "array")
    assert from_path.faces == from_bytes.faces == from_pillow.faces and len(from_path.faces) == 1
    face = Face((0, 0, 9, 9), None, "sad", 0.4, True, {"sad": 0.4, "happy": 0.6})
    assert FrameResult("x", 20, 20, (face,)).faces[0] == face
