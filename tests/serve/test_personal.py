"""Personal models: moments stay in memory, a model is kept only where it helps, each visitor has their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from serving import LIVE, Serve, picture
from tiny_onnx import TINY_CARD, write_tiny_model

from mien.cli.personal import adapt_moments
from mien.contract.errors import MienError
from mien.contract.shipped_models import resolve_model
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer
from mien.serve import personal as rooms
from mien.serve.personal import Outcome, Personal

TOKEN, OWNER_TOKEN = "visitors-token-of-the-house", "owners-token-of-the-house"
IMAGE = {"content-type": "image/png"}


def renaming(model: Path, crops_NSS: np.ndarray, emotions: Sequence[str], moments: Sequence[int], out: Path) -> Outcome:
    """Instead of adapting: a model of the same decisions in which happy is called angry and angry happy."""
    names = {"happy": "angry", "angry": "happy"}
    labels = tuple(names.get(label, label) for label in TINY_CARD.labels)
    helps = len(crops_NSS) > 2
    if helps:
        write_tiny_model(out, dataclasses.replace(TINY_CARD, name="mine", labels=labels))
    return Outcome(helps, len(crops_NSS), 0.5, 0.75)


def show(client: object, emotion: str, moment: int, **headers: str) -> dict[str, object]:
    path = f"/v1/personal/moments?emotion={emotion}&moment={moment}"
    answer = client.post(path, content=picture(128), headers=IMAGE | headers)  # type: ignore[attr-defined]
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def named(client: object, query: str = "?personal=true") -> str:
    with client.websocket_connect(LIVE + query) as live:  # type: ignore[attr-defined]
        live.receive_json()
        live.send_bytes(picture(128))
        return str(live.receive_json()["faces"][0]["emotion"])


def test_moments_make_a_model_that_is_used_and_deleted(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db", adapt=renaming) as client:
        assert client.get("/v1/personal").json() == {
            "wanted": ["neutral", "happy", "surprise", "sad", "angry", "fear"],
            "collected": {},
            "model": False,
        }
        for moment in range(3):
            collected = show(client, "angry", moment)
        assert collected == {"collected": {"angry": 3}, "visitor": None}
        assert named(client) == "happy"  # nothing is made yet
        made = client.post("/v1/personal/model").json()
        assert made == {"helps": True, "faces": 3, "before": 0.5, "after": 0.75}
        assert client.get("/v1/personal").json()["collected"] == {} and client.get("/v1/personal").json()["model"]
        assert named(client) == "angry" and named(client, "") == "happy"
        assert [path.name for path in (tmp_path / "mood.personal").iterdir()] == ["owner.onnx"]
        assert client.delete("/v1/personal").json() == {"deleted": True}
        assert named(client) == "happy" and list((tmp_path / "mood.personal").iterdir()) == []
        assert client.delete("/v1/personal").json() == {"deleted": False}


def test_no_picture_is_written(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db", adapt=renaming) as client:
        show(client, "happy", 0)
        answer = client.post("/v1/personal/model").json()
        assert answer["helps"] is False  # too few, so nothing is kept
    names = {path.name.split("-")[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert names <= {"mood.db", "mood.drift.db"}


def test_each_visitor_has_their_own(serve: Serve, tmp_path: Path) -> None:
    tokens = {"token": TOKEN, "owner_token": OWNER_TOKEN}
    with serve(db=tmp_path / "mood.db", adapt=renaming, host="0.0.0.0", **tokens) as client:
        visitor = {"authorization": f"Bearer {TOKEN}"}
        secret = show(client, "sad", 0, **visitor)["visitor"]
        assert isinstance(secret, str) and len(secret) == 43
        mine = visitor | {"mien-visitor": secret}
        for moment in range(3):
            assert show(client, "sad", moment, **mine)["visitor"] is None
        assert client.get("/v1/personal", headers=visitor).json()["collected"] == {}
        assert client.get("/v1/personal", headers=mine).json()["collected"] == {"sad": 4}
        assert client.post("/v1/personal/model", headers=visitor).status_code == 400
        assert client.post("/v1/personal/model", headers=mine).json()["helps"] is True
        assert client.get("/v1/personal", headers=mine).json()["model"] is True
        owner = {"authorization": f"Bearer {OWNER_TOKEN}"}
        assert client.get("/v1/personal", headers=owner).json()["model"] is False
        assert named(client, f"?personal=true&token={TOKEN}&visitor={secret}") == "angry"
        assert named(client, f"?personal=true&token={TOKEN}") == "happy"
        assert client.get("/v1/personal").status_code == 401


def test_mistakes_are_said(serve: Serve, tmp_path: Path) -> None:
    with serve(db=tmp_path / "mood.db", adapt=renaming) as client:
        post = "/v1/personal/moments?emotion="
        assert "no emotion 'bored'" in client.post(f"{post}bored", content=picture(1), headers=IMAGE).json()["detail"]
        assert client.post(f"{post}happy", content=b"no picture", headers=IMAGE).status_code == 400
        assert client.post("/v1/personal/model").json()["detail"] == "no face was collected yet"
    with serve(adapt=renaming) as client:  # keeps nothing
        assert client.get("/v1/personal").status_code == 404
    with serve(db=tmp_path / "mood.db") as client:  # nothing to fit with
        assert "makes no personal models" in client.get("/v1/personal").json()["detail"]


def test_memory_is_bounded_and_faces_are_forgotten(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Personal(tmp_path, Recognizer(tiny_model, "none"), renaming)
    crop = np.zeros((48, 48), dtype=np.uint8)
    monkeypatch.setattr(rooms, "MOST_FACES", 2)
    monkeypatch.setattr(rooms, "MOST_VISITORS", 2)
    for key in ("a", "b"):
        mine.add(key, "happy", 0, crop)
    with pytest.raises(MienError, match="too many people"):
        mine.add("c", "happy", 0, crop)
    mine.add("a", "happy", 1, crop)
    with pytest.raises(MienError, match="2 faces are enough"):
        mine.add("a", "happy", 2, crop)
    monkeypatch.setattr(rooms, "KEPT_S", 0.0)
    mine.add("c", "happy", 0, crop)
    assert mine.counts("a") == {} and mine.counts("c") == {"happy": 1}


def test_the_real_fitting_refuses_what_does_not_help(tmp_path: Path) -> None:
    """24 noise faces with labels at random: nothing can be learnt, so nothing is written."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    crops_NSS = rng.integers(0, 256, (24, 48, 48), dtype=np.uint8)
    emotions = [("neutral", "happy", "sad", "angry")[index % 4] for index in range(24)]
    out = tmp_path / "mine.onnx"
    found = adapt_moments(resolve_model("nano"), crops_NSS, emotions, [index // 2 for index in range(24)], out)
    assert found.faces == 24 and found.helps == out.is_file()
    if found.helps:
        assert Classifier(out).card.labels == Classifier(resolve_model("nano")).card.labels
