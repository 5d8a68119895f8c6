"""deepface's call against the shapes that deepface 0.0.103 returns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peer_shapes import RECORDED, positional
from PIL import Image

import mien
from mien.adapters.deepface import DeepFace, analyze

PEER = RECORDED["deepface"]
BLACK = np.zeros((120, 120, 3), dtype=np.uint8)


def test_it_takes_the_peers_arguments() -> None:
    assert positional(analyze) == PEER["parameters"]


def test_one_photo(astronaut: NDArray[np.uint8]) -> None:
    (face,) = DeepFace.analyze(astronaut[:, :, ::-1], actions=("emotion",), detector_backend="opencv")
    assert list(face) == PEER["keys"]
    assert list(face["emotion"]) == PEER["emotions"]
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert all(type(value) is float for value in face["emotion"].values())
    assert face["dominant_emotion"] == "happy" == max(face["emotion"], key=face["emotion"].__getitem__)
    assert list(face["region"]) == PEER["region"]
    ours = mien.recognize(astronaut).faces[0]
    assert face["region"]["x"] == int(ours.box_xyxy[0]) and face["region"]["y"] == int(ours.box_xyxy[1])
    assert face["region"]["w"] == pytest.approx(ours.box_xyxy[2] - ours.box_xyxy[0], abs=1)
    assert 0 <= face["face_confidence"] <= 1
    seven = sum(ours.scores[name] for name in PEER["emotions"])
    assert face["emotion"]["happy"] == pytest.approx(100 * ours.scores["happy"] / seven, abs=0.01)


def test_eyes_are_the_persons_own(astronaut: NDArray[np.uint8], yunet_file: Path, monkeypatch: Any) -> None:
    from mien.adapters import deepface
    from mien.recognition.recognizer import Recognizer

    monkeypatch.setattr(deepface, "recognizer_for", lambda *_: Recognizer(detector="yunet", detector_model=yunet_file))
    (face,) = analyze(astronaut[:, :, ::-1])
    region = face["region"]
    assert region["left_eye"][0] > region["right_eye"][0]  # seen from the front
    assert region["x"] < region["right_eye"][0] and region["left_eye"][0] < region["x"] + region["w"]


def test_a_list_and_a_batch_give_lists_of_lists(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(path)
    one = analyze(str(path), ["emotion"])
    assert analyze([str(path), path], "emotion") == [one, one]
    batch = np.stack([astronaut[:, :, ::-1]] * 2)
    assert analyze(batch) == [one, one]


def test_no_face_is_a_value_error_unless_it_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"Face could not be detected; .* enforce_detection=False"):
        analyze(BLACK)
    (whole,) = analyze(BLACK, enforce_detection=False)
    assert whole["region"] == {"x": 0, "y": 0, "w": 119, "h": 119, "left_eye": None, "right_eye": None}
    assert whole["face_confidence"] == 0
    (skipped,) = analyze(BLACK, detector_backend="skip")
    assert skipped["emotion"] == pytest.approx(whole["emotion"])


@pytest.mark.parametrize("action", ["age", "gender", "race"])
def test_what_mien_does_not_guess_is_refused_with_the_reason(action: str) -> None:
    with pytest.raises(mien.MienError, match=f"'{action}': mien has no model for it and will not guess"):
        analyze(BLACK, actions=("emotion", action))


def test_other_options_that_mien_lacks() -> None:
    with pytest.raises(ValueError, match="anti_spoofing"):
        analyze(BLACK, anti_spoofing=True)
    with pytest.raises(ValueError, match="at least one action"):
        analyze(BLACK, actions=())
    with pytest.raises(ValueError, match="'mood' is unknown"):
        analyze(BLACK, actions=("mood",))
