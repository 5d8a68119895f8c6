"""int8 models by ONNX Runtime's quantiser. Ranges are measured once; each choice of layers then takes seconds.

    measured = tensor_ranges(proto, crops_NHW, "percentile")
    quantised = static_int8(proto, measured, float_layers=("node_conv2d_3",))

Shape legend: N faces, H = W side in pixels.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from mien.contract.telemetry import import_onnxruntime
from mien.export.graph import network_nodes

quantization: Any = import_onnxruntime("onnxruntime.quantization")
calibrate: Any = import_onnxruntime("onnxruntime.quantization.calibrate")
qdq_quantizer: Any = import_onnxruntime("onnxruntime.quantization.qdq_quantizer")

Ranges = Literal["minmax", "percentile", "entropy"]

INT8_OPERATORS = ("Conv", "Relu", "Clip", "Add", "Mul", "AveragePool", "MaxPool", "GlobalAveragePool", "Concat")
"""What is computed in integers, so that activations stay integers from one convolution to the next."""

CHUNK_FACES = 32
"""Faces a run of the calibrator, which keeps every activation of it in memory."""

METHODS: dict[Ranges, tuple[Any, dict[str, Any]]] = {
    "minmax": (quantization.CalibrationMethod.MinMax, {}),
    "percentile": (quantization.CalibrationMethod.Percentile, {"percentile": 99.999}),
    "entropy": (quantization.CalibrationMethod.Entropy, {}),
}


def int8_layers(proto: ModelProto) -> list[str]:
    """Names of the convolutions of the network, in order."""
    return [node.name for node in network_nodes(proto.graph) if node.op_type == "Conv"]


def tensor_ranges(proto: ModelProto, crops_NHW: NDArray[np.uint8], ranges: Ranges) -> Any:
    """The range that each activation of the network takes on real crops; ONNX Runtime's TensorsData."""
    method, options = METHODS[ranges]
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        onnx.save(proto, str(path))
        # the calibrator only watches values whose type is known; without this, those would be the pixels alone
        calibrator = calibrate.create_calibrator(
            path, list(INT8_OPERATORS), str(Path(folder) / "watched.onnx"), method, extra_options=options
        )
        calibrator.set_execution_providers(["CPUExecutionProvider"])
        for start in range(0, len(crops_NHW), CHUNK_FACES):
            calibrator.collect_data(_Once(crops_NHW[start : start + CHUNK_FACES]))
        return calibrator.compute_data()


def static_int8(
    proto: ModelProto, measured: Any, float_layers: Sequence[str] = (), portable: bool = True
) -> ModelProto:
    """The network in int8 but for ``float_layers``; weights of 7 bits where ``portable``."""
    nodes = [node for node in network_nodes(proto.graph) if node.op_type in INT8_OPERATORS]
    chosen = [node.name for node in nodes if node.name not in float_layers]
    copy = onnx.shape_inference.infer_shapes(proto)
    if len(float_layers) == len(int8_layers(proto)):
        return copy
    with _quiet():
        quantizer = qdq_quantizer.QDQQuantizer(
            copy,
            per_channel=True,
            reduce_range=portable,
            weight_qType=quantization.QuantType.QInt8,
            activation_qType=quantization.QuantType.QUInt8,
            tensors_range=measured,
            nodes_to_quantize=chosen,
            nodes_to_exclude=[],
            op_types_to_quantize=list(INT8_OPERATORS),
            extra_options={},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    made: ModelProto = quantizer.model.model
    return made


def dynamic_int8(proto: ModelProto, portable: bool = True) -> ModelProto:
    """Weights in int8, activations in ranges that each call measures."""
    with TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "dynamic.onnx"
        quantization.quantize_dynamic(
            _each_gemm_its_own_weights(proto),
            path,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=portable,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=int8_layers(proto),
        )
        return onnx.load(str(path))


def _each_gemm_its_own_weights(proto: ModelProto) -> ModelProto:
    """A copy in which the quantiser may transpose the weights of every Gemm.

    Probabilities and maps share the weights of one head. The quantiser would transpose them twice, and the types that
    were inferred before would name the old shape.
    """
    copy = ModelProto()
    copy.CopyFrom(proto)
    graph = copy.graph
    del graph.value_info[:]
    weights = {weight.name: weight for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Gemm" and node.input[1] in weights:
            own = onnx.TensorProto()
            own.CopyFrom(weights[node.input[1]])
            own.name = node.input[1] = f"{own.name} of {node.name}"
            graph.initializer.append(own)
    return copy


class _Once(quantization.CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """One batch for ONNX Runtime's calibrator."""

    def __init__(self, crops_BHW: NDArray[np.uint8]) -> None:
        self.feeds: Iterator[dict[str, Any]] = iter([{"faces": crops_BHW}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser, which prints progress and advises steps that are already done."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
