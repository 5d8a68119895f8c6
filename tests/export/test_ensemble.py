"""One file that averages: weights, order of classes, calibration, and what does not fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny_onnx import TINY_CARD, write_tiny_model

from mien.contract.card import ImageSpec
from mien.contract.errors import ModelError, ParityError
from mien.data.faceset import FaceSet
from mien.evaluate.ensemble_weights import fit_weights
from mien.export import ensemble
from mien.export.ensemble import merge_models
from mien.export.onnx import export_run
from mien.recognition.classifier import Classifier
from mien.train.run import Run

OTHER_ORDER = ("neutral", "sad", "angry", "disgust", "fear", "happy", "surprise")


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two models of the same classes, the second with its columns under other names."""
    other = replace(TINY_CARD, name="other", labels=OTHER_ORDER)
    return [write_tiny_model(tmp_path / "a.onnx"), write_tiny_model(tmp_path / "b.onnx", other)]


def test_the_file_answers_with_the_calibrated_average(pair: list[Path], crowd: FaceSet, tmp_path: Path) -> None:
    path = tmp_path / "both.onnx"
    card, parity = merge_models(pair, crowd, path)
    merged = Classifier(path)
    validation = crowd.split("validation")
    first_NC, second_NC = (Classifier(each)(validation.faces_NHW).astype(float) for each in pair)
    second_NC = second_NC[:, [OTHER_ORDER.index(label) for label in TINY_CARD.labels]]
    weights_M = fit_weights([first_NC, second_NC], validation.labels_N)
    assert [parent.weight for parent in card.parents] == pytest.approx(weights_M)
    assert [parent.name for parent in card.parents] == ["tiny", "other"]
    logits_NC = np.log(np.maximum(weights_M[0] * first_NC + weights_M[1] * second_NC, 1e-12))
    if card.vector is None:
        logits_NC /= card.temperature
    else:
        logits_NC = logits_NC * card.vector["factors"] + card.vector["offsets"]
    expected_NC = np.exp(logits_NC) / np.exp(logits_NC).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(merged(validation.faces_NHW), expected_NC, atol=1e-5)
    assert parity.difference <= 1e-5 and parity.faces == 28
    assert merged.card.to_json() == card.to_json()
    assert (card.name, card.precision, card.labels) == ("tiny+other", "fp32", TINY_CARD.labels)
    right = merged(validation.faces_NHW).argmax(axis=1) == validation.labels_N
    assert card.metrics["validation"]["accuracy"] == right.mean()


def test_a_network_beside_another_with_all_its_layers(
    exported: Path, run: Run, crowd: FaceSet, toy: FaceSet, tmp_path: Path
) -> None:
    full = tmp_path / "full.onnx"
    export_run(run, toy, full, half_weights=False, name="full")
    card, _ = merge_models([exported, full], crowd, tmp_path / "both.onnx", name="pair")
    proto = onnx.load(tmp_path / "both.onnx")
    assert [output.name for output in proto.graph.output] == ["probabilities"]
    assert sum(node.op_type == "Conv" for node in proto.graph.node) == 26
    trained_on = Classifier(full).card.data
    assert {key: card.data[key] for key in ("fingerprint", "counts")} == {  # both learned from the same faces
        key: trained_on[key] for key in ("fingerprint", "counts")
    }
    assert card.data["reference"]["faces"] == len(crowd.split("validation"))  # its own
    assert card.provenance["parameters"] == 2 * Classifier(full).card.provenance["parameters"]
    faces_NHW = crowd.faces_NHW[:70]
    one = Classifier(tmp_path / "both.onnx")
    np.testing.assert_array_equal(one(faces_NHW).argmax(axis=1)[:5], one(faces_NHW[:5]).argmax(axis=1))


def test_what_does_not_fit_together_is_refused(pair: list[Path], crowd: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="averages two or more"):
        merge_models(pair[:1], crowd, tmp_path / "x.onnx")
    framed = replace(TINY_CARD, image=ImageSpec(48, 1, {"none": (0.1, 0.0, 0.0, 0.0)}))
    with pytest.raises(ModelError, match="framed.onnx: wants other crops"):
        merge_models([pair[0], write_tiny_model(tmp_path / "framed.onnx", framed)], crowd, tmp_path / "x.onnx")
    foreign = write_tiny_model(tmp_path / "foreign.onnx", replace(TINY_CARD, labels=tuple("abcdefg")))
    with pytest.raises(ModelError, match=r"foreign.onnx: its classes \(a, b, c, d, e, f, g\) are not those of"):
        merge_models([pair[0], foreign], crowd, tmp_path / "x.onnx")
    older = onnx.load(pair[0])
    older.opset_import[0].version = 16
    onnx.save(older, str(tmp_path / "older.onnx"))
    with pytest.raises(ModelError, match="opsets 17 and 16"):
        merge_models([pair[0], tmp_path / "older.onnx"], crowd, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_an_average_that_is_not_one_is_not_written(
    pair: list[Path], crowd: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "average", lambda probs_MNC, weights_M: np.asarray(probs_MNC)[0])
    with pytest.raises(ParityError, match="x.onnx: not written"):
        merge_models(pair, crowd, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
