"""Integers and halves: what is in the file, what it answers, what it cost, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization.calibrate import TensorData

from mien.contract.errors import DataError, ModelError, ParityError
from mien.contract.lineage import Parent
from mien.data.faceset import FaceSet
from mien.evaluate.selective_prediction import risk_coverage
from mien.export.graph import network_nodes, read_model
from mien.export.int8 import int8_layers, static_int8, tensor_ranges
from mien.export.quantize import quantize_model, sensitivities
from mien.recognition.classifier import Classifier

LENIENT = 100.0
"""Points of accuracy: four faces a class decide nothing."""


def int8_weights(path: Path) -> list[Any]:
    weights = onnx.load(path).graph.initializer
    arrays = [numpy_helper.to_array(each) for each in weights if each.data_type == TensorProto.INT8]
    return [each for each in arrays if each.ndim == 4]


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "entropy"])
def test_static_int8(exported: Path, crowd: FaceSet, tmp_path: Path, ranges: Any) -> None:
    path = tmp_path / "int8.onnx"
    card, loss = quantize_model(exported, crowd, path, ranges=ranges, max_loss_points=LENIENT)
    before, after = Classifier(exported), Classifier(path)
    validation = crowd.split("validation")
    probs_NC, old_NC = after(validation.faces_NHW), before(validation.faces_NHW)
    assert loss.accuracy == (probs_NC.argmax(axis=1) == validation.labels_N).mean()
    assert loss.accuracy_before == (old_NC.argmax(axis=1) == validation.labels_N).mean()
    assert loss.agreement == (probs_NC.argmax(axis=1) == old_NC.argmax(axis=1)).mean() >= 0.85
    assert 0 < loss.divergence < 0.02
    assert after.card.to_json() == card.to_json()
    assert (card.precision, card.name) == ("int8", "tiny-int8")
    assert card.parents == (Parent("tiny", before.card.graph_sha256, "quantised from"),)
    assert card.metrics["validation"]["accuracy"] == loss.accuracy
    accepted = risk_coverage(probs_NC, validation.labels_N, card.accept_threshold).accepted
    assert accepted is not None and accepted.threshold == card.accept_threshold
    facts = card.provenance["quantized"]
    assert facts["calibration"] == {"data": crowd.split("train").fingerprint, "faces": 112, "ranges": ranges}
    assert len(int8_weights(path)) == len(int8_layers(read_model(exported)[0])) == 13


@pytest.mark.parametrize(("portable", "largest"), [(True, 64), (False, 127)])
def test_portable_weights_have_seven_bits(
    exported: Path, crowd: FaceSet, tmp_path: Path, portable: bool, largest: int
) -> None:
    path = tmp_path / "int8.onnx"
    quantize_model(exported, crowd, path, ranges="minmax", portable=portable, max_loss_points=LENIENT)
    assert max(np.abs(each.astype(int)).max() for each in int8_weights(path)) == largest


def test_the_layer_whose_range_is_wrong_is_the_most_sensitive(exported: Path, crowd: FaceSet) -> None:
    proto, card = read_model(exported)
    measured = tensor_ranges(proto, crowd.split("train").faces_NHW[:64], "minmax")
    layers = int8_layers(proto)
    chosen = next(node for node in proto.graph.node if node.name == layers[5])
    spoilt = TensorData(lowest=np.float32(0), highest=np.float32(1e-3))
    measured.data[chosen.input[0]] = spoilt
    faces_NHW = crowd.split("validation").faces_NHW
    found = sensitivities(proto, card, measured, faces_NHW)
    assert list(found) == layers
    worst = sorted(found, key=found.__getitem__)[-2:]  # a shortcut may read the same values
    assert layers[5] in worst and found[worst[-1]] > 5 * sorted(found.values())[-3]


def test_layers_kept_in_float_have_no_integers(exported: Path, crowd: FaceSet) -> None:
    proto, _ = read_model(exported)
    measured = tensor_ranges(proto, crowd.faces_NHW[:64], "minmax")
    layers = int8_layers(proto)
    made = static_int8(proto, measured, layers[:2])
    weights = {each.name for each in made.graph.initializer if each.data_type == TensorProto.FLOAT}
    convolutions = {node.name: node for node in made.graph.node if node.op_type == "Conv"}
    assert [convolutions[layer].input[1] in weights for layer in layers] == [True, True] + [False] * 11


def test_past_the_limit_layers_go_back_to_float_and_then_it_is_refused(
    exported: Path, crowd: FaceSet, tmp_path: Path
) -> None:
    told: list[str] = []
    with pytest.raises(ParityError, match=r"int8.onnx: not written: accuracy on 28 faces fell .* -101 allowed"):
        quantize_model(
            exported, crowd, tmp_path / "int8.onnx", ranges="minmax", max_loss_points=-101, on_progress=told.append
        )
    assert not list(tmp_path.iterdir())
    kept = [int(line.split(" with ")[1].split()[0]) for line in told if " with " in line]
    assert kept == [1, 2, 4, 8, 13]


def test_dynamic_int8(exported: Path, crowd: FaceSet, tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    card, loss = quantize_model(exported, crowd, path, precision="int8-dynamic", max_loss_points=LENIENT)
    assert card.precision == "int8-dynamic" and loss.divergence < 0.05
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("ConvInteger") == 13 and "Conv" not in operators


def test_fp16(exported: Path, crowd: FaceSet, tmp_path: Path) -> None:
    path = tmp_path / "fp16.onnx"
    card, loss = quantize_model(exported, crowd, path, precision="fp16")
    assert card.precision == "fp16" and loss.points <= 0.5
    faces_NHW = crowd.split("validation").faces_NHW
    np.testing.assert_allclose(Classifier(path, provider="cpu")(faces_NHW), Classifier(exported)(faces_NHW), atol=5e-3)
    made = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    types = {value.name: value.type.tensor_type.elem_type for value in made.graph.value_info}
    network = network_nodes(made.graph)
    halves = [types.get(node.output[0]) for node in network if node.op_type in ("Conv", "Relu", "Add")]
    assert len(halves) > 20 and set(halves) == {TensorProto.FLOAT16}
    outputs = {value.name: value.type.tensor_type.elem_type for value in made.graph.output}
    assert set(outputs.values()) == {TensorProto.FLOAT}
    assert path.stat().st_size < 1.25 * exported.stat().st_size  # whose weights are stored in half already


def test_maps_stay_maps(exported: Path, crowd: FaceSet, tmp_path: Path) -> None:
    """An int8 file answers with the same maps, where the float32 one has any."""
    quantize_model(exported, crowd, tmp_path / "int8.onnx", ranges="minmax", max_loss_points=LENIENT)
    before, after = onnx.load(exported).graph, onnx.load(tmp_path / "int8.onnx").graph
    assert [value.name for value in after.output] == [value.name for value in before.output]


@pytest.mark.parametrize(("count", "message"), [(3, "got 3 of 1"), (80, "got 80 of 1")])
def test_too_few_faces_or_one_class_are_refused(
    exported: Path, crowd: FaceSet, tmp_path: Path, count: int, message: str
) -> None:
    happy = crowd.take(np.resize(np.flatnonzero((crowd.labels_N == 3) & (crowd.splits_N == "train")), count))
    with pytest.raises(DataError, match=f"expected at least 64 faces of two or more classes, {message}"):
        quantize_model(exported, crowd, tmp_path / "int8.onnx", calibration=happy)
    assert not list(tmp_path.iterdir())


def test_what_is_quantised_already_is_refused(exported: Path, crowd: FaceSet, tmp_path: Path) -> None:
    quantize_model(exported, crowd, tmp_path / "fp16.onnx", precision="fp16")
    with pytest.raises(ModelError, match="already fp16; give the fp32 file"):
        quantize_model(tmp_path / "fp16.onnx", crowd, tmp_path / "int8.onnx")
    with pytest.raises(ModelError, match="no precision 'int4'; there are: int8, int8-dynamic, fp16"):
        quantize_model(exported, crowd, tmp_path / "int4.onnx", precision="int4")  # type: ignore[arg-type]
