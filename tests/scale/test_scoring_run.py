"""Bulk runs on a local Ray: the same rows as one process gives, whichever process is killed on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from recordings import Squares, record

from mien.contract.errors import OutputError
from mien.recognition.recognizer import Recognizer
from mien.scale.attempts import Attempts
from mien.scale.scorer import ScoreOptions, Scorer
from mien.scale.scoring_run import RunOptions, join_videos, score_archive
from mien.scale.storage import OutputFolder
from mien.scale.work_units import PlanOptions, plan
from mien.video.pipeline import RecognizedFrame, StreamOptions, recognize_frames
from mien.video.row_schema import rows
from mien.video.sources import read_sources

REPOSITORY = Path(__file__).parents[2]
PER_PART = 6


def found(out: Path) -> list[dict[str, object]]:
    table = [row for part in (out / "parts").glob("*.parquet") for row in pq.read_table(part).to_pylist()]
    return sorted(table, key=lambda row: str(row["source"]))


def test_a_worker_writes_its_part_once_and_names_what_it_cannot_read(
    photos: Path, model: Path, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    scorer = Scorer(ScoreOptions(str(model), "none"), str(tmp_path))
    (shard,) = plan([str(photos)], PlanOptions())
    summary = scorer.score(shard)
    assert (summary.images, summary.faces, summary.errors, summary.again) == (60, 60, 1, False)
    assert found(tmp_path) == expected
    (error,) = pq.read_table(tmp_path / "errors" / f"{shard.key}.parquet").to_pylist()
    assert error["source"] == str(photos / "030-broken.png") and error["reason"].startswith(error["source"])
    assert scorer.score(shard).again


def test_the_image_that_a_careful_attempt_named_last_is_left_out() -> None:
    attempts = Attempts()
    assert not attempts.begin("shard").careful  # the worker dies
    assert attempts.begin("shard").careful
    attempts.reads("shard", "good.jpg")
    attempts.reads("shard", "poison.jpg")  # and dies again
    assert attempts.begin("shard").skip == {"poison.jpg"}
    attempts.finish("shard")
    assert attempts.begin("shard").number == 1


def test_a_file_that_kills_its_worker_is_named_and_the_others_are_scored(
    cluster: Any, photos: Path, model: Path, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    few, out = tmp_path / "photos", tmp_path / "out"
    few.mkdir()
    for photo in sorted(photos.iterdir())[: 2 * PER_PART]:
        shutil.copy(photo, few)
    shutil.copy(photos / "003.png", few / "deadly.png")
    how, where = ScoreOptions(str(model), "none"), RunOptions(cluster.address)
    summary = score_archive([str(few)], str(out), how, where, PlanOptions(PER_PART))
    (error,) = pq.read_table(out / "errors.parquet").to_pylist()
    assert summary.errors == 1 and summary.shards == 3
    assert error["source"] == str(few / "deadly.png")
    assert error["reason"] == f"{few / 'deadly.png'}: killed its worker twice and was left out"
    wanted = [row | {"source": str(few / Path(str(row["source"])).name)} for row in expected[: 2 * PER_PART]]
    assert found(out) == wanted


def test_a_driver_that_is_killed_loses_and_doubles_nothing(
    cluster: Any, photos: Path, model: Path, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mien", "score", str(photos), "--out", str(out)]
    command += ["--model", str(model), "--detector", "none", "--images-per-part", "2"]
    source = f"{REPOSITORY / 'src'}:{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": source, "RAY_worker_niceness": "0"}
    process = subprocess.Popen(
        [*command, "--address", cluster.address], env=environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    for _ in range(2400):
        if len(list((out / "parts").glob("*.parquet"))) >= 3 or process.poll() is not None:
            break
        time.sleep(0.025)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {part.name: part.stat().st_mtime_ns for part in (out / "parts").glob("*.parquet")}
    assert 3 <= len(before) < 31

    # the cluster's workers may still write while the run goes on in a Ray of its own
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert again.returncode == 1 and "1 files could not be scored" in again.stderr  # the broken one
    assert "Traceback" not in again.stderr
    assert found(out) == expected
    kept = {part.name: part.stat().st_mtime_ns for part in (out / "parts").glob("*.parquet")}
    assert len(kept) == 31 and {name: kept[name] for name in before} == before  # not written again
    assert json.loads((out / "summary.json").read_text())["shards"] == 31

    with pytest.raises(OutputError, match="holds a run with detector none, not haar; use that, or name another folder"):
        score_archive([str(photos)], str(out), ScoreOptions(str(model), "haar"), RunOptions())
    for damaged in (b"", b"5", b"[" * 5000):
        (out / "manifest.jsonl").write_bytes(damaged)
        with pytest.raises(OutputError, match=r"manifest.jsonl is damaged; name another folder"):
            score_archive([str(photos)], str(out), ScoreOptions(str(model), "haar"), RunOptions())


def test_a_video_scored_in_ranges_has_the_tracks_of_one_run(model: Path, tmp_path: Path) -> None:
    film = record(tmp_path / "film.mp4", 360)  # 12 s
    recognizer = Recognizer(model, Squares())
    whole = recognize_frames(recognizer, read_sources([str(film)]), StreamOptions(1, 0.5))
    wanted = [
        row for item in whole if isinstance(item, RecognizedFrame) for row in rows(item.result, recognizer.card.labels)
    ]
    scorer = Scorer(ScoreOptions(str(model), "none", detect_every=1), str(tmp_path / "out"))
    scorer.recognizer = recognizer
    shards = list(plan([str(film)], PlanOptions(range_s=3.0, overlap_s=1.5)))
    assert [shard.start_s for shard in shards] == [0.0, 3.0, 6.0, 9.0]
    for shard in reversed(shards):
        assert scorer.score(shard).errors == 0
    join_videos(OutputFolder(str(tmp_path / "out")), shards, scorer.options)
    (part,) = (tmp_path / "out" / "parts").glob("*.parquet")
    joined = pq.read_table(part).to_pylist()
    exact = ("source", "t_s", "track_id", "x1", "y1", "x2", "y2")
    assert [[row[name] for name in exact] for row in joined] == [[row[name] for name in exact] for row in wanted]
    assert not list((tmp_path / "out" / "ranges").iterdir())
    for one, other in zip(joined, wanted, strict=True):  # the overlap warms the smoothing up: 1.5 s are 3 half-lives
        assert one["confidence"] == pytest.approx(other["confidence"], abs=0.05)
