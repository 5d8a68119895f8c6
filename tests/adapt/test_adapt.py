"""Adapted files give the fitted answers, keep the meaning of their maps, and are not written if they do not help."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mien.adapt.adapting import adapt_model, adapt_to_shares, write_adapted, write_shares
from mien.adapt.features import SourceModel
from mien.adapt.onnx_bytes import Graph
from mien.adapt.tail import adapted
from mien.contract.errors import DataError, ModelError
from mien.contract.onnx_container import write_card
from mien.contract.shipped_models import resolve_model, shipped_models
from mien.data.faceset import FaceSet
from mien.evaluate.readout import Readout
from mien.recognition.classifier import Classifier


@pytest.fixture(scope="module", params=shipped_models())
def source(request: pytest.FixtureRequest) -> SourceModel:
    return SourceModel(resolve_model(request.param))


def crops(source: SourceModel, n: int = 4, seed: int = 0) -> np.ndarray:
    side = source.card.image.side
    coarse = np.random.default_rng(seed).integers(0, 256, (n, side // 8 + 1, side // 8 + 1), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :side, :side])


def some_readout(source: SourceModel, classes: int, seed: int = 1) -> Readout:
    rng = np.random.default_rng(seed)
    features = source.evidence(crops(source, 1)).features_NK.shape[1]
    known = len(source.card.labels)
    return Readout(
        np.eye(known, classes) * 0.8 + rng.normal(0, 0.05, (known, classes)),
        rng.normal(0, 0.3, (features, classes)),
        rng.normal(0, 0.2, classes),
    )


def test_features_are_those_of_the_head(source: SourceModel) -> None:
    """Head times features plus bias, calibrated, is the probability: the head's weights are in the file."""
    evidence = source.evidence(crops(source))
    assert source.features is not None and evidence.features_NK.shape[0] == 4
    assert np.allclose(evidence.log_probs_NC, np.log(Classifier(source.path)(crops(source))), atol=1e-4)


@pytest.mark.parametrize("classes", [None, 3], ids=["its own classes", "three others"])
def test_file_answers_what_was_fitted_and_maps_mean_the_same(
    source: SourceModel, classes: int | None, tmp_path: Path
) -> None:
    count = classes or len(source.card.labels)
    readout = some_readout(source, count)
    labels = source.card.labels if classes is None else ("yes", "no", "maybe")
    card = dataclasses.replace(source.card, labels=labels, graph_sha256=None, naming=None, guarantees=None, parents=())
    path = tmp_path / "adapted.onnx"
    path.write_bytes(write_card(adapted(source, readout), card)[0])
    faces_NSS = crops(source, 5, seed=2)
    evidence = source.evidence(faces_NSS)
    probs_ND, maps_NDhw = Classifier(path).maps(faces_NSS)
    shares_ND = readout(evidence)
    total_N1 = np.exp(evidence.log_probs_NC).sum(axis=1, keepdims=True) if source.rest else 1.0
    assert probs_ND == pytest.approx(shares_ND * total_N1, abs=2e-4)
    means_ND = maps_NDhw.mean(axis=(2, 3)).astype(np.float64)
    softmax_ND = np.exp(means_ND) / np.exp(means_ND).sum(axis=1, keepdims=True)
    assert softmax_ND == pytest.approx(shares_ND, abs=1e-3)


def test_recalibration_alone_needs_no_features(source: SourceModel, tmp_path: Path) -> None:
    known, features = len(source.card.labels), source.evidence(crops(source, 1)).features_NK.shape[1]
    readout = Readout(np.eye(known) * 0.5, np.zeros((features, known)), np.linspace(-1, 1, known))
    card = dataclasses.replace(source.card, graph_sha256=None, parents=())
    path = tmp_path / "cooler.onnx"
    path.write_bytes(write_card(adapted(source, readout), card)[0])
    log_NC = source.evidence(crops(source)).log_probs_NC * 0.5 + np.linspace(-1, 1, known)
    expected_NC = np.exp(log_NC) / np.exp(log_NC).sum(axis=1, keepdims=True)
    found_NC = Classifier(path)(crops(source))
    assert found_NC / found_NC.sum(axis=1, keepdims=True) == pytest.approx(expected_NC, abs=1e-4)


def test_graph_is_copied_whole(source: SourceModel) -> None:
    graph = Graph.of(source.file_bytes)
    assert graph.maker("probabilities") is not None
    again = Graph.of(write_card(source.file_bytes, source.card)[0])
    assert again == graph


def own_faces(source: SourceModel, n: int, labels: tuple[str, ...], seed: int = 0) -> FaceSet:
    """Faces whose class is how bright their left half is: features know it, emotions do not."""
    rng = np.random.default_rng(seed)
    labels_N = np.arange(n) % len(labels)
    faces_NSS = crops(source, n, seed).copy()
    middle = faces_NSS.shape[2] // 2
    faces_NSS[:, :, :middle] = np.clip(faces_NSS[:, :, :middle] * 0.2 + 80 * labels_N[:, None, None], 0, 255)
    names = np.array([f"{at}.png" for at in rng.permutation(n)])
    return FaceSet(faces_NSS, labels_N.astype(np.int64), np.full(n, "train"), labels, names)


def test_three_classes_of_ones_own(tmp_path: Path) -> None:
    source = SourceModel(resolve_model("fer2013"))
    faces = own_faces(source, 60, ("calm", "tense", "asleep"))
    found = adapt_model(source, faces)
    assert found.adaptation.method == "head" and found.adaptation.helps
    assert found.adaptation.before.accuracy <= 0.4  # the largest class
    assert found.adaptation.after.accuracy >= 0.7
    card = write_adapted(source, found, tmp_path / "mine.onnx", data="sixty faces")
    assert card.labels == ("calm", "tense", "asleep") and card.guarantees is not None
    classifier = Classifier(tmp_path / "mine.onnx")
    right = classifier(faces.faces_NHW).argmax(axis=1) == faces.labels_N
    assert right.mean() >= 0.9
    assert classifier.card.parents[0].name == "fer2013"


def test_labels_without_meaning_are_refused() -> None:
    source = SourceModel(resolve_model("nano"))
    faces = own_faces(source, 60, ("calm", "tense", "asleep"))
    shuffled = dataclasses.replace(faces, labels_N=np.random.default_rng(3).permutation(faces.labels_N))
    assert not adapt_model(source, shuffled).adaptation.helps


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    source = SourceModel(resolve_model("nano"))
    with pytest.raises(DataError, match="at least 20 labelled faces, got 6"):
        adapt_model(source, own_faces(source, 6, ("calm", "tense", "asleep")))
    found = adapt_model(source, own_faces(source, 24, source.card.labels[:3]), methods=("none",))
    assert found.classes == source.card.labels  # none is lost
    with pytest.raises(ModelError, match="ends in .onnx"):
        write_adapted(source, found, tmp_path / "mine.pt", data="")


def test_shares_without_labels(tmp_path: Path) -> None:
    source = SourceModel(resolve_model("nano"))
    faces_NSS = crops(source, 40)
    estimate, readout = adapt_to_shares(source, faces_NSS)
    assert estimate.priors_C.sum() == pytest.approx(1) and estimate.gain >= -1e-9
    card = write_shares(source, readout, estimate, tmp_path / "here.onnx", data="forty")
    assert card.guarantees is None
    said_NC = Classifier(tmp_path / "here.onnx")(faces_NSS)  # less than 1 in all, where the model sees no face
    shares_NC = said_NC / said_NC.sum(axis=1, keepdims=True)
    assert shares_NC == pytest.approx(readout(source.evidence(faces_NSS)), abs=1e-3)
