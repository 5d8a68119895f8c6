"""The same network in cheaper arithmetic: int8 for CPUs, fp16 and bf16 for GPUs. An .onnx in, an .onnx out.

    card, loss = quantize_model(Path("base.onnx"), faces, Path("base-int8.onnx"))

int8 is static and per-channel (Jacob et al. 2018, arXiv:1712.05877; ONNX Runtime's QDQ form). Weights are int8 with one
scale for each channel. Activations are uint8, in ranges measured on real crops of the train split. They are unsigned
because AVX2 and AVX-512 multiply unsigned by signed numbers; with signed activations the file is no faster than
float32. Weights use 7 bits (``portable``), because CPUs without VNNI add two products in 16 bits and would clip them.
Normalisation, the head and everything behind it stay float32. If int8 costs more accuracy than allowed, the most
sensitive layers (by the divergence that each causes alone) go back to float32, as few of them as suffice.

"int8-dynamic" measures the ranges at each call. It needs no calibration set and gains little speed on convolutions.
"fp16" is for GPUs. On most CPUs ONNX Runtime computes it in float32, so there only the rounding of the weights shows.

Not here: training with quantisation in mind; static int8 has not needed it.

Shape legend: N faces, H = W side in pixels, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from mien.contract.atomic_files import write_whole
from mien.contract.card import ModelCard
from mien.contract.errors import DataError, ModelError
from mien.contract.lineage import Parent
from mien.data.faceset import FaceSet
from mien.data.votes import by_votes
from mien.evaluate.scoring import Predictor, in_data_order, predict_all
from mien.export.card_figures import rescored
from mien.export.fp16 import to_fp16
from mien.export.graph import open_bytes, read_model, stamp, store_exact_halves
from mien.export.int8 import Ranges, dynamic_int8, int8_layers, static_int8, tensor_ranges
from mien.export.parity import AccuracyDrop, divergence, measure_accuracy_drop, refuse_past, sample_faces
from mien.recognition.classifier import Classifier

Precision = Literal["int8", "int8-dynamic", "fp16"]

LEAST_FACES = 64
"""The smallest calibration set: fewer faces say too little about the ranges of activations."""

SENSITIVITY_FACES = 256


def quantize_model(
    source: Path,
    faces: FaceSet,
    path: Path,
    *,
    precision: Precision = "int8",
    calibration: FaceSet | None = None,
    calibration_faces: int = 512,
    ranges: Ranges = "percentile",
    portable: bool = True,
    max_loss_points: float = 0.5,
    name: str | None = None,
    on_progress: Callable[[str], None] = lambda line: None,
) -> tuple[ModelCard, AccuracyDrop]:
    """Write an .onnx of mien's in another arithmetic, after measuring on validation what that costs.

    Args:
        source: a file with float32 arithmetic that mien exported.
        faces: with the split "validation", which accuracy is compared on.
        path: where the new file goes.
        precision: of the network; the rest stays float32.
        calibration: crops whose activations give the ranges of "int8"; the train split of ``faces`` if left out.
        calibration_faces: so many of them, spread evenly.
        ranges: of the activations: "minmax", "percentile" (99.999 % of them) or "entropy" (of least divergence).
        portable: int8 weights of 7 bits, right on CPUs without VNNI too; else 8 bits.
        max_loss_points: percentage points of accuracy that may be lost.
        name: what the card calls the model; "<name of the source>-<precision>" if left out.
        on_progress: told in a line what goes on.

    Returns:
        The card that was written and what changed.

    Raises:
        ModelError: no such precision, the source is not such a file, or this ONNX Runtime cannot run the result.
        DataError: too few faces, or of one class, to calibrate on.
        ParityError: too much accuracy would be lost; nothing is written.
    """
    proto, card = _float32_model(source, precision)
    faces = by_votes(faces) if card.rejected else faces  # a head of votes is judged by votes
    validation = faces.split("validation")
    scored = _scoring(source, card, precision, validation)
    facts: dict[str, Any] = {}
    if precision == "int8":
        crops = _calibration_crops(calibration or faces, calibration_faces)
        made, facts = _static(proto, card, crops, ranges, portable, max_loss_points, scored, on_progress)
    else:
        made = scored(dynamic_int8(proto, portable) if precision == "int8-dynamic" else to_fp16(proto))
    refuse_past(max_loss_points, made.loss, path, "allow more, or keep to fp32")
    store_exact_halves(made.proto)  # what stayed float32
    parent = Parent(card.name, card.graph_sha256, "quantised from")
    # graph_sha256 is that of the old graph; stamp sets the new one
    changes: dict[str, Any] = {"precision": precision, "parents": (parent,), "graph_sha256": None}
    more = {"quantized": facts | made.loss.facts()}
    name = name or f"{card.name}-{precision}"
    card = rescored(card, made.probs_NC, validation, more, name=name, **changes)
    blob, card = stamp(made.proto, card)
    write_whole(path, blob)
    return card, made.loss


@dataclass(frozen=True, eq=False)
class _Scored:
    """A candidate with its answers on validation and what they cost."""

    proto: ModelProto
    probs_NC: NDArray[np.floating[Any]]
    loss: AccuracyDrop


def _scoring(source: Path, card: ModelCard, precision: str, validation: FaceSet) -> Callable[[ModelProto], _Scored]:
    """A function that runs a candidate on validation and compares it with ``source``."""
    before_NC = _answers(Classifier(source, provider="cpu"), card, validation)

    def scored(candidate: ModelProto) -> _Scored:
        probs_NC = _answers(_runnable(candidate, card, precision), card, validation)
        return _Scored(candidate, probs_NC, measure_accuracy_drop(before_NC, probs_NC, validation.labels_N))

    return scored


def _float32_model(source: Path, precision: str) -> tuple[ModelProto, ModelCard]:
    """The graph and the card of ``source``; ModelError if it is not float32 or there is no such precision."""
    if precision not in get_args(Precision):
        raise ModelError(f"no precision {precision!r}; there are: {', '.join(get_args(Precision))}")
    proto, card = read_model(source)
    if card.precision != "fp32":
        raise ModelError(f"{source}: already {card.precision}; give the fp32 file that it was made from")
    return proto, card


def _static(
    proto: ModelProto,
    card: ModelCard,
    crops: FaceSet,
    ranges: Ranges,
    portable: bool,
    max_loss_points: float,
    scored: Callable[[ModelProto], _Scored],
    on_progress: Callable[[str], None],
) -> tuple[_Scored, dict[str, Any]]:
    """Static int8 with as few layers in float32 as the allowed loss asks for; the model and facts for its card."""
    on_progress(f"measuring the activations of {len(crops.faces_NHW)} faces ({ranges})")
    measured = tensor_ranges(proto, crops.faces_NHW, ranges)
    kept: tuple[str, ...] = ()
    by_layer: dict[str, float] = {}
    made = scored(static_int8(proto, measured, kept, portable))
    while made.loss.points > max_loss_points and len(kept) < len(int8_layers(proto)):
        if not by_layer:
            on_progress(f"{made.loss.points:.2f} points lost: measuring how sensitive each layer is")
            by_layer = sensitivities(proto, card, measured, sample_faces(crops, SENSITIVITY_FACES), portable)
        kept = tuple(sorted(by_layer, key=by_layer.__getitem__, reverse=True)[: 2 * len(kept) or 1])
        made = scored(static_int8(proto, measured, kept, portable))
        on_progress(f"{made.loss.points:.2f} points lost with {len(kept)} of {len(by_layer)} layers in float32")
    return made, {
        "calibration": {"data": crops.fingerprint, "faces": len(crops.faces_NHW), "ranges": ranges},
        "layers_in_float32": list(kept),
        "weight_bits": 7 if portable else 8,
    }


def sensitivities(
    proto: ModelProto, card: ModelCard, measured: Any, faces_NHW: NDArray[np.uint8], portable: bool = True
) -> dict[str, float]:
    """By layer, how far the answers move when it alone is computed in int8: mean divergence in nats."""
    before_NC = predict_all(_runnable(proto, card, "fp32"), faces_NHW)
    layers = int8_layers(proto)
    found = {}
    for layer in layers:
        others = tuple(each for each in layers if each != layer)
        alone = _runnable(static_int8(proto, measured, others, portable), card, "int8")
        found[layer] = divergence(before_NC, predict_all(alone, faces_NHW))
    return found


def _answers(predictor: Predictor, card: ModelCard, faces: FaceSet) -> NDArray[np.floating[Any]]:
    return predict_all(in_data_order(predictor, card.labels, faces.labels), faces.faces_NHW)


def _runnable(proto: ModelProto, card: ModelCard, precision: str) -> Classifier:
    """The graph as users would open it, with the card of what it was made from."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    try:
        return open_bytes(stamp(copy, card)[0])
    except ModelError as error:
        raise ModelError(f"this ONNX Runtime cannot run the model in {precision}: {error}") from None


def _calibration_crops(faces: FaceSet, wanted: int) -> FaceSet:
    """Faces of the train split, or of all where there is none, spread evenly over the classes."""
    pool = faces.split("train") if "train" in faces.split_names else faces
    classes = len(np.unique(pool.labels_N))
    if len(pool) < LEAST_FACES or classes < 2:
        raise DataError(
            f"calibration: expected at least {LEAST_FACES} faces of two or more classes, got {len(pool)} of {classes}; "
            "the ranges of the activations would fit these alone"
        )
    return pool.take(np.linspace(0, len(pool) - 1, min(wanted, len(pool))).astype(np.int64))
