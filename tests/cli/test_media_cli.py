"""``mien predict`` on videos and ``mien watch``, as users meet them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from command import SCREEN, run, run_process
from PIL import Image
from recordings import length_s, record, times
from tiny_onnx import TINY_CARD, write_tiny_model

from mien.cli.media import JsonArray, MediaProgress, people_table, seconds
from mien.cli.output import print_json
from mien.cli.watch_screen import WatchScreen, score_bar
from mien.contract.results import Face, FrameResult
from mien.video.daily_log import DailyLog
from mien.video.frames import Frame
from mien.video.pipeline import RecognizedFrame
from mien.video.sources import SourceEnd
from mien.video.track_summary import TrackSummary


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mien", *map(str, arguments)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """Options for a model that knows brightness, and no detector: each frame is one face."""
    path = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")
    return ["--model", path, "--detector", "none"]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return record(tmp_path / "Fête 写真.mp4", 45, sound=True)


def test_a_video_prints_its_people(film: Path, model: list[str | Path]) -> None:
    out = run("predict", film, *model).stdout
    (row,) = [line for line in out.splitlines() if "Fête" in line]
    assert row.split()[:2] == ["Fête", "写真.mp4"] and "0:00 – 0:01.5" in row and "happy" in row


def test_a_long_table_of_photos_is_cut_where_out_has_them_all(model: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(203):
        Image.new("L", (8, 8), number).save(tmp_path / "photos" / f"{number:03}.png")
    done = run("predict", tmp_path / "photos", *model, "--out", tmp_path / "rows.csv")
    assert "199.png" in done.stdout and "200.png" not in done.stdout
    assert f"and 3 more photos: all are in {tmp_path}/rows.csv" in done.stderr.replace("\n", "")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 204
    assert "202.png" in run("predict", tmp_path / "photos", *model).stdout  # nowhere else, so they are all printed


def test_a_video_as_json_has_every_frame(film: Path, model: list[str | Path]) -> None:
    results = json.loads(run("predict", film, *model, "--format", "json").stdout)
    assert [result["t_s"] for result in results] == [round(index / 30, 6) for index in range(45)]
    assert {face["track_id"] for result in results for face in result["faces"]} == {1}


def test_times_select_frames(film: Path, model: list[str | Path]) -> None:
    window = ["--start", "500ms", "--end", "0:01", "--every", "0.1s", "--smooth", "0"]
    results = json.loads(run("predict", film, *model, *window, "--format", "json").stdout)
    assert [result["t_s"] for result in results] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9], abs=1e-6)


def test_everything_at_once(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    photo, out = tmp_path / "white.png", tmp_path / "out"
    Image.new("RGB", (48, 48), "white").save(photo)
    done = run(
        *("predict", film, photo, tmp_path / "missing.mp4", *model, "--out", out / "faces.csv"),
        *("--annotate", out, "--crops", out / "crops", "--tracks", out, "--chart", out / "charts"),
        status=1,
    )
    problem, closing = done.stderr.splitlines()
    assert problem == f"mien: {tmp_path / 'missing.mp4'}: no such file"
    assert closing.startswith("3 files: 1 face, 1 person in videos, 1 unreadable, ")
    files = sorted(
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and "person" not in path.name
    )
    stem = f"0001-{film.stem}"
    assert files == [
        f"{stem}-timeline.svg",
        f"{stem}-tracks.json",
        f"{stem}.mp4",
        "0002-white.png",
        "charts/0002-white-face1.png",
        "crops/0002-white-crop1.png",
        "faces.csv",
        "faces.csv.problems.jsonl",
        "faces.json",
    ]
    assert times(out / f"{stem}.mp4") == pytest.approx(times(film), abs=1e-6)
    assert length_s(out / f"{stem}.mp4") == pytest.approx(length_s(film), abs=1 / 30)
    assert len(list((out / "crops" / stem).iterdir())) == 45
    with (out / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 46 and rows[-1]["source"] == str(photo) and rows[-1]["t_s"] == ""
    assert rows[-1]["emotion"] == "neutral" and rows[44]["t_s"] == "1.466667"


def test_a_video_that_was_cut_short_keeps_what_was_read(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    whole = record(tmp_path / "a.mkv", 60)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = run("predict", whole, film, *model, "--out", tmp_path / "a.jsonl", "--annotate", tmp_path, status=1)
    assert "cut short: it ends at" in done.stderr and len(done.stderr.splitlines()) == 2  # and the line about all
    sources = [json.loads(line)["source"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert sources.count(str(whole)) > 15 and sources.count(str(film)) == 45
    assert (tmp_path / "0001-a.partial.mp4").is_file() and (tmp_path / f"0002-{film.stem}.mp4").is_file()


def test_a_destroyed_middle_is_told_and_the_rest_kept(model: list[str | Path], tmp_path: Path) -> None:
    """ffmpeg reads on behind it without a word."""
    clip = record(tmp_path / "a.mkv", 90, options={"cluster_time_limit": "300"})
    content = bytearray(clip.read_bytes())
    cluster = b"\x1f\x43\xb6\x75"
    third = content.find(cluster, content.find(cluster, content.find(cluster) + 1) + 1)
    content[third : content.find(cluster, third + 1)] = bytes(content.find(cluster, third + 1) - third)
    clip.write_bytes(content)
    done = run("predict", clip, *model, "--out", tmp_path / "r.jsonl", status=1)
    assert f"{clip}: destroyed between 0.63 and 1.00 s; the rest was read" in done.stderr.replace("\n", "")
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 80


@pytest.mark.parametrize(("options", "people"), [([], [1, 1, 1]), (["--max-gap", "0.5"], [1, 2, 3])])
def test_a_person_out_of_sight_for_too_long_is_somebody_new(
    film: Path, model: list[str | Path], tmp_path: Path, options: list[str], people: list[int]
) -> None:
    run("predict", film, *model, "--out", tmp_path / "r.jsonl", "--every", "0.6", *options)
    assert [json.loads(line)["track_id"] for line in (tmp_path / "r.jsonl").read_text().splitlines()] == people


def test_standard_input(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    photo = tmp_path / "white.png"
    Image.new("RGB", (48, 48), "white").save(photo)
    (result,) = json.loads(run_process("predict", "-", *model, "--format", "json", stdin=photo.read_bytes()).stdout)
    assert (result["source"], result["faces"][0]["emotion"]) == ("-", "neutral")
    stream = record(tmp_path / "a.mkv", 10).read_bytes()
    done = run_process("predict", "-", *model, "--format", "json", "--annotate", tmp_path / "out", stdin=stream)
    assert len(json.loads(done.stdout)) == 10
    assert len(times(tmp_path / "out" / "0001-stdin.mp4")) == 10
    assert "standard input is empty" in run_process("predict", "-", *model, stdin=b"", status=1).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "faces.xlsx"], "faces.xlsx: expected a name that ends in .jsonl, .csv or .parquet"),
        (["--resume"], "--resume goes on with the file of --out; give --out too"),
        (["--start", "5", "--end", "4"], "expected 0 <= start < end, got 5 and 4.0 s"),
        (["--explain", "out"], "the model 'tiny' gives no maps; export it again with this version of mien"),
        (["--annotate", "{file}/out"], "{file}/out: cannot be made (Not a directory)"),
        (["--out", "{file}/a.csv"], "{file}: cannot be made (File exists)"),
    ],
)
def test_mistakes_are_one_line(
    film: Path, model: list[str | Path], tmp_path: Path, arguments: list[str], message: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    done = run("predict", film, *model, *(each.format(file=file) for each in arguments), status=1)
    assert done.stderr == f"mien: {message.format(file=file)}\n"


def test_a_full_disk_is_one_line_and_resumed(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    """A limit on the size of files fails in the middle of a write, as a full disk does."""
    rows, wanted = tmp_path / "a.jsonl", ["predict", film, *model, "--out", tmp_path / "a.jsonl"]
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))\n"
        "from mien.cli.app import main; sys.argv[0] = 'mien'; main()"
    )
    arguments = [sys.executable, "-c", limited, *map(str, wanted)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=os.environ | SCREEN)
    assert done.returncode == 1
    told = done.stderr.splitlines()
    assert told == [f"mien: {rows}: cannot be written (File too large); what there is lies in {rows}.partial.jsonl"]
    assert not rows.exists()
    run(*wanted, "--resume")
    assert len(rows.read_text().splitlines()) == 45
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", limited, "predict", str(film), *map(str, model), "--annotate", str(out)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=os.environ | SCREEN)
    assert done.returncode == 1
    assert done.stderr == f"mien: {out / f'0001-{film.stem}.mp4'}: cannot be written (File too large)\n"
    assert [path.name for path in out.iterdir()] == [f"0001-{film.stem}.partial.mp4"]


def test_ctrl_c_leaves_what_resume_goes_on_with(model: list[str | Path], tmp_path: Path) -> None:
    """Twelve videos, interrupted after the first is done; resumed, the rows are those of an unbroken run."""
    films = tmp_path / "films"
    films.mkdir()
    for index in range(12):
        record(films / f"{index:02}.mp4", 60)
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    run("predict", films, *model, "--out", whole)
    arguments = ["predict", films, *model, "--out", broken, "--annotate", tmp_path / "out"]
    partial = tmp_path / "broken.jsonl.partial.jsonl"
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True, env=os.environ | SCREEN)
    until = time.monotonic() + 60
    while not (partial.exists() and '{"end"' in partial.read_text()):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130
    assert told == [f"{partial}: what is done so far; the same command with --resume goes on"]
    assert not broken.exists() and len(list((tmp_path / "out").glob("*.partial.mp4"))) <= 1
    refused = run(*arguments, status=1).stderr
    assert "left by a run that was cut off; --resume goes on with it" in refused
    resumed = run(*arguments, "--resume")
    assert "of 12 done before" in resumed.stderr
    assert broken.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{index + 1:04d}-{index:02}.mp4" for index in range(12)
    ]
    assert run(*arguments, "--resume").stderr == f"{broken}: is whole already\n"


def test_watch_shows_logs_and_ends_by_itself(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    done = run_process("watch", "--camera", film, *model, "--log", log, "--stop-after", "1.5s")
    assert "frames/s" in done.stdout and "happy" in done.stdout
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(rows) >= 3 and {row["track_id"] for row in rows} == {1}
    seen_s = [row["t_s"] for row in rows]
    assert seen_s == sorted(seen_s) and seen_s[-1] < 3
    assert f"{len(rows)} frames in " in done.stderr and str(log) in done.stderr
    seen = DailyLog(tmp_path / "log.drift.db").read("tiny", TINY_CARD.labels)
    assert seen.units == 1 and seen.weights["emotion"][3] == pytest.approx(1)  # happy


def test_watch_ends_cleanly_on_ctrl_c(film: Path, model: list[str | Path], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    arguments = command("watch", "--camera", film, *model, "--log", log)
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | SCREEN
    )
    until = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    (summary,) = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 0
    assert "1 person" in summary
    assert all(json.loads(line) for line in log.read_text().splitlines())


def test_watch_names_an_absent_camera(model: list[str | Path], tmp_path: Path) -> None:
    done = run_process("watch", "--camera", "63", *model, status=1)
    assert done.stderr == "mien: camera 63: is not there, or another program uses it\n"
    assert "no such file" in run_process("watch", "--camera", tmp_path / "missing.mp4", *model, status=1).stderr


def test_watch_page_opens_the_live_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.cli import serve
    from mien.cli.watch import watch

    asked: dict[str, object] = {}
    monkeypatch.setattr(serve, "serve", lambda **options: asked.update(options))
    watch(camera="rtsp://door", page=True)
    assert asked == {
        "port": 0,
        "model": "auto",
        "detector": "auto",
        "detector_model": None,
        "priors": "balanced",
        "no_history": True,
        "camera": "rtsp://door",
        "insecure_camera": False,
        "open_page": True,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("0.2s", 0.2),
        (".5", 0.5),
        ("200ms", 0.2),
        ("1.5m", 90),
        ("2h", 7200),
        ("1:30", 90),
        ("1:02:03.5", 3723.5),
    ],
)
def test_times_on_the_command_line(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "fast", "-1", "1:2:3:4", "nan", "1 day"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"expected a time such as 0\.2s"):
        seconds(text)


@pytest.mark.parametrize("values", [[], [{"a": 1}], [{"a": [1, {"b": "é"}]}, {}, {"c": None}]])
def test_a_growing_array_is_laid_out_as_a_whole_one(values: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    print_json(values)
    expected = capsys.readouterr().out
    array = JsonArray()
    for value in values:
        array.add(value)
    array.close()
    assert capsys.readouterr().out == expected


def face(track_id: int, happy: float, accepted: bool = True) -> Face:
    scores = {"sad": round(1 - happy, 6), "happy": happy}
    emotion = max(scores, key=scores.__getitem__)
    return Face((0.0, 0.0, 9.0, 9.0), None, emotion, scores[emotion], accepted, scores, track_id)


def cells(table: object) -> list[list[str]]:
    return [[str(cell) for cell in column.cells] for column in table.columns]  # type: ignore[attr-defined]


def test_the_table_of_people() -> None:
    tracks = TrackSummary("films/a.mp4", ["sad", "happy"])
    for index in range(3):
        tracks.add(
            FrameResult("films/a.mp4", 20, 20, (face(1, 0.9),) if index else (face(1, 0.9), face(2, 0.2)), index * 30.0)
        )
    assert cells(people_table([tracks, TrackSummary("films/b.mp4", ["sad", "happy"])])) == [
        ["a.mp4", "", "b.mp4"],
        ["1", "2", ""],
        ["0:00 – 1:00", "0:00 – 0:00", "no face found"],
        ["happy", "sad", ""],
        ["90%", "80%", ""],
        ["sad 10%", "happy 20%", ""],
    ]


def test_the_live_screen() -> None:
    from rich.console import Console

    view = WatchScreen("camera 0")
    screen = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    screen.print(view.render())
    view.see(FrameResult("camera 0", 20, 20, (face(2, 0.25, accepted=False), face(1, 0.9)), 1.0), now_s=1.05)
    view.see(FrameResult("camera 0", 20, 20, (face(2, 0.25, accepted=False), face(1, 0.9)), 1.5), now_s=1.55)
    view.see(FrameResult("camera 0", 20, 20, (face(1, 0.9),), 66.0), now_s=66.05)
    view.see(FrameResult("camera 0", 20, 20, (face(1, 0.9), face(3, 0.1, accepted=False)), 66.1), now_s=66.15)
    screen.print(view.render())
    text = screen.export_text()
    screen.file.close()
    assert "camera 0: waiting for a picture …" in text
    assert "0.0 frames/s   50 ms behind" in text
    one, three = [line.split() for line in text.splitlines() if "%" in line]
    assert (one[:3], one[-1]) == (["1", "happy", "90%"], "1:05")
    assert (three[:3], three[-1]) == (["3", "sad?", "90%"], "0:00")
    assert one[-3:-1] == ["+0.67", "+0.43"]
    assert ", 3 people" in view.summary() and "camera 0: 4 frames in" in view.summary()


def test_the_bar_of_scores_is_full_and_in_proportion() -> None:
    bar = score_bar(face(1, 0.75))
    assert bar.plain == "█" * 18
    assert [(span.end - span.start) for span in bar.spans] == [14, 4]


def test_progress_counts_sources_and_parts_of_videos() -> None:
    from fractions import Fraction

    from mien.video.frames import Clip

    clip = Clip("a.mp4", None, Fraction(1, 30), 30.0, Fraction(0), 20.0, (10.0, None))
    nothing = np.empty((0, 0, 3), dtype=np.uint8)
    with MediaProgress(4, show=True) as bar:
        bar.take(SourceEnd("one.jpg"))
        bar.take(
            RecognizedFrame(
                FrameResult("a.mp4", 9, 9, (face(1, 0.5),), 15.0),
                Frame("a.mp4", 15.0, nothing, clip),
                np.empty((0, 0)),
                np.empty((0, 0, 0), dtype=np.uint8),
            )
        )
        assert bar._bars is not None
        (task,) = bar._bars.tasks
        assert task.completed == pytest.approx(1.5) and task.fields["faces"] == 1 and task.fields["name"] == "a.mp4"
        bar.take(SourceEnd("a.mp4"))
        assert task.completed == 2
