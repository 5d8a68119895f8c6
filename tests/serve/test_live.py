"""The live stream: what a client is told, newest frame wins, limits, and who is turned away."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from serving import LIVE, Serve, picture
from starlette.websockets import WebSocketDisconnect

from mien.mood import NOTE
from mien.recognition.detectors import Detections
from mien.recognition.recognizer import Recognizer
from mien.serve.live import Newest
from mien.serve.routes_live import frame_message
from mien.serve.settings import Limits


def results(live: Any, *frames: bytes) -> list[dict[str, Any]]:
    """Send frames one after the other and return the answers."""
    answers = []
    for frame in frames:
        live.send_bytes(frame)
        answers.append(live.receive_json())
    return answers


def test_what_a_client_is_told(serve: Serve) -> None:
    with serve() as client, client.websocket_connect(LIVE) as live:
        hello = live.receive_json()
        assert hello["type"] == "hello" and hello["session"] is None and hello["stress_note"] == NOTE
        assert hello["model"] == "tiny" and hello["detector"] == "none" and hello["limits"]["live_fps"] == 30
        first, second = results(live, picture(51), frame_message(77, 12.5, picture(51)))
        assert (first["id"], first["client_s"]) == (1, None) and (second["id"], second["client_s"]) == (77, 12.5)
        (face,), (mood,) = second["faces"], second["moods"]
        assert face["emotion"] == "disgust" and face["track_id"] == mood["track_id"] == 1
        assert mood["label"] == "disgust" and mood["baseline"] == "learning" and mood["stress_index"] is None
        assert second["t_s"] > first["t_s"] >= 0 and second["server_ms"] >= second["search_ms"] > 0
        assert second["episodes"]["1"][0]["label"] == "disgust" and second["episodes"]["1"][0]["end_s"] is None
        assert second["baselines"]["1"]["wanted_s"] == 60
        assert second["dropped"] == 0 and second["store_problem"] is None


def test_without_a_baseline_there_is_an_index_at_once(serve: Serve) -> None:
    with serve() as client, client.websocket_connect(f"{LIVE}?baseline_s=0") as live:
        live.receive_json()
        time.sleep(0.05)
        answers = results(live, picture(0), picture(0))
        mood = answers[1]["moods"][0]
        assert mood["baseline"] == "none" and mood["stress_low"] <= mood["stress_index"] <= mood["stress_high"]
        assert mood["stress_index"] > 50  # the tiny model reads black as angry


def test_reset_and_relearn(serve: Serve) -> None:
    with serve() as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        results(live, picture(0), picture(0))
        live.send_json({"type": "relearn"})
        assert results(live, picture(0))[0]["baselines"]["1"]["seen_s"] < 0.2
        live.send_json({"type": "reset"})
        (after,) = results(live, picture(255))
        assert after["moods"][0]["label"] == "neutral"  # nothing is left of the black ones


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"type": "explode"}', '{"type": []}', "[" * 100_000])
def test_unknown_commands(serve: Serve, text: str) -> None:
    with serve() as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        live.send_text(text)
        assert live.receive_json()["code"] == "unknown_command"
        assert results(live, picture(255))[0]["type"] == "result"


def test_bad_frames_are_told_and_only_nothing_else_ends_it(serve: Serve) -> None:
    with (
        serve(limits=Limits(bad_frames=3, frame_pixels=4000, live_fps=1000)) as client,
        client.websocket_connect(LIVE) as live,
    ):
        live.receive_json()
        bad, large, good = results(live, b"garbage", picture(1, width=100), picture(1))
        assert bad["code"] == "bad_frame" and bad["id"] == 1
        assert "the limit is 0.004" in large["detail"] and good["type"] == "result"
        results(live, b"", b"mien", frame_message(5, math.nan, b"\xff\xd8\xff"))
        with pytest.raises(WebSocketDisconnect) as ended:
            live.receive_json()
        assert ended.value.code == 1003


def test_clocks_that_cannot_be(serve: Serve) -> None:
    """JSON has no word for them, and no client's clock may bend a timeline."""
    with serve() as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        times = [math.nan, math.inf, -1e300, 50.0, 40.0]
        answers = results(live, *(frame_message(n, at, picture(200)) for n, at in enumerate(times)))
        assert [answer["client_s"] for answer in answers] == [None, None, None, 50.0, 40.0]
        assert [answer["t_s"] for answer in answers] == sorted(answer["t_s"] for answer in answers)


class Slow:
    """Takes a moment for each frame."""

    name = "slow"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen = threading.Event()

    def detect(self, frame_rgb: NDArray[np.uint8]) -> Detections:
        self.seen.set()
        time.sleep(self.seconds)
        return Detections(np.array([[0.0, 0.0, *frame_rgb.shape[1::-1]]]))


def test_newest_frame_wins(tiny_model: Path) -> None:
    from starlette.testclient import TestClient

    from mien.serve.asgi import create_app
    from mien.serve.settings import ServerSettings

    slow = Slow(0.0)
    app = create_app(ServerSettings(limits=Limits(live_fps=10_000)), Recognizer(tiny_model, slow))
    with TestClient(app, base_url="http://127.0.0.1:8000") as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        slow.seconds = 0.3
        slow.seen.clear()
        live.send_bytes(frame_message(1, 0.0, picture(0)))
        assert slow.seen.wait(5)  # the first is being searched
        for number in range(2, 12):
            live.send_bytes(frame_message(number, 0.0, picture(255)))
        first, second = live.receive_json(), live.receive_json()
        assert (first["id"], second["id"], second["dropped"]) == (1, 11, 9)
        assert 'mien_frames_total{outcome="replaced"} 9.0' in client.get("/metrics").text


def test_frames_beyond_the_rate_are_dropped_before_they_are_decoded(serve: Serve) -> None:
    with serve(limits=Limits(live_fps=2.0)) as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        results(live, picture(1))
        for _ in range(5):
            live.send_bytes(b"never looked at")
        (last,) = results(live, picture(255))
        assert last["id"] == 7 and last["dropped"] == 5 and last["faces"][0]["emotion"] == "neutral"
        assert last["t_s"] < 0.4  # it is not late: it was taken when it came


def test_a_full_server_turns_away_and_recovers(serve: Serve) -> None:
    with serve(limits=Limits(live_clients=1)) as client:
        with client.websocket_connect(LIVE) as live:
            live.receive_json()
            with client.websocket_connect(LIVE) as late:
                with pytest.raises(WebSocketDisconnect) as refused:
                    late.receive_json()
                assert refused.value.code == 1013
            assert client.get("/readyz").json()["live_clients"] == 1
        with client.websocket_connect(LIVE) as next_one:
            assert next_one.receive_json()["type"] == "hello"


def test_an_overloaded_server_turns_away_and_recovers(serve: Serve) -> None:
    with serve() as client:
        hub = client.app.state.mien.hub
        with client.websocket_connect(LIVE) as live:
            live.receive_json()
            hub.pacer.late_s = 5.0
            with client.websocket_connect(LIVE) as late, pytest.raises(WebSocketDisconnect) as refused:
                late.receive_json()
            assert refused.value.code == 1013
        with client.websocket_connect(LIVE) as next_one:  # nobody is left, so nobody waits
            assert next_one.receive_json()["type"] == "hello"
            hub.pacer.late_s = 5.0
            for _ in range(60):
                results(next_one, picture(1))
                time.sleep(0.035)
                if hub.pacer.late_s < 1.5:
                    break
            assert hub.pacer.late_s < 1.5  # quick answers bring it down


def test_idle_clients_are_closed(serve: Serve) -> None:
    with serve(limits=Limits(idle_s=0.1)) as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        with pytest.raises(WebSocketDisconnect) as ended:
            live.receive_json()
        assert ended.value.code == 1001


@pytest.mark.parametrize("query", ["baseline_s=-1", "baseline_s=x", "source=a%0Ab", "source=", "keep=perhaps"])
def test_bad_parameters(serve: Serve, query: str) -> None:
    with serve() as client:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{LIVE}?{query}"):
            pass


def test_watching(serve: Serve) -> None:
    watch = LIVE.replace("live", "watch")
    with serve() as client, client.websocket_connect(f"{LIVE}?source=desk") as live:
        live.receive_json()
        with client.websocket_connect(watch) as everything, client.websocket_connect(f"{watch}?source=other") as other:
            (answer,) = results(live, picture(0))
            seen = everything.receive_json()
            assert seen["source"] == "desk" and seen["moods"] == answer["moods"] and "client_s" not in seen
            with client.websocket_connect(f"{LIVE}?source=other") as second:
                second.receive_json()
                results(second, picture(255))
                assert other.receive_json()["faces"][0]["emotion"] == "neutral"  # and not the black one


def test_slot() -> None:
    async def run() -> None:
        slot: Newest[int] = Newest()
        assert [slot.put(1), slot.put(2)] == [False, True]
        assert await slot.take() == 2
        taking = asyncio.create_task(slot.take())
        await asyncio.sleep(0)
        assert slot.put(3) is False and await taking == 3

    asyncio.run(run())


def test_header_layout() -> None:
    assert frame_message(2**32 + 5, 1.5, b"x") == b"mien" + struct.pack(">Id", 5, 1.5) + b"x"


def test_whether_a_mood_is_sure_is_decided_on_the_smoothed_scores(serve: Serve) -> None:
    """A single frame must not turn the badge to "unsure" while its percentage stays."""
    with serve() as client, client.websocket_connect(LIVE) as live:
        live.receive_json()
        threshold = client.app.state.mien.engine.recognizer.accept_threshold
        for level in (255, 0, 51, 128, 200, 30):
            (answer,) = results(live, picture(level))
            (mood,) = answer["moods"]
            assert mood["accepted"] is (max(mood["scores"].values()) >= threshold)
