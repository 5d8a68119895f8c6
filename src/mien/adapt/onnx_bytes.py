"""Read and write the few parts of an .onnx file that adapting a model needs, without the onnx package.

    graph = Graph.of(file_bytes)
    graph.nodes[-1].op_type                       # "Softmax"
    file_bytes = graph.with_tail(keep={"mean_2"}, nodes=[...], constants={...}, outputs={...})

An ONNX file is a protobuf message, which is a sequence of numbered fields (onnx.proto3,
protobuf.dev/programming-guides/encoding). Unchanged fields are copied byte for byte.

Not here: which nodes to add (tail.py), the card (mien.contract.onnx_container).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.contract.onnx_container import METADATA_FIELD, protobuf_content, protobuf_fields
from mien.contract.onnx_container import protobuf_field as field

MODEL_GRAPH, MODEL_OPSETS = 7, 8
GRAPH_NODE, GRAPH_CONSTANT, GRAPH_OUTPUT, GRAPH_VALUE = 1, 5, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_OP_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5
CONSTANT_DIMS, CONSTANT_TYPE, CONSTANT_NAME, CONSTANT_RAW = 1, 2, 8, 9
ELEMENT_TYPES = {"float32": 1, "int64": 7}


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        op_type: its name in ONNX.
        inputs: names of the values it reads; "" for one left out.
        outputs: names of the values it makes.
        content: the whole protobuf message.
    """

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    content: bytes


def node(op_type: str, inputs: Sequence[str], output: str, **attributes: int) -> Node:
    """A new operation with one output; attributes are whole numbers."""
    content = b"".join(field(NODE_INPUT, name.encode()) for name in inputs) + field(NODE_OUTPUT, output.encode())
    content += field(NODE_OP_TYPE, op_type.encode())
    for name, value in attributes.items():
        whole = 2  # AttributeProto.INT
        content += field(NODE_ATTRIBUTE, field(1, name.encode()) + number(3, value) + number(20, whole))
    return Node(op_type, tuple(inputs), (output,), content)


@dataclass(frozen=True)
class Graph:
    """A model file in parts.

    Attributes:
        nodes: in an order in which they can run.
        constants: the messages of weights and other constants, by name.
        rest: all other fields of the graph: its name, its inputs, …
        model_rest: the fields of the file beside the graph: version, opsets, …
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, bytes]
    rest: tuple[bytes, ...]
    model_rest: tuple[bytes, ...]

    @classmethod
    def of(cls, file_bytes: bytes) -> Graph:
        """Take a file apart.

        Raises:
            ModelError: the bytes are not protobuf.
        """
        content = memoryview(file_bytes)
        nodes: list[Node] = []
        constants: dict[str, bytes] = {}
        rest, model_rest = [], []
        for kind, start, end in protobuf_fields(content):
            whole = content[start:end]
            if kind != MODEL_GRAPH:
                if kind != METADATA_FIELD:
                    model_rest.append(bytes(whole))
                continue
            graph = protobuf_content(whole)
            for part, first, last in protobuf_fields(graph):
                inside = graph[first:last]
                if part == GRAPH_NODE:
                    nodes.append(_read_node(protobuf_content(inside)))
                elif part == GRAPH_CONSTANT:
                    constant = protobuf_content(inside)
                    constants[_texts(constant, CONSTANT_NAME)[0]] = bytes(constant)
                elif part not in (GRAPH_OUTPUT, GRAPH_VALUE):
                    rest.append(bytes(inside))
        return cls(tuple(nodes), constants, tuple(rest), tuple(model_rest))

    def maker(self, value: str) -> Node | None:
        """The node whose output is this value; None for an input or a constant."""
        return next((each for each in self.nodes if value in each.outputs), None)

    def renamed(self, names: Mapping[str, str]) -> Graph:
        """The same graph with some values under other names."""
        return Graph(tuple(_rename(each, names) for each in self.nodes), self.constants, self.rest, self.model_rest)

    def with_tail(
        self,
        keep: Iterable[str],
        nodes: Sequence[Node],
        constants: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
        outputs: Mapping[str, Sequence[int | str]],
    ) -> bytes:
        """The file with only the nodes that compute the values ``keep``, followed by ``nodes``; without a card.

        Args:
            keep: values that the new nodes read.
            nodes: the new nodes, in an order in which they can run.
            constants: the constants that the new nodes read, by name.
            outputs: shape of each output, which is float32; a size that varies is given as its name.
        """
        wanted, kept = set(keep), []
        for each in reversed(self.nodes):
            if wanted.intersection(each.outputs):
                kept.append(each)
                wanted.update(each.inputs)
        graph = b"".join(field(GRAPH_NODE, each.content) for each in (*reversed(kept), *nodes))
        graph += b"".join(field(GRAPH_CONSTANT, each) for name, each in self.constants.items() if name in wanted)
        graph += b"".join(field(GRAPH_CONSTANT, constant(name, values)) for name, values in constants.items())
        graph += b"".join(self.rest)
        graph += b"".join(field(GRAPH_OUTPUT, value_info(name, shape)) for name, shape in outputs.items())
        return b"".join(self.model_rest) + field(MODEL_GRAPH, graph)


def with_output(file_bytes: bytes, value: str) -> bytes:
    """The file with one more output. Protobuf merges a message that comes twice, so it is enough to add a second graph
    that holds nothing but the output."""
    return file_bytes + field(MODEL_GRAPH, field(GRAPH_OUTPUT, field(1, value.encode())))


def constant(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    """A constant of the graph."""
    dims = b"".join(number(CONSTANT_DIMS, size) for size in values.shape)
    kind = number(CONSTANT_TYPE, ELEMENT_TYPES[values.dtype.name])
    return (
        dims + kind + field(CONSTANT_NAME, name.encode()) + field(CONSTANT_RAW, np.ascontiguousarray(values).tobytes())
    )


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    """Name, type float32 and shape of an output."""
    dims = b"".join(field(1, field(2, each.encode()) if isinstance(each, str) else number(1, each)) for each in shape)
    return field(1, name.encode()) + field(2, field(1, number(1, ELEMENT_TYPES["float32"]) + field(2, dims)))


def number(kind: int, value: int) -> bytes:
    """A protobuf field of a whole number."""
    return _varint(kind << 3) + _varint(value % 2**64)


def _varint(value: int) -> bytes:
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _texts(message: memoryview, kind: int) -> list[str]:
    return [
        bytes(protobuf_content(message[start:end])).decode()
        for number_, start, end in protobuf_fields(message)
        if number_ == kind
    ]


def _read_node(message: memoryview) -> Node:
    inputs, outputs = _texts(message, NODE_INPUT), _texts(message, NODE_OUTPUT)
    return Node(_texts(message, NODE_OP_TYPE)[0], tuple(inputs), tuple(outputs), bytes(message))


def _rename(each: Node, names: Mapping[str, str]) -> Node:
    if not set(names).intersection((*each.inputs, *each.outputs)):
        return each
    message = memoryview(each.content)
    parts = []
    for kind, start, end in protobuf_fields(message):
        whole = message[start:end]
        if kind in (NODE_INPUT, NODE_OUTPUT):
            old = bytes(protobuf_content(whole)).decode()
            parts.append(field(kind, names.get(old, old).encode()))
        else:
            parts.append(bytes(whole))
    return _read_node(memoryview(b"".join(parts)))
