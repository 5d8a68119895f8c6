"""The graph of an ensemble: its members side by side behind one input, and what averages and calibrates their answers.

    proto = merged_graph(protos, cards, weights_M, scaling)

Shape legend: M members, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from mien.contract.card import ModelCard
from mien.contract.emotions import canonical
from mien.contract.errors import ModelError
from mien.evaluate.logit_scaling import Scaling
from mien.export.graph import store_exact_halves

SMALLEST = 1e-12
"""Probabilities below this are taken for it, so that their logarithm exists."""


def merged_graph(
    protos: Sequence[ModelProto],
    cards: Sequence[ModelCard],
    weights_M: NDArray[np.float64],
    scaling: Scaling,
) -> ModelProto:
    """One graph: members behind one input, then sum of weighted probabilities, logarithm, calibration, softmax."""
    labels = [canonical(label) for label in cards[0].labels]
    columns = [[list(map(canonical, card.labels)).index(label) for label in labels] for card in cards]
    opsets: dict[str, int] = {}
    for proto in protos:
        for opset in proto.opset_import:
            if opsets.setdefault(opset.domain, opset.version) != opset.version:
                raise ModelError(f"the members are of ONNX opsets {opsets[opset.domain]} and {opset.version}")
    constants = {
        "factors": np.array(scaling.factors_C, dtype=np.float32),
        "offsets": np.array(scaling.offsets_C, dtype=np.float32),
        "smallest": np.array(SMALLEST, dtype=np.float32),
    }
    nodes, weights, functions = [], [], []
    for number, (proto, order) in enumerate(zip(protos, columns, strict=True)):
        member = onnx.compose.add_prefix(proto, f"{number}.")
        for node in member.graph.node:
            node.input[:] = ["faces" if name == f"{number}.faces" else name for name in node.input]
        nodes += list(member.graph.node)
        weights += list(member.graph.initializer)
        functions += list(member.functions)
        constants[f"{number}.columns"] = np.array(order, dtype=np.int64)
        constants[f"{number}.weight"] = np.array(weights_M[number], dtype=np.float32)
        ordered = [f"{number}.probabilities", f"{number}.columns"]
        nodes.append(helper.make_node("Gather", ordered, [f"{number}.ordered"], f"{number}.order", axis=1))
        parts = [f"{number}.ordered", f"{number}.weight"]
        nodes.append(helper.make_node("Mul", parts, [f"{number}.weighted"], f"{number}.weigh"))
    nodes += [
        helper.make_node("Sum", [f"{number}.weighted" for number in range(len(protos))], ["mean"], "mean"),
        helper.make_node("Max", ["mean", "smallest"], ["floored"], "floor"),
        helper.make_node("Log", ["floored"], ["logs"], "logarithm"),
        helper.make_node("Mul", ["logs", "factors"], ["scaled"], "scale"),
        helper.make_node("Add", ["scaled", "offsets"], ["logits"], "offset"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    answers = [output for output in protos[0].graph.output if output.name == "probabilities"]
    graph = helper.make_graph(
        nodes,
        "ensemble",
        list(protos[0].graph.input),
        answers,
        weights + [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    merged = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
        functions=functions,
        ir_version=max(proto.ir_version for proto in protos),
    )
    _drop_unused(merged)
    store_exact_halves(merged)
    return merged


def _drop_unused(proto: ModelProto) -> None:
    """Remove what no probability comes from, such as members' further outputs."""
    graph = proto.graph
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
