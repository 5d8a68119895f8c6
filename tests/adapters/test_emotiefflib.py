"""EmotiEffLib's and HSEmotion's calls: labels in their order, shapes as theirs."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from peer_shapes import RECORDED, positional

from mien.adapters.emotiefflib import (
    EmotiEffLibRecognizer,
    HSEmotionRecognizer,
    get_model_list,
    get_supported_engines,
)

PEER = RECORDED["emotiefflib"]


@pytest.fixture
def face(astronaut: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The face alone, RGB, not square: as a detector of the caller's would cut it."""
    return astronaut[55:175, 175:275]


def test_it_takes_the_peers_arguments() -> None:
    assert positional(EmotiEffLibRecognizer.__init__) == PEER["parameters"]
    assert get_supported_engines() == ["torch", "onnx"]


@pytest.mark.parametrize("engine", get_supported_engines())
@pytest.mark.parametrize("model_name", get_model_list())
def test_predict_emotions(engine: str, model_name: str, face: NDArray[np.uint8]) -> None:
    recognizer = EmotiEffLibRecognizer(engine=engine, model_name=model_name, device="cpu")
    names = PEER["seven"] if "_7" in model_name else PEER["eight"]
    assert list(recognizer.idx_to_emotion_class.values()) == names
    labels, logits_NC = recognizer.predict_emotions(face, logits=True)
    assert labels == ["Happiness"]
    mtl = 2 * ("_mtl" in model_name)
    assert logits_NC.shape == (1, len(names) + mtl) and logits_NC.dtype == np.float32
    labels, probs_NC = recognizer.predict_emotions([face, face], logits=False)
    assert labels == ["Happiness"] * 2 and probs_NC.shape == (2, len(names) + mtl)
    emotions_NC = probs_NC[:, : len(names)]
    np.testing.assert_allclose(emotions_NC.sum(axis=1), 1, atol=1e-5)
    exact = np.exp(logits_NC[:, : len(names)])
    np.testing.assert_allclose(exact / exact.sum(), emotions_NC[:1], atol=1e-5)
    if mtl:
        assert 0 < probs_NC[0, -2] <= 1  # a smile is pleasant


def test_hsemotion_gives_one_label_for_one_face(face: NDArray[np.uint8]) -> None:
    recognizer = HSEmotionRecognizer(model_name="enet_b0_8_best_afew", device="cpu")
    label, scores_C = recognizer.predict_emotions(face, logits=False)
    assert label == "Happiness" and scores_C.shape == (8,)
    assert label == recognizer.idx_to_class[int(scores_C.argmax())]
    labels, scores_NC = recognizer.predict_multi_emotions([face] * 3)
    assert labels == ["Happiness"] * 3 and scores_NC.shape == (3, 8)


def test_features_and_what_is_refused(face: NDArray[np.uint8]) -> None:
    recognizer = EmotiEffLibRecognizer("onnx")
    features_NF = recognizer.extract_features([face, face])
    assert features_NF.shape[0] == 2 and features_NF.dtype == np.float32
    np.testing.assert_array_equal(features_NF[0], features_NF[1])
    assert recognizer.predict_emotions([])[1].shape == (0, 8)
    with pytest.raises(ValueError, match="predict_emotions"):
        recognizer.classify_emotions(features_NF)
    with pytest.raises(TypeError, match=r"Expected np\.ndarray or List\[np\.ndarray\]"):
        recognizer.predict_emotions("photo.jpg")
    for options in ({"engine": "tf"}, {"model_name": "resnet"}):
        bad: dict[str, Any] = options
        with pytest.raises(ValueError, match="there are"):
            EmotiEffLibRecognizer(**bad)
