"""Face and FrameResult: validated at birth, frozen, ready for JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from mien.contract.results import Face, FrameResult

GOOD: dict[str, Any] = {
    "box_xyxy": (1.0, 2.0, 30.5, 40.0),
    "detector_score": 0.9,
    "emotion": "happy",
    "confidence": 0.75,
    "accepted": True,
    "scores": {"happy": 0.75, "sad": 0.25},
}


def test_face_to_dict_is_json() -> None:
    plain = Face(**GOOD).to_dict()
    assert json.loads(json.dumps(plain)) == GOOD | {"box_xyxy": [1.0, 2.0, 30.5, 40.0]}
    assert Face(**GOOD, track_id=3).to_dict() == plain | {"track_id": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box_xyxy": (1.0, 2.0, 1.0, 4.0)}, "x2 > x1"),
        ({"box_xyxy": (1.0, 5.0, 2.0, 4.0)}, "y2 > y1"),
        ({"box_xyxy": (1.0, 2.0, math.inf, 4.0)}, "finite box"),
        ({"box_xyxy": (1.0, math.nan, 2.0, 4.0)}, "finite box"),
        ({"detector_score": 1.2}, "detector_score in 0..1, got 1.2"),
        ({"detector_score": math.nan}, "detector_score in 0..1"),
        ({"scores": {"happy": 1.5, "sad": -0.5}}, "scores in 0..1"),
        ({"scores": {"happy": math.nan, "sad": 0.25}}, "scores in 0..1"),
        ({"scores": {"happy": 0.75, "sad": 0.3}}, "sum to at most 1, got 1.05"),
        ({"emotion": "bored"}, "confidence to be the score of 'bored'"),
        ({"confidence": 0.7}, "got 0.7"),
    ],
)
def test_face_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Face(**GOOD | change)


def test_face_keeps_its_own_scores_and_cannot_be_reassigned() -> None:
    scores = dict(GOOD["scores"])
    face = Face(**GOOD | {"scores": scores})
    scores["happy"] = 0.0
    assert face.scores["happy"] == 0.75
    with pytest.raises(dataclasses.FrozenInstanceError):
        face.emotion = "sad"  # type: ignore[misc]


def test_frame_result() -> None:
    face = Face(**GOOD)
    still = FrameResult("party.jpg", 640, 480, (face,))
    assert still.to_dict() == {"source": "party.jpg", "width": 640, "height": 480, "faces": [face.to_dict()]}
    assert FrameResult("clip.mp4", 640, 480, (), t_s=1.5).to_dict()["t_s"] == 1.5
    with pytest.raises(ValueError, match="at least 1 x 1, got 0 x 480"):
        FrameResult("party.jpg", 0, 480, ())
