"""Shared work on ONNX graphs: read one with its card, find the network in it, store it small, add the card.

    proto, card = read_model(Path("base.onnx"))
    blob, card = stamp(proto, card)                     # the card now holds the digest of this very graph
    classifier = open_bytes(blob)                       # what users run, before anything is written

A graph of mien's has three parts: preprocessing, the network (from its first convolution to the last layer that the
probabilities come from), and what follows the logits. Other arithmetic than float32 is for the network alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.lineage import check_lineage
from mien.contract.onnx_container import write_card
from mien.recognition.classifier import Classifier
from mien.recognition.providers import open_session

OPSET = 18
"""Of the graphs that are written unless another is asked for, and the oldest that PyTorch can write: ONNX Runtime reads
it since 1.14 (2023). Members of an ensemble must agree on it."""

LAYERS = ("Conv", "Gemm", "MatMul")
"""Operators that hold weights."""

LARGE = 1024
"""Smaller weights are not stored in half: the extra node would cost more than it saves."""


def read_model(path: Path) -> tuple[ModelProto, ModelCard]:
    """An .onnx file that mien exported, its weights in float32, and its card.

    Raises:
        ModelError: no such file, not ours, altered, or from a newer mien.
    """
    card = Classifier(path, provider="cpu").card  # this checks that the file is ours, unaltered and not too new
    proto = onnx.load_from_string(path.read_bytes())
    widen_halves(proto)
    for number, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type} {number}"  # code below tells these nodes apart by their name
    return proto, card


def stamp(proto: ModelProto, card: ModelCard) -> tuple[bytes, ModelCard]:
    """The file's bytes, with a card that holds the digest of the graph; traces of this machine are removed.

    Raises:
        ModelError: the card's recipe names a model that its lineage lacks.
    """
    check_lineage(card)
    for node in proto.graph.node:  # remove stack traces, which name paths of this machine
        node.ClearField("metadata_props")
        node.doc_string = ""
    graph = proto.graph
    for value in (*graph.value_info, *graph.input, *graph.output, *graph.initializer):
        value.ClearField("metadata_props")
    onnx.checker.check_model(proto)
    return write_card(proto.SerializeToString(), card)


def open_bytes(blob: bytes) -> Classifier:
    """Open bytes as the class that users run, before they become a file."""
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / "candidate.onnx"
        candidate.write_bytes(blob)
        return Classifier(candidate, provider="cpu")


def check_opset(opset: int) -> None:
    """Check that a graph of that opset can be written and opened here.

    Raises:
        ModelError: the exporter or the installed ONNX Runtime lacks it.
    """
    newest = onnx.defs.onnx_opset_version()
    if not OPSET <= opset <= newest:
        have = f"PyTorch {torch.__version__} and onnx {onnx.__version__} have {OPSET} to {newest}"
        raise ModelError(f"ONNX opset {opset} cannot be written: {have}")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("in", "out")]
    probe = helper.make_graph([helper.make_node("Identity", ["in"], ["out"])], "probe", values[:1], values[1:])
    opsets = [helper.make_opsetid("", opset)]
    try:
        open_session(helper.make_model(probe, opset_imports=opsets, ir_version=8).SerializeToString(), 1, "cpu", 1)
    except ModelError as error:
        raise ModelError(f"opset {opset} is not written, since it could not be opened here: {error}") from None


def network_nodes(graph: GraphProto) -> list[NodeProto]:
    """Nodes of the network: behind a convolution, and before (or the same as) the last layer of the probabilities."""
    makers = {name: node for node in graph.node for name in node.output}

    def sources(nodes: Iterable[NodeProto]) -> set[str]:
        """Names of all nodes that these are computed from, themselves included."""
        found: set[str] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node.name not in found:
                found.add(node.name)
                waiting += [makers[name] for name in node.input if name in makers]
        return found

    needed = sources([makers["probabilities"]])
    behind: set[str] = set()  # values that a convolution has touched
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.name in needed and (node.op_type == "Conv" or behind & set(node.input)):
            behind |= set(node.output)
            nodes.append(node)
    last = max((index for index, node in enumerate(nodes) if node.op_type in LAYERS), default=-1)
    inside = sources(nodes[last : last + 1])
    return [node for node in nodes if node.name in inside]


def store_exact_halves(proto: ModelProto) -> None:
    """Store each large float32 weight that half precision holds exactly as half, widened by a Cast on opening."""
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LARGE or not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"widen {name}", to=TensorProto.FLOAT))
    set_nodes(proto.graph, [*casts, *proto.graph.node])


def widen_halves(proto: ModelProto) -> None:
    """Undo ``store_exact_halves``: weights in float32, no Cast between them and their layers."""
    stored = {weight.name: weight for weight in proto.graph.initializer if weight.data_type == TensorProto.FLOAT16}
    kept = []
    for node in proto.graph.node:
        weight = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if weight is None:
            kept.append(node)
        else:
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float32), node.output[0]))
    set_nodes(proto.graph, kept)


def set_nodes(graph: GraphProto, nodes: list[Any]) -> None:
    """Replace the nodes of a graph."""
    del graph.node[:]
    graph.node.extend(nodes)
