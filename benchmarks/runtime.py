"""Speed and accuracy of one network on every way to run it, in ONE run on the same faces; and of other model files.

    python benchmarks/runtime.py --data FER2013 --other base-int8 nano fer2013 --plot a.png --reference fer=2640,.653,.1

The network is the one inside --model: its weights are put back into PyTorch, and the answers compared before anything
is timed. Then each way takes turns, at one face a call and at 64:

    published style   as published inference code does it: one PIL image at a time through torchvision's transforms,
                      unsqueeze, eager PyTorch, softmax; it sees each face once
    … both views      the same on the face and its mirror image, which is the work that the model file does
    torch batched     eager, channels-last, 64 faces at once, both views
    TorchScript       the same, traced and frozen
    plain runtime     the model file in an onnxruntime session as it is made by default
    mien              the model file as mien runs it; each --other likewise

Printed are faces/s at 64 (median and range of the turns), the ratio to the published style, milliseconds of one face
(p50, and the ratio), accuracy on the validation split, what the arithmetic comes to in GFLOP/s and as a share of the
machine's measured float32 matrix product. The plot shows speed, accuracy and size of the model files (a file of other
labels has no accuracy here), and the speed of every way. Without --data the faces are toys, and their accuracy is left
out. Nothing else should be running. Needs mien[train].
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import quick
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from mien.contract.card import ModelCard
from mien.contract.shipped_models import resolve_model
from mien.contract.system import usable_cpus
from mien.contract.telemetry import import_onnxruntime
from mien.data.faceset import FaceSet
from mien.data.loading import load_faces
from mien.data.toy import toy_faces
from mien.evaluate.logit_scaling import Scaling
from mien.evaluate.metrics import evaluate
from mien.evaluate.scoring import in_data_order, predict_all
from mien.export.checkpoint import Checkpoint
from mien.export.serving import ServingModel
from mien.recognition.benchmark import Timing, machine, take_turns
from mien.recognition.classifier import Classifier
from mien.train.network import STD_FLOOR

BATCH = 64
INK, FAINT, OURS, OTHERS = "#1f2933", "#b8c2cc", "#2f6fb3", "#d98032"
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}

MEGABYTE_POINTS = 30.0
"""Area of a bubble in the plot, in square points a megabyte."""

Predictor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass
class Way:
    """One way to classify faces, and what is found out about it."""

    name: str
    predict: Predictor
    labels: tuple[str, ...]
    megabytes: float
    gflop: float
    accuracy: float | None = None
    one: Timing | None = None
    many: Timing | None = None


@dataclass(frozen=True)
class Reference:
    """Something else with figures that were measured elsewhere: its point in the plot is hollow."""

    name: str
    faces_per_s: float
    accuracy: float
    megabytes: float


def reference(text: str) -> Reference:
    """Read "fer=2640,0.653,0.1": a name, faces/s, accuracy from 0 to 1, MB."""
    name, _, figures = text.rpartition("=")
    faces_per_s, accuracy, megabytes = map(float, figures.split(","))
    return Reference(name, faces_per_s, accuracy, megabytes)


class OwnMeanAndDeviation:
    """What stands in for ``Normalize`` in this network's transforms: a face's own figures, not a data set's."""

    def __call__(self, face_CHW: Tensor) -> Tensor:
        return (face_CHW - face_CHW.mean()) / (face_CHW.std(correction=0) + STD_FLOOR)


def published_style(served: ServingModel, card: ModelCard, views: int) -> Predictor:
    """One face at a time, as the published repositories have it in their inference scripts."""
    network = served.classifier.network
    side = card.image.side
    normalize = (
        OwnMeanAndDeviation()
        if card.recipe["network"]["normalize"] == "face"
        else transforms.Normalize(card.recipe["network"]["mean"], card.recipe["network"]["std"])
    )
    transform = transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor(), normalize])

    def one(crop_SS: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = Image.fromarray(crop_SS)
        with torch.no_grad():
            logits_1C = network(transform(image).unsqueeze(0))
            if views == 2:
                mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                logits_1C = (logits_1C + network(transform(mirrored).unsqueeze(0))) / 2
            return served.probabilities(logits_1C)[0].numpy()

    return lambda crops_NSS: np.stack([one(crop_SS) for crop_SS in crops_NSS])


def serving(checkpoint: Checkpoint, card: ModelCard) -> ServingModel:
    """What the file does, in PyTorch: both views, calibration, softmax."""
    model = ServingModel(checkpoint.classifier, len(card.labels) + len(card.rejected), len(card.rejected)).eval()
    model.calibrate(Scaling.of_card(card))
    return model


def on_tensors(module: Callable[[Tensor], Tensor]) -> Predictor:
    """A function of tensors as one of arrays."""

    def predict(crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return module(torch.from_numpy(crops_NSS)).numpy()

    return predict


def traced(module: nn.Module, side: int) -> Predictor:
    """The module as TorchScript, frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is old
        script = torch.jit.freeze(torch.jit.trace(module, torch.zeros(2, side, side, dtype=torch.uint8)))
    return on_tensors(script)


def ways(path: Path, others: list[Path], faces: FaceSet) -> list[Way]:
    """Everything that is compared; the first is what ratios are to.

    Exits where PyTorch with the file's weights does not answer as the file does.
    """
    classifier = Classifier(path, provider="cpu")
    card, megabytes = classifier.card, path.stat().st_size / 1e6
    batched = serving(Checkpoint.open(path), card).to(memory_format=torch.channels_last)
    crops_NSS = faces.faces_NHW[:: max(len(faces) // BATCH, 1)][:BATCH]
    difference = float(np.abs(on_tensors(batched)(crops_NSS) - classifier(crops_NSS)).max())
    if not difference <= 1e-4:
        raise SystemExit(f"{path}: PyTorch with its weights answers otherwise, by {difference:.2g}")
    plain = import_onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    eager = serving(Checkpoint.open(path), card).to(memory_format=torch.contiguous_format)  # the published default
    views = 2 if batched.classifier.config.mirror else 1
    gflop = gflop_per_face(path)
    labels = card.labels
    found = [Way("published style", published_style(eager, card, 1), labels, megabytes, gflop / views)]
    if views == 2:
        both = published_style(eager, card, 2)
        found.append(Way("published style, both views", both, labels, megabytes, gflop))
    return [
        *found,
        Way("torch batched, channels-last", on_tensors(batched), labels, megabytes, gflop),
        Way("TorchScript batched", traced(batched, card.image.side), labels, megabytes, gflop),
        Way(
            "onnxruntime as it comes",
            lambda crops_NSS: plain.run(["probabilities"], {"faces": crops_NSS})[0],
            labels,
            megabytes,
            gflop,
        ),
        *(model_file(each) for each in [path, *others]),
    ]


def model_file(path: Path) -> Way:
    """A model file as mien runs it."""
    classifier = Classifier(path, provider="cpu")
    card = classifier.card
    name = f"mien {path.stem}" + ("" if card.precision in ("fp32", *path.stem.split("-")) else f" ({card.precision})")
    return Way(name, classifier, card.labels, path.stat().st_size / 1e6, gflop_per_face(path))


def gflop_per_face(path: Path) -> float:
    """Count convolutions and matrix products for one face, all its views, by inferring every shape of the graph."""
    proto = onnx.load(path)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    values = [*graph.value_info, *graph.output, *graph.input]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    shapes |= {weight.name: list(weight.dims) for weight in graph.initializer}
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            batch, _, height, width = shapes[node.output[0]]
            total += 2 * batch * height * width * float(np.prod(shapes[node.input[1]]))
        elif node.op_type in ("Gemm", "MatMul"):
            total += 2 * shapes[node.output[0]][0] * float(np.prod(shapes[node.input[1]]))
    return total / 1e9


def matrix_peak(side: int = 2048) -> dict[str, Callable[[], object]]:
    """A float32 matrix product by numpy's BLAS, by PyTorch and by ONNX Runtime, to take turns with the rest."""
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [value(name, kind, [side, side]) for name in "ab"],
        [value("c", kind, [side, side])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    one_torch, other_torch = torch.from_numpy(one), torch.from_numpy(other)
    return {
        "numpy": lambda: one @ other,
        "torch": lambda: one_torch @ other_torch,
        "onnxruntime": lambda: session.run(None, {"a": one, "b": other}),
    }


def measure(found: list[Way], faces: FaceSet, real: bool, repeats: int, seconds: float) -> float:
    """Fill in accuracy and timings; return the peak of the machine in GFLOP/s."""
    crops_NSS = faces.faces_NHW[:: max(len(faces) // BATCH, 1)][:BATCH]

    def call(way: Way, count: int) -> Callable[[], object]:
        return lambda: way.predict(crops_NSS[:count])

    for way in found:
        if real and set(way.labels) == set(faces.labels):
            probs_NC = predict_all(in_data_order(way.predict, way.labels, faces.labels), faces.faces_NHW)
            way.accuracy = evaluate(probs_NC, faces.labels_N, faces.labels).accuracy
    products = take_turns(matrix_peak(), repeats=repeats, seconds=seconds)
    turns = take_turns(
        {(index, count): call(way, count) for count in (1, BATCH) for index, way in enumerate(found)},
        repeats=repeats,
        seconds=seconds,
    )
    for index, way in enumerate(found):
        way.one, way.many = (Timing.of(count, turns[index, count]) for count in (1, BATCH))
    fastest = min(each for by_turn in products.values() for turn in by_turn for each in turn)
    return 2 * 2048**3 / fastest / 1e9


def report(found: list[Way], faces: FaceSet, peak: float, repeats: int, seconds: float) -> None:
    """Print the table."""
    here = machine()
    print(
        f"{here['processor']}, {here['cpus']} CPUs, {here['system']}, load {here['load']:.1f}\n"
        f"Python {here['python']}, onnxruntime {here['onnxruntime']}, torch {torch.__version__}\n"
        f"{repeats} turns of {seconds:g} s each; float32 matrix product {peak:.0f} GFLOP/s; "
        f"accuracy on {len(faces)} faces\n"
    )
    print(
        f"{'':30}{'faces/s at 64':>14} {'(range)':15}{'ratio':>7}{'p50 of one':>13}{'ratio':>7}{'accuracy':>10}"
        f"{'MB':>7}{'GFLOP':>7}{'GFLOP/s':>9}{'of peak':>9}"
    )
    first = found[0]
    for way in found:
        rate, reached = way.many.faces_per_s, way.many.faces_per_s * way.gflop
        span = f"({way.many.faces_per_s_min:,.0f}–{way.many.faces_per_s_max:,.0f})"
        accuracy = "–" if way.accuracy is None else f"{way.accuracy:.2%}"
        print(
            f"{way.name:30}{rate:14,.0f} {span:15}{rate / first.many.faces_per_s:6.2f}x{way.one.p50_ms:10.2f} ms"
            f"{way.one.p50_ms / first.one.p50_ms:6.2f}x{accuracy:>10}{way.megabytes:7.1f}{way.gflop:7.3f}"
            f"{reached:9.0f}{reached / peak:9.0%}"
        )


def plot(found: list[Way], references: list[Reference], path: Path) -> None:
    """Above what accuracy costs, a bubble a model file, its area the megabytes; below every way, by speed."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(9, 8), dpi=150, layout="constrained")
    above, below = figure.subplots(2, height_ratios=[1.15, 1], sharex=True)
    files = [way for way in found if way.name.startswith("mien") and way.accuracy is not None]
    points = [(way.name, way.many.faces_per_s, way.accuracy, way.megabytes, True) for way in files]
    points += [(each.name, each.faces_per_s, each.accuracy, each.megabytes, False) for each in references]
    for name, rate, accuracy, megabytes, ours in points:
        area = MEGABYTE_POINTS * megabytes + 14
        look = {"color": OURS, "alpha": 0.35, "linewidth": 0} if ours else {"facecolor": "none", "edgecolor": INK}
        above.scatter(rate, accuracy * 100, s=area, zorder=2, **look)
        if ours:
            above.scatter(rate, accuracy * 100, s=10, color=OURS, zorder=3)
        down = (area / np.pi) ** 0.5 + 5
        style = {"xytext": (0, -down), "textcoords": "offset points", "ha": "center", "va": "top", "bbox": BEHIND}
        above.annotate(name, (rate, accuracy * 100), **style, color=INK, fontsize=10, fontweight="bold")
        style["xytext"] = (0, -down - 14)
        size = f"{megabytes:.0f}" if megabytes >= 10 else f"{megabytes:.1f}"
        above.annotate(f"{accuracy:.1%}, {size} MB", (rate, accuracy * 100), **style, color=INK, fontsize=9)
    above.set_ylabel("accuracy on FER2013 validation (%)", color=INK)
    above.margins(y=0.3)
    hollow = "; hollow: measured elsewhere, one face a call" if references else ""
    above.set_title(f"Size is the file's{hollow}", loc="left", fontsize=9, color=INK)

    rows = sorted(found, key=lambda way: way.many.faces_per_s)
    for row, way in enumerate(rows):
        colour, many, one = OURS if way.name.startswith("mien") else OTHERS, way.many, way.one
        below.plot([one.faces_per_s, many.faces_per_s], [row, row], color=colour, alpha=0.3, linewidth=3, zorder=2)
        below.plot([many.faces_per_s_min, many.faces_per_s_max], [row, row], color=colour, linewidth=1, zorder=3)
        below.scatter(many.faces_per_s, row, s=44, color=colour, zorder=4)
        below.scatter(one.faces_per_s, row, s=30, facecolor="white", edgecolor=colour, zorder=4)
        right = max(many.faces_per_s_max, one.faces_per_s_max)
        style = {"xytext": (8, 0), "textcoords": "offset points", "va": "center", "fontsize": 9, "color": INK}
        below.annotate(f"{many.faces_per_s:,.0f}", (right, row), **style)
    for row, each in enumerate(references, start=len(rows)):
        below.scatter(each.faces_per_s, row, s=30, facecolor="white", edgecolor=INK, zorder=4)
    names = [way.name for way in rows] + [f"{each.name}, elsewhere" for each in references]
    below.set_yticks(range(len(names)), names)
    for label in below.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().startswith("mien") else "normal")
    below.set_title(
        "Filled: 64 faces at once, with the range of its turns. Open: one a call", loc="left", fontsize=9, color=INK
    )
    below.set_xlabel("faces a second (log)", color=INK)
    below.set_xscale("log")
    below.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    below.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    below.xaxis.set_minor_formatter(NullFormatter())
    below.margins(x=0.13, y=0.08)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(colors=INK, which="both", color=FAINT)
        axes.grid(color=FAINT, alpha=0.35, zorder=0)
    below.grid(axis="y", visible=False)
    beside = path.with_name(f".{path.name}")
    figure.savefig(beside, format="png")
    os.replace(beside, path)


def main() -> None:
    parser = quick.parser(__doc__)
    parser.add_argument("--data", type=Path, help="FER2013 with a validation split; toy faces without it")
    parser.add_argument("--model", default="base", help="a shipped model's name or an .onnx file, in float32")
    parser.add_argument("--other", nargs="*", default=[], help="more model files, such as int8 and nano")
    parser.add_argument("--faces", type=int, default=0, help="for the accuracy; 0 for all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    parser.add_argument(
        "--reference",
        type=reference,
        action="append",
        default=[],
        metavar="NAME=FACES_PER_S,ACCURACY,MB",
        help="something that was measured elsewhere, for the plot: fer=2640,0.653,0.1",
    )
    options = quick.parse(parser, faces=8, repeats=1, seconds=0.01)
    torch.set_num_threads(usable_cpus())
    faces = load_faces(options.data.expanduser()).split("validation") if options.data else toy_faces(per_class=20)
    if options.faces and options.faces < len(faces):
        faces = faces.take(np.linspace(0, len(faces) - 1, options.faces).astype(np.int64))
    found = ways(resolve_model(options.model), [resolve_model(each) for each in options.other], faces)
    peak = measure(found, faces, options.data is not None, options.repeats, options.seconds)
    report(found, faces, peak, options.repeats, options.seconds)
    if options.plot:
        plot(found, options.reference, options.plot)


if __name__ == "__main__":
    main()
