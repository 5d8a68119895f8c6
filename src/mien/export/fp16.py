"""A network in half precision, for GPUs: float32 pixels in, float32 logits out, fp16 in between.

    half = to_fp16(proto)

ONNX Runtime's converter does the work. It gets the network alone, for two reasons. Converted as well, normalisation and
softmax would round: probabilities moved by up to 3e-4, three times the limit of parity.py. And told to leave those
nodes out (``node_block_list``), the converter of ONNX Runtime 1.31 writes one name twice, an invalid graph.

fp16 ends at 65,504. Behind the normalisation no activation of these networks comes near that. bf16 would need no such
care, but ONNX Runtime has no convolution in bf16; TorchScript files can have it.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import ModelProto

from mien.contract.telemetry import import_onnxruntime
from mien.export.graph import network_nodes, set_nodes

float16: Any = import_onnxruntime("onnxruntime.transformers.float16")
onnx_model: Any = import_onnxruntime("onnxruntime.transformers.onnx_model")


def to_fp16(proto: ModelProto) -> ModelProto:
    """A copy whose network computes in fp16: its weights are rounded, a Cast stands on either side of it."""
    made: ModelProto = onnx.shape_inference.infer_shapes(proto)
    graph = made.graph
    inside = {node.name for node in network_nodes(graph)}
    network = [node for node in graph.node if node.name in inside]
    others = [node for node in graph.node if node.name not in inside]
    made_inside = {name for node in network for name in node.output}
    made_outside = {name for node in others for name in node.output} | {value.name for value in graph.input}
    read_outside = {name for node in others for name in node.input} | {value.name for value in graph.output}
    entering = sorted({name for node in network for name in node.input} & made_outside)
    leaving = sorted(made_inside & read_outside)
    half = float16.convert_float_to_float16(
        onnx.utils.Extractor(made).extract_model(entering, leaving), keep_io_types=True
    ).graph
    shared = {name for node in others for name in node.input}  # such as the head, which the maps read in float32
    renamed = {weight.name: f"{weight.name}.fp16" for weight in half.initializer if weight.name in shared}
    for node in half.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for weight in half.initializer:
        weight.name = renamed.get(weight.name, weight.name)
    kept = [weight for weight in graph.initializer if weight.name in shared]
    set_nodes(graph, [*others, *half.node])
    del graph.initializer[:], graph.value_info[:]  # the types of values inside the network have changed
    graph.initializer.extend([*kept, *half.initializer])
    in_order = onnx_model.OnnxModel(made)  # the runtime wants each node behind those that it reads
    in_order.topological_sort()
    sorted_proto: ModelProto = in_order.model
    return sorted_proto
