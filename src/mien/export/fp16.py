"""A network in half precision, for GPUs: float32 pixels in, float32 logits out, fp16 in between.

    half = to_fp16(proto)

Half precision holds up to 65,504: after normalisation no activation of these networks comes near it. bf16 would need
no such care, but ONNX Runtime has no convolution in it; TorchScript files can have it.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from mien.export.graph import network_nodes, set_nodes

LARGEST = float(np.finfo(np.float16).max)


def to_fp16(proto: ModelProto) -> ModelProto:
    """A copy whose network computes in fp16: its weights are rounded, a Cast stands on either side of it."""
    made = onnx.shape_inference.infer_shapes(proto)
    graph = made.graph
    inside = {node.name for node in network_nodes(graph)}
    made_inside = {name for node in graph.node if node.name in inside for name in node.output}
    read_outside = {name for node in graph.node if node.name not in inside for name in node.input}
    leaving = made_inside & (read_outside | {value.name for value in graph.output})
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.input)}
    weights = {weight.name: weight for weight in graph.initializer}
    nodes: list[NodeProto] = []
    half: dict[str, str] = {}  # float32 value -> the name of its copy in fp16

    def read(name: str) -> str:
        """The name by which a node of the network reads a value."""
        if name in half or name in made_inside:
            return half.get(name, name)
        weight = weights.get(name)
        if weight is not None and weight.data_type == TensorProto.FLOAT:
            half[name] = f"{name}.fp16"
            rounded = numpy_helper.to_array(weight).clip(-LARGEST, LARGEST).astype(np.float16)
            graph.initializer.append(numpy_helper.from_array(rounded, half[name]))
        elif weight is None and types.get(name) == TensorProto.FLOAT:
            half[name] = f"{name}.fp16"
            nodes.append(_cast(name, half[name], TensorProto.FLOAT16))
        return half.get(name, name)

    for node in graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        widened = []
        if node.name in inside:
            copy.input[:] = [read(name) for name in node.input]
            for index, name in enumerate(node.output):
                if name in leaving:
                    half[name] = copy.output[index] = f"{name}.fp16"
                    widened.append(_cast(half[name], name, TensorProto.FLOAT))
        nodes += [copy, *widened]
    set_nodes(graph, nodes)
    needed = {name for node in nodes for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:], graph.value_info[:]  # weights and types of what was float32
    graph.initializer.extend(kept)
    return made


def _cast(source: str, target: str, element: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"cast {target}", to=element)
