"""Faces a second of a model file, and how close that is to what the machine can multiply.

    python benchmarks/throughput.py --model base --faces 3589 --batch-sizes 1,64 --repeats 5

Prints, for each batch size, faces/s (median, min, max over the repeats), the GFLOP of one face (multiplications and
additions of convolutions and matrix products, both mirror images, counted in the graph), the GFLOP/s reached, and that
as a share of the float32 matrix product peak measured in the same run (2048 x 2048, the best of numpy's BLAS and ONNX
Runtime). Crops are random pixels: the network's time does not depend on them. Nothing else should be running. Needs
onnx to count.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from mien.recognize.classify import Classifier, resolve_model, usable_cpus


def gflop_per_face(path: Path) -> float:
    """Count convolutions and matrix products for one face by inferring every shape of the graph."""
    proto = onnx.load(path)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    values = [*graph.value_info, *graph.output, *graph.input]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    weights = {weight.name.removesuffix(".half"): list(weight.dims) for weight in graph.initializer}
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            batch, _, height, width = shapes[node.output[0]]
            total += 2 * batch * height * width * float(np.prod(weights[node.input[1]]))
        elif node.op_type in ("Gemm", "MatMul"):
            total += 2 * shapes[node.output[0]][0] * float(np.prod(weights[node.input[1]]))
    return total / 1e9


def matrix_peak_gflops(side: int = 2048, tries: int = 10) -> float:
    """The best float32 matrix product out of ``tries`` by numpy's BLAS and by ONNX Runtime, whichever is faster."""
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [value(name, onnx.TensorProto.FLOAT, [side, side]) for name in "ab"],
        [value("c", onnx.TensorProto.FLOAT, [side, side])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cpus()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    seconds = []
    for product in (lambda: one @ other, lambda: session.run(None, {"a": one, "b": other})):
        for _ in range(tries):
            start = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base", help="a shipped model's name or an .onnx file")
    parser.add_argument("--faces", type=int, default=3589)
    parser.add_argument("--batch-sizes", default="1,64")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    path = resolve_model(options.model)
    classifier = Classifier(path)
    side = classifier.card.image.side
    crops_NSS = np.random.default_rng(0).integers(0, 256, (options.faces, side, side), dtype=np.uint8)
    gflop, peak = gflop_per_face(path), matrix_peak_gflops()
    print(
        f"{platform.processor() or platform.machine()}, {usable_cpus()} threads, onnxruntime {version('onnxruntime')}"
    )
    print(f"{options.model}: {gflop:.3f} GFLOP a face; float32 matrix product peak {peak:.0f} GFLOP/s")
    for batch_size in map(int, options.batch_sizes.split(",")):
        rates = []
        for _ in range(options.repeats + 1):  # the first warms up
            start = time.perf_counter()
            for first in range(0, len(crops_NSS), batch_size):
                classifier(crops_NSS[first : first + batch_size])
            rates.append(len(crops_NSS) / (time.perf_counter() - start))
        middle = statistics.median(rates[1:])
        print(
            f"batch {batch_size:3d}: {middle:6.0f} faces/s (min {min(rates[1:]):.0f}, max {max(rates[1:]):.0f}, "
            f"n = {options.repeats}), {middle * gflop:.0f} GFLOP/s, {middle * gflop / peak:.0%} of the peak"
        )


if __name__ == "__main__":
    main()
