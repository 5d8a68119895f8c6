"""What is kept, over HTTP: only on request, exportable, deletable, also while it runs."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from serving import LIVE, Serve, picture

from mien.mood import NOTE


def record(client: Any, level: int = 255, frames: int = 3, query: str = "keep=true") -> int | None:
    """A short live session; returns its number, None where it is not kept."""
    with client.websocket_connect(f"{LIVE}?{query}") as live:
        hello = live.receive_json()
        assert hello["session"] is None  # its row is made with its first face
        for _ in range(frames):
            live.send_bytes(picture(level))
            live.receive_json()
            time.sleep(0.03)
    return client.get("/v1/sessions").json()[0]["id"] if hello["keeping"] else None


def numbered(live: Any, level: int = 0) -> int:
    """Send frames until the session has its number."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        live.send_bytes(picture(level))
        if (number := live.receive_json()["session"]) is not None:
            return int(number)
        time.sleep(0.03)
    raise AssertionError("the session was never kept")


def test_nothing_is_kept_unless_asked(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        assert record(client, query="keep=false") is None and record(client, query="") is None
        assert client.get("/v1/sessions").json() == []


def test_a_session(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        number = record(client, query="keep=true&source=front%20desk")
        (session,) = client.get("/v1/sessions").json()
        assert session == client.get(f"/v1/sessions/{number}").json()
        assert session["source"] == "front desk" and session["people"] == 1 and session["ended"] is not None
        started = datetime.fromisoformat(session["started"])
        assert abs(time.time() - started.timestamp()) < 60 and started.utcoffset() is not None

        rows = client.get(f"/v1/sessions/{number}/timeline").json()
        assert sum(row["n"] for row in rows) == 3 and {row["label"] for row in rows} == {"neutral"}
        assert rows[0]["second"] == int(started.timestamp())
        assert client.get(f"/v1/sessions/{number}/timeline?track_id=9").json() == []
        (one,) = client.get(f"/v1/sessions/{number}/timeline?step_s=86400").json()
        assert one["n"] == 3

        summary = client.get(f"/v1/sessions/{number}/summary").json()
        assert summary["labels"] == {"neutral": 1.0} and summary["note"] == NOTE and len(summary["people"]) == 1
        days = client.get("/v1/days").json()
        assert days["days"][0]["person_s"] == len(rows) and days["weeks"][0]["sessions"] == 1
        assert days["trends"] == {"valence": None, "arousal": None, "stress_index": None}  # one day is no trend
        assert client.get("/v1/days?first=2001-01-01&last=2001-02-01").json()["days"] == []


def test_export(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        number = record(client)
        answer = client.get(f"/v1/sessions/{number}/export?format=csv")
        assert answer.headers["content-disposition"] == f'attachment; filename="mien-session-{number}.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows[0]["label"] == "neutral" and float(rows[0]["score_neutral"]) > 0.4
        plain = json.loads(client.get(f"/v1/sessions/{number}/export").content)
        assert len(plain["seconds"]) == len(rows)
        table = parquet.read_table(io.BytesIO(client.get(f"/v1/sessions/{number}/export?format=parquet").content))
        assert table.column("label").to_pylist() == ["neutral"] * len(rows)
        assert client.get(f"/v1/sessions/{number}/export?format=xls").status_code == 422


def test_deleting(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        first, second = record(client), record(client)
        assert client.delete(f"/v1/sessions/{first}").json() == {"deleted": 1}
        assert [session["id"] for session in client.get("/v1/sessions").json()] == [second]
        assert client.delete(f"/v1/sessions/{first}").status_code == 404
        assert client.delete("/v1/sessions").json() == {"deleted": 1} and client.get("/v1/sessions").json() == []


def test_deleting_what_runs_ends_its_keeping_and_not_the_stream(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client, client.websocket_connect(f"{LIVE}?keep=true") as live:
        live.receive_json()
        number = numbered(live)
        assert client.delete(f"/v1/sessions/{number}").status_code == 200
        for _ in range(3):
            live.send_bytes(picture(0))
            answer = live.receive_json()
            assert answer["session"] is None and answer["store_problem"] is None
        assert client.get("/v1/sessions").json() == []


def test_no_such_session(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        for path in ("", "/timeline", "/summary", "/export"):
            answer = client.get(f"/v1/sessions/42{path}")
            assert answer.status_code == 404 and "no session 42" in answer.json()["detail"]
        assert client.get("/v1/sessions/0").status_code == 422
        assert client.get(f"/v1/sessions/{2**63}").status_code == 422
        assert client.get("/v1/days?first=0001-01-01").status_code == 422


def test_a_server_without_history(serve: Serve) -> None:
    with serve() as client:
        assert record(client) is None
        for path in ("/v1/sessions", "/v1/sessions/1", "/v1/days"):
            answer = client.get(path)
            assert answer.status_code == 404 and "keeps no history" in answer.json()["detail"]


def test_retention(serve: Serve, tmp_path: Path) -> None:
    from mien.mood import MoodStore

    with serve(db=tmp_path / "mood.db") as client:
        record(client)
    with MoodStore(tmp_path / "mood.db") as store:
        assert len(store.sessions()) == 1
    time.sleep(1.1)
    with serve(db=tmp_path / "mood.db", retention_days=1e-5) as client:  # 0.9 seconds
        assert client.get("/v1/days").json()["days"] == []


@pytest.mark.parametrize("step", ["0", "-1", "86401", "x"])
def test_impossible_steps(serve: Serve, tmp_path: Path, step: str) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        assert client.get(f"/v1/sessions/1/timeline?step_s={step}").status_code == 422
