"""The server keeps sums of what its cameras show, only where it may, and tells how far they are from the reference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from serving import LIVE, Serve, picture
from tiny_onnx import TINY_CARD, write_tiny_model

from mien.contract.distributions import Reference, Tally
from mien.video.daily_log import DailyLog


def show(client: object, query: str, *levels: int) -> None:
    """A live session of some frames."""
    with client.websocket_connect(LIVE + query) as live:  # type: ignore[attr-defined]
        live.receive_json()
        for level in levels:
            live.send_bytes(picture(level))
            live.receive_json()


def test_sessions_that_are_kept_are_summed(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db") as client:
        show(client, "?keep=true", 255, 255)
        show(client, "", 0, 0)  # did not agree to be kept
        show(client, "?keep=true", 128)
    seen = DailyLog(tmp_path / "mood.drift.db").read("tiny", TINY_CARD.labels, source="live")
    assert seen.units == 2
    assert dict(zip(TINY_CARD.labels, seen.weights["emotion"], strict=True)) == {
        **dict.fromkeys(TINY_CARD.labels, 0),
        "happy": 1,
        "neutral": 1,
    }


def test_without_history_nothing_is_kept(serve: Serve, tmp_path: Path) -> None:
    with serve() as client:
        show(client, "?keep=true", 255)
        assert "mien_drift_appearances 0.0" in client.get("/metrics").text
    assert list(tmp_path.iterdir()) == []


def test_gauges_tell_the_distance(serve: Serve, tmp_path: Path) -> None:
    tally = Tally(TINY_CARD.labels)
    tally.add_each(np.eye(7)[[0, 6, 6, 6]], None, None)
    data = {"reference": Reference.of(tally, "four faces").to_dict()}
    model = write_tiny_model(tmp_path / "tiny.onnx", dataclasses.replace(TINY_CARD, data=data))
    for _ in range(2):  # the second start reads what the first one kept
        with serve(model=model, db=tmp_path / "mood.db") as client:
            text = client.get("/metrics").text
            show(client, "?keep=true", 255)
    assert "mien_drift_appearances 1.0" in text
    assert 'mien_drift_distance{measure="emotion"} 0.25' in text
    assert 'measure="brightness"' not in text  # the reference does not know it


def test_a_file_that_cannot_be_written_stops_nothing(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "mood.drift.db").write_text("something else " * 50)
    with serve(db=tmp_path / "mood.db") as client:
        show(client, "?keep=true", 255)
        client.portal.call(client.app.state.mien.drift.write)
        assert "mien_store_errors_total 1.0" in client.get("/metrics").text
    assert (tmp_path / "mood.drift.db").read_text().startswith("something else")
