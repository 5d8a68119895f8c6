"""A trained run -> ONE self-describing .onnx: raw uint8 grey faces in, calibrated probabilities out, the card inside.

    card, parity = export_run(Run.read("runs/base/…"), faces, Path("base.onnx"))

The graph holds every step after the crop: scaling, normalisation, mirroring (the network sees each face both ways and
averages, which is the model that was validated), the network with BatchNorm folded, calibration, softmax.
Before the file appears, ONNX Runtime runs it on 256 real faces beside PyTorch; past 1e-4 nothing is written.

Weights that half precision holds exactly are stored in half and widened when the file is opened, so rounding the
weights first (``half_weights``) halves the file; parity is then measured against the rounded weights, and what the
rounding itself changed is reported as ``drift``.

Not here: quantised arithmetic, other formats.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

import mien
from mien.contract.card import CARD_KEY, ImageSpec, ModelCard
from mien.contract.errors import ParityError, RunError
from mien.data.faceset import FaceSet
from mien.evaluate.calibrate import accept_threshold
from mien.evaluate.intervals import intervals_95
from mien.evaluate.metrics import evaluate
from mien.evaluate.predict import Predictor, predict_all
from mien.evaluate.vector import VectorScaling, calibration
from mien.evaluate.votes import against_votes
from mien.recognize.classify import Classifier
from mien.recognize.margins import MARGINS
from mien.train.network import FaceClassifier
from mien.train.run import Run, write_whole

PARITY_LIMIT = 1e-4
PARITY_FACES = 256


@dataclass(frozen=True)
class Parity:
    """How far the file is from PyTorch.

    Attributes:
        faces: real faces compared.
        difference: largest absolute difference of a probability against PyTorch with the stored weights.
        drift: the same against the float32 checkpoint, so what storing the weights in half changed.
    """

    faces: int
    difference: float
    drift: float


class ServingModel(nn.Module):
    """faces_NHW uint8 -> probs_NC: both mirror images through the classifier, logits averaged, calibrated, softmax."""

    factors_C: Tensor
    offsets_C: Tensor

    def __init__(self, classifier: FaceClassifier, classes: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("factors_C", torch.ones(classes))
        self.register_buffer("offsets_C", torch.zeros(classes))

    def calibrate(self, scaling: VectorScaling) -> None:
        """Set what the logits are multiplied by and what is added to them."""
        self.factors_C = torch.tensor(scaling.factors_C, dtype=torch.float32)
        self.offsets_C = torch.tensor(scaling.offsets_C, dtype=torch.float32)

    def logits(self, faces_NHW: Tensor) -> Tensor:
        """Averaged logits_NC before calibration."""
        both_MHW = torch.cat([faces_NHW, faces_NHW.flip(-1)])
        return self.classifier(both_MHW).unflatten(0, (2, -1)).mean(dim=0)

    def forward(self, faces_NHW: Tensor) -> Tensor:
        return torch.softmax(self.logits(faces_NHW) * self.factors_C + self.offsets_C, dim=1)


def torch_predictor(run: Run) -> Predictor:
    """A run's best weights as a callable, to be scored before it is exported; probabilities are not calibrated yet."""
    return _on_arrays(ServingModel(run.classifier(), len(run.labels)).eval())


def _on_arrays(function: Callable[[Tensor], Tensor]) -> Predictor:
    def predictor(crops_NSS: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return function(torch.from_numpy(crops_NSS)).numpy()

    return predictor


def export_run(
    run: Run,
    faces: FaceSet,
    path: Path,
    *,
    name: str | None = None,
    half_weights: bool = True,
    accept_error: float = 0.2,
    licence: str = "Apache-2.0",
) -> tuple[ModelCard, Parity]:
    """Calibrate a finished run on the validation split and write it as one file.

    Args:
        run: a finished run.
        faces: the data set it was trained on, with the split "validation".
        path: where the file goes; its name has no meaning.
        name: what the card calls the model; the recipe's name if left out.
        half_weights: round the weights to half precision, which halves the file.
        accept_error: the model abstains so that at most this share of what it accepts is wrong (on validation).
        licence: of the weights.

    Calibration is one temperature, or vector scaling where that is clearly better on held-out faces.

    Raises:
        RunError: the run is not finished, or the data set is not the one it was trained on.
        ParityError: the file would differ from PyTorch by more than 1e-4; nothing is written.
    """
    if run.facts["data"]["fingerprint"] != faces.fingerprint:
        raise RunError(f"{run.folder}: the data set is not the one this run was trained on (its fingerprint differs)")
    validation = faces.split("validation")
    classes = len(run.labels)
    checkpoint = ServingModel(run.classifier(), classes).eval()
    stored = ServingModel(fold_batchnorm(checkpoint.classifier), classes).eval()
    if half_weights:
        _round_to_half(stored)
    logits_NC = predict_all(_on_arrays(stored.logits), validation.faces_NHW)
    scaling, temperature, fitted = _calibrate(logits_NC, validation.labels_N)
    for model in (stored, checkpoint):
        model.calibrate(scaling)
    probs_NC = scaling(logits_NC)
    threshold = accept_threshold(probs_NC, validation.labels_N, accept_error)
    metrics = evaluate(probs_NC, validation.labels_N, faces.labels) | fitted
    metrics |= intervals_95(probs_NC, validation.labels_N, faces.labels)
    if validation.votes_NC is not None:
        metrics["votes"] = against_votes(probs_NC, validation.votes_NC, faces.labels)
    card = ModelCard(
        name=name or run.recipe.name,
        labels=run.labels,
        image=ImageSpec(faces.side, run.recipe.network.channels, MARGINS),
        temperature=temperature,
        accept_threshold=threshold,
        metrics={"validation": metrics, "accepted_error_rate": accept_error},
        vector=None if temperature != 1 else {"factors": [*scaling.factors_C], "offsets": [*scaling.offsets_C]},
        recipe=run.recipe.model_dump(mode="json") | {"sha256": run.recipe.sha256},
        data=run.facts["data"],
        provenance={
            "licence": licence,
            "mien": mien.__version__,
            "exported": datetime.now(UTC).strftime("%Y-%m-%d"),
            "parameters": sum(weight.numel() for weight in checkpoint.parameters()),
            "weights_stored_in_half": half_weights,
            "training_seconds": run.facts["seconds"],
            "best_epoch": run.facts["best"]["epoch"],
            "machine": run.facts["machine"],
            "versions": run.facts["versions"],
        },
    )
    parity = write_model(stored, checkpoint, card, validation.faces_NHW[_spread(len(validation), PARITY_FACES)], path)
    return card, parity


def _calibrate(
    logits_NC: NDArray[np.floating[Any]], labels_N: NDArray[np.int64]
) -> tuple[VectorScaling, float, dict[str, Any]]:
    """One temperature for all classes, or vector scaling where that is clearly better calibrated on held-out faces.

    Returns the scaling, the temperature (1 for vector scaling) and the figures for the card: ECE before, and
    cross-fitted as it is now.
    """
    classes = logits_NC.shape[1]
    found = calibration(logits_NC, labels_N)
    by_temperature, by_vector = found["temperature"], found["vector"]
    accuracy = float((logits_NC.argmax(axis=1) == labels_N).mean())
    figures = {"ece_before": found["ece_before"], "accuracy_before": accuracy}
    clearly = by_vector["ece_cross_fitted"] < by_temperature["ece_cross_fitted"] - 0.005
    if clearly and by_vector["accuracy_cross_fitted"] >= accuracy - 0.001:
        figures |= {key: by_vector[key] for key in ("ece_cross_fitted", "accuracy_cross_fitted")}
        return VectorScaling(tuple(by_vector["factors"]), tuple(by_vector["offsets"])), 1.0, figures
    temperature = by_temperature["value"]
    figures["ece_cross_fitted"] = by_temperature["ece_cross_fitted"]
    return VectorScaling((1 / temperature,) * classes, (0.0,) * classes), temperature, figures


def write_model(
    stored: ServingModel, checkpoint: ServingModel, card: ModelCard, faces_NHW: NDArray[np.uint8], path: Path
) -> Parity:
    """Write ``stored`` with ``card`` to ``path`` after comparing it with PyTorch on ``faces_NHW``.

    Raises:
        ParityError: a probability differs by more than 1e-4 from PyTorch's; nothing is written.
    """
    blob = _to_onnx(stored, card)
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / "candidate.onnx"
        candidate.write_bytes(blob)
        probs_NC = predict_all(Classifier(candidate), faces_NHW)  # the class that users run
    with torch.inference_mode():
        faces = torch.from_numpy(faces_NHW)
        difference = float(np.abs(probs_NC - stored(faces).numpy()).max())
        drift = float(np.abs(probs_NC - checkpoint(faces).numpy()).max())
    if not difference <= PARITY_LIMIT:
        raise ParityError(
            f"{path}: not written: on {len(faces_NHW)} faces a probability differs from PyTorch's by {difference:.2g}, "
            f"more than {PARITY_LIMIT:g}"
        )
    write_whole(path, blob)
    return Parity(len(faces_NHW), difference, drift)


def fold_batchnorm(classifier: FaceClassifier) -> FaceClassifier:
    """A copy in which each BatchNorm is folded into the convolution before it; same function, fewer operators.

    A network that torch.fx cannot trace is copied as it is.
    """
    folded = copy.deepcopy(classifier).eval()
    try:
        folded.network = fuse(folded.network)
    except (torch.fx.proxy.TraceError, TypeError):
        pass
    return folded


def _round_to_half(model: nn.Module) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:  # biases and norms are small and stay float32
                weight.copy_(weight.half())


def _to_onnx(model: ServingModel, card: ModelCard) -> bytes:
    side = card.image.side
    example = torch.zeros(2, side, side, dtype=torch.uint8)
    # The exporter reports its own progress and the deprecations of its libraries; none of it is the user's to act on.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            input_names=["faces"],
            output_names=["probabilities"],
            dynamic_shapes={"faces_NHW": {0: torch.export.Dim("N", min=1, max=65536)}},
            opset_version=18,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    _store_exact_halves(proto)
    proto.metadata_props.clear()
    helper.set_model_props(proto, {CARD_KEY: card.to_json()})
    for node in proto.graph.node:  # stack traces of this machine's paths
        node.metadata_props.clear()
        node.doc_string = ""
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        value.metadata_props.clear()
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def _store_exact_halves(proto: Any) -> None:
    """Store each large float32 weight that half precision holds exactly as half, widened by a Cast on opening."""
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < 1024 or not np.array_equal(half.astype(np.float32), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _spread(count: int, wanted: int) -> NDArray[np.int64]:
    """``wanted`` positions spread evenly over ``count``: folders are sorted by class, so all classes are met."""
    return np.linspace(0, count - 1, min(wanted, count)).astype(np.int64)
