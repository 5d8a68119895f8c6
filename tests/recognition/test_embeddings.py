"""Embeddings are the input of the last layer: that layer and the calibration turn them into the probabilities."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import mien
from mien.contract.errors import ModelError
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.data.faceset import FaceSet
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import Detections
from mien.recognition.embeddings import Embedder, feature_names
from mien.recognition.recognizer import Recognizer


@pytest.mark.parametrize("name", shipped_models())
def test_the_last_layer_turns_an_embedding_into_the_probabilities(name: str, toy: FaceSet) -> None:
    path = resolve_model(name)
    crops_NSS = toy.faces_NHW[:7]
    embedder = Embedder(path, threads=1)
    vectors_NF = embedder(crops_NSS)
    assert vectors_NF.shape == (7, embedder.size) and vectors_NF.dtype == np.float32
    pytest.importorskip("torch", reason="mien.export needs torch")
    from mien.export.graph import read_model

    proto, card = read_model(path)
    weights = {each.name: numpy_helper.to_array(each) for each in proto.graph.initializer}
    (layer,) = (each for each in weights if each.endswith("head.weight"))
    logits_NC = vectors_NF @ weights[layer].T + weights[layer.replace("weight", "bias")]
    scaled_NC = logits_NC * weights["model.factors_C"] + weights["model.offsets_C"]
    probs_NC = Classifier(path, threads=1)(crops_NSS)
    labels = len(card.labels)
    np.testing.assert_array_equal(scaled_NC[:, :labels].argmax(1), probs_NC.argmax(1))
    if card.curve is None:  # else each face has a temperature of its own
        expected_NC = np.exp(scaled_NC) / np.exp(scaled_NC).sum(1, keepdims=True)
        np.testing.assert_allclose(probs_NC, expected_NC[:, :labels], atol=1e-4)


def test_faces_come_as_recognize_orders_them(astronaut: NDArray[np.uint8]) -> None:
    vectors_NF = mien.embed(astronaut)
    assert vectors_NF.shape[0] == len(mien.recognize(astronaut).faces) == 1
    face = mien.recognize(astronaut).faces[0]
    crop_SS = Recognizer().crops(astronaut, Detections(np.array([face.box_xyxy])))[0]
    as_a_crop_NF = Embedder(resolve_model("base"))(crop_SS[None])
    assert float((as_a_crop_NF * vectors_NF).sum() / np.linalg.norm(as_a_crop_NF) / np.linalg.norm(vectors_NF)) > 0.95
    assert mien.embed(np.zeros((64, 64, 3), dtype=np.uint8)).shape == (0, vectors_NF.shape[1])


def test_no_faces_and_wrong_crops() -> None:
    embedder = Embedder(resolve_model("nano"), threads=1)
    side = embedder.card.image.side
    assert embedder(np.empty((0, side, side), dtype=np.uint8)).shape == (0, embedder.size)
    with pytest.raises(ValueError, match="expected uint8 crops"):
        embedder(np.zeros((1, side, side), dtype=np.float32))  # type: ignore[arg-type]


def test_a_model_without_a_linear_layer_says_so(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no linear last layer"):
        feature_names(b"")
    with pytest.raises(ModelError, match=r"absent\.onnx: No such file"):
        Embedder(tmp_path / "absent.onnx")
