"""Files of rows: the same in every format, complete or marked as partial, and resumed where they stopped."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mien.contract.emotions import valence_arousal
from mien.contract.errors import OutputError
from mien.contract.results import Face, FrameResult
from mien.video.row_file import RowFile
from mien.video.row_log import RowLog
from mien.video.row_schema import columns, rows

LABELS = ("angry", "happy", "neutral")
SCORES = {"angry": 0.1, "happy": 0.7, "neutral": 0.2}
SMILE = Face((1.0, 2.0, 30.5, 40.25), 0.9, "happy", 0.7, True, SCORES)
FOLLOWED = Face((0.0, 0.0, 9.0, 9.0), None, "happy", 0.7, False, SCORES, track_id=3)

RESULTS = [
    FrameResult("party, “1”.jpg", 64, 48, (SMILE, SMILE)),
    FrameResult("empty.jpg", 64, 48, ()),
    FrameResult("clip.mp4", 64, 48, (FOLLOWED,), 0.033367),
    FrameResult("clip.mp4", 64, 48, (), 0.066733),
]


def write(path: Path, results: list[FrameResult] = RESULTS, **options: Any) -> None:
    with RowFile(path, LABELS, **options) as file:
        for result in results:
            if result.source not in file.done:
                file.add(result)
                file.end(result.source)
        file.finish()


def test_a_row_says_what_the_schema_says() -> None:
    (row,) = rows(RESULTS[2], LABELS)
    assert list(row) == list(columns(LABELS))
    assert row == {
        "source": "clip.mp4",
        "t_s": 0.033367,
        "track_id": 3,
        "x1": 0.0,
        "y1": 0.0,
        "x2": 9.0,
        "y2": 9.0,
        "emotion": "happy",
        "confidence": 0.7,
        "accepted": False,
        "valence": round(valence_arousal(SCORES)[0], 4),
        "arousal": round(valence_arousal(SCORES)[1], 4),
        "smoothing_s": 0.0,
        "score_angry": 0.1,
        "score_happy": 0.7,
        "score_neutral": 0.2,
    }


def test_nobody_is_a_row_too() -> None:
    (row,) = rows(RESULTS[3], LABELS)
    assert row.pop("source") == "clip.mp4" and row.pop("t_s") == 0.066733
    assert set(row.values()) == {None} and len(row) == len(columns(LABELS)) - 2


def test_all_formats_hold_the_same(tmp_path: Path) -> None:
    expected = [row for result in RESULTS for row in rows(result, LABELS)]
    for suffix in (".jsonl", ".csv", ".parquet"):
        write(tmp_path / f"a{suffix}")
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == expected
    with (tmp_path / "a.csv").open(newline="") as file:
        texts = list(csv.DictReader(file))
    plain = {None: "", True: "true", False: "false"}
    assert texts == [
        {
            name: plain.get(value, str(value)) if not isinstance(value, float) else str(value)
            for name, value in row.items()
        }
        for row in expected
    ]
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.to_pylist() == expected
    assert [str(kind) for kind in table.schema.types[:3]] == ["string", "double", "int64"]
    assert table.schema.metadata[b"mien_schema"] == b"2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.parquet"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("torn", ["", '{"source": "clip.m'])
def test_resumed_equals_unbroken(tmp_path: Path, suffix: str, torn: str) -> None:
    whole, broken = tmp_path / f"whole{suffix}", tmp_path / f"broken{suffix}"
    write(whole)
    with RowFile(broken, LABELS) as file:
        file.add(RESULTS[0])
        file.end(RESULTS[0].source)
        file.add(RESULTS[1])
        file.end(RESULTS[1].source, "bad")
        file.add(RESULTS[2])  # cut off within a source: it is done again
    with file.partial.open("a") as partial:
        partial.write(torn)
    assert not broken.exists()
    with RowFile(broken, LABELS, resume=True) as again:
        assert again.done == {RESULTS[0].source: None, "empty.jpg": "bad"}
        for result in RESULTS[2:]:
            again.add(result)
        again.end("clip.mp4")
        again.finish()
    assert broken.read_bytes() == whole.read_bytes()
    assert not again.partial.exists()


def test_what_was_left_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    RowFile(path, LABELS).close()
    with pytest.raises(OutputError, match=r"a\.csv\.partial\.jsonl: left by a run that was cut off; --resume goes on"):
        RowFile(path, LABELS)


def test_only_the_same_settings_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    RowFile(path, LABELS, {"model": "base", "every_s": None}).close()
    RowFile(path, LABELS, {"model": "base", "every_s": None}, resume=True).close()
    with pytest.raises(OutputError, match="was begun with every_s None, not 0.5; use that, or delete it"):
        RowFile(path, LABELS, {"model": "base", "every_s": 0.5}, resume=True)
    (tmp_path / "b.csv.partial.jsonl").write_text("my own file\n")
    with pytest.raises(OutputError, match="is not what mien left of an interrupted run"):
        RowFile(tmp_path / "b.csv", LABELS, resume=True)


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, RESULTS[:1])
    before = path.read_bytes()
    with RowFile(path, LABELS) as file:
        file.add(RESULTS[1])
        assert path.read_bytes() == before
        file.end("empty.jpg")
        file.finish()
    assert json.loads(path.read_text())["source"] == "empty.jpg"


def test_other_endings_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.xlsx: expected a name that ends in \.jsonl, \.csv or \.parquet"):
        RowFile(tmp_path / "a.xlsx", LABELS)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be made \(File exists\)$"):
        RowFile(tmp_path / "file" / "a.csv", LABELS)


def test_a_full_place_keeps_what_there_is(tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does: in the middle of a write."""
    path = tmp_path / "a.jsonl"
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from test_row_file import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try:\n"
        "    write(Path(sys.argv[1]), [FrameResult(f'{i}.jpg', 9, 9, (SMILE,)) for i in range(200)])\n"
        "except OutputError as error: print(error)\n"
    )
    folder = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", code, str(path), folder], capture_output=True, text=True, check=True)
    partial = tmp_path / "a.jsonl.partial.jsonl"
    assert done.stdout == f"{path}: cannot be written (File too large); what there is lies in {partial}\n"
    assert done.stderr == ""
    write(path, [FrameResult(f"{i}.jpg", 9, 9, (SMILE,)) for i in range(200)], resume=True)
    sources = [json.loads(line)["source"] for line in path.read_text().splitlines()]
    assert sources == [f"{i}.jpg" for i in range(200)]


def test_a_log_is_there_at_once_and_never_overwrites(tmp_path: Path) -> None:
    log = RowLog(tmp_path / "new" / "log.jsonl", LABELS)
    log.add(RESULTS[2])
    assert json.loads(log.path.read_text()) == rows(RESULTS[2], LABELS)[0]
    log.close()
    with pytest.raises(OutputError, match="exists already"):
        RowLog(log.path, LABELS)


def test_a_foreign_file_is_not_replaced_by_the_settings(tmp_path: Path) -> None:
    mine = tmp_path / "package.json"
    mine.write_text('{"name": "my package"}')
    with pytest.raises(
        OutputError, match=r"package\.json: is there and is not mien's; the settings of package\.csv go there"
    ):
        RowFile(tmp_path / "package.csv", LABELS, {"model": "base"})
    assert mine.read_text() == '{"name": "my package"}' and len(list(tmp_path.iterdir())) == 1
    for _ in range(2):  # mien's own file is replaced
        write(tmp_path / "a.csv", settings={"model": "base"})
    about = json.loads((tmp_path / "a.json").read_text())
    assert about["Settings"] == {"model": "base"} and set(columns(LABELS)) <= set(about)


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with RowFile(path, LABELS) as first:
        for resume in (False, True):
            with pytest.raises(OutputError, match=r"partial\.jsonl: another mien is writing it; wait for its end"):
                RowFile(path, LABELS, resume=resume)
        first.end("a.jpg")
        first.finish()
    assert path.read_text() == "" and [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]
    RowFile(path, LABELS).close()  # and afterwards it is free again
