"""Several .onnx files -> one that averages them and is used like any model.

    card, parity = merge_models([Path("a.onnx"), Path("b.onnx")], faces, Path("both.onnx"))

One graph: the members side by side behind one input, their calibrated probabilities averaged with weights fitted on
validation, and the average calibrated again (averages are underconfident). The columns of a member that names the same
classes in another order are sorted. Members may have any arithmetic. What they answer beside probabilities is dropped.

Shape legend: M members, N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

import mien
from mien.contract.atomic_files import write_whole
from mien.contract.card import ModelCard
from mien.contract.distributions import REFERENCE_KEY
from mien.contract.emotions import canonical
from mien.contract.errors import ModelError
from mien.contract.lineage import Parent
from mien.data.faceset import FaceSet
from mien.evaluate.calibration import accept_threshold
from mien.evaluate.ensemble_weights import average, cross_fit_average, fit_weights
from mien.evaluate.guarantee_fit import fit_guarantees
from mien.evaluate.logit_scaling import Scaling
from mien.evaluate.reference_fit import with_reference
from mien.evaluate.scoring import in_data_order, predict_all
from mien.export.card_figures import VALIDATION_FACES, calibrate, figures
from mien.export.graph import open_bytes, read_model, stamp, store_exact_halves
from mien.export.parity import PARITY_FACES, Parity, check_parity, sample_faces
from mien.recognition.classifier import Classifier

SMALLEST = 1e-12
"""Probabilities below this are taken for it, so that their logarithm exists."""


def merge_models(
    sources: Sequence[Path],
    faces: FaceSet,
    path: Path,
    *,
    name: str | None = None,
    accept_error: float = 0.2,
) -> tuple[ModelCard, Parity]:
    """Average several models in one file, with the weights that validation likes best.

    Args:
        sources: .onnx files that mien exported, for the same classes and crops.
        faces: with the split "validation".
        path: where the file goes.
        name: what the card calls it; the members' names joined by "+" if left out.
        accept_error: the model abstains so that at most this share of what it accepts is wrong (on validation).

    Returns:
        The card that was written, whose ``parents`` hold the weights, and how far the file is from averaging apart.

    Raises:
        ModelError: a member is not such a file, or the members want different crops or name different classes.
        ParityError: the file does not give the members' average; nothing is written.
    """
    if len(sources) < 2:
        raise ModelError("an ensemble averages two or more models")
    members = [read_model(source) for source in sources]
    cards = [card for _, card in members]
    first = cards[0]
    for source, card in zip(sources, cards, strict=True):
        _check_fits(source, card, sources[0], first)
    validation = faces.split("validation")
    predictors = [
        in_data_order(Classifier(source, provider="cpu"), card.labels, first.labels)
        for source, card in zip(sources, cards, strict=True)
    ]
    labels_N = _labels_in_order(validation, first.labels)
    probs_MNC = [predict_all(each, validation.faces_NHW) for each in predictors]
    weights_M = fit_weights(probs_MNC, labels_N)
    logs_NC = np.log(np.maximum(average(probs_MNC, weights_M), SMALLEST))
    scaling, fitted = calibrate(logs_NC, labels_N, curves=False)
    apart_NC = cross_fit_average(probs_MNC, labels_N)
    fitted["accuracy_weights_cross_fitted"] = float((apart_NC.argmax(axis=1) == labels_N).mean())
    probs_NC = scaling(logs_NC)
    ordered = replace(validation, labels=first.labels, labels_N=labels_N)
    card = replace(
        first,
        name=name or "+".join(card.name for card in cards),
        **scaling.facts(),
        accept_threshold=accept_threshold(probs_NC, labels_N, accept_error),
        guarantees=fit_guarantees(probs_NC, labels_N, VALIDATION_FACES),
        metrics={"validation": figures(probs_NC, ordered) | fitted, "accepted_error_rate": accept_error},
        recipe={},
        graph_sha256=None,
        naming=None,
        data=first.data if all(_plain_data(card) == _plain_data(first) for card in cards) else {},
        precision=" + ".join(sorted({card.precision for card in cards})),
        parents=tuple(_parent(card, float(weight)) for card, weight in zip(cards, weights_M, strict=True)),
        provenance={
            "licence": " and ".join(sorted({str(card.provenance.get("licence", "unknown")) for card in cards})),
            "mien": mien.__version__,
            "exported": datetime.now(UTC).strftime("%Y-%m-%d"),
            "parameters": sum(int(card.provenance.get("parameters", 0)) for card in cards),
        },
    )
    card = with_reference(card, probs_NC, ordered, VALIDATION_FACES)
    columns = [[list(map(canonical, each.labels)).index(canonical(label)) for label in first.labels] for each in cards]
    proto = _merged([proto for proto, _ in members], columns, weights_M, scaling)
    blob, card = stamp(proto, card)

    def apart(crops_NSS: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        mean_NC = average([each(crops_NSS) for each in predictors], weights_M)
        return scaling(np.log(np.maximum(mean_NC, SMALLEST)))

    parity = check_parity(path, open_bytes(blob), apart, apart, sample_faces(validation, PARITY_FACES))
    write_whole(path, blob)
    return card, parity


def _check_fits(source: Path, card: ModelCard, first_source: Path, first: ModelCard) -> None:
    if card.image.side != first.image.side or card.image.margins != first.image.margins:
        raise ModelError(
            f"{source}: wants other crops ({card.image.side} px) than {first_source} ({first.image.side} px) or frames "
            "them otherwise, so the two cannot share an input"
        )
    if card.rejected:
        raise ModelError(
            f"{source}: rejects what is no face ({', '.join(card.rejected)}); an average would forget that"
        )
    if sorted(map(canonical, card.labels)) != sorted(map(canonical, first.labels)):
        raise ModelError(
            f"{source}: its classes ({', '.join(card.labels)}) are not those of {first_source} "
            f"({', '.join(first.labels)})"
        )


def _plain_data(card: ModelCard) -> dict[str, Any]:
    """What the model was trained on; each model has a reference of its own."""
    return {key: value for key, value in card.data.items() if key != REFERENCE_KEY}


def _labels_in_order(faces: FaceSet, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """The data's labels as indices into ``labels``."""
    wanted = [canonical(label) for label in labels]
    if sorted(map(canonical, faces.labels)) != sorted(wanted):
        raise ModelError(
            f"the models' classes ({', '.join(labels)}) are not those of the data ({', '.join(faces.labels)})"
        )
    return np.array([wanted.index(canonical(label)) for label in faces.labels], dtype=np.int64)[faces.labels_N]


def _parent(card: ModelCard, weight: float) -> Parent:
    facts = {
        "precision": card.precision,
        "recipe_sha256": card.recipe.get("sha256"),
        "accuracy": card.metrics.get("validation", {}).get("accuracy"),
    }
    return Parent(card.name, card.graph_sha256, "averaged from", weight, facts)


def _merged(
    protos: Sequence[ModelProto],
    columns: Sequence[Sequence[int]],
    weights_M: NDArray[np.float64],
    scaling: Scaling,
) -> ModelProto:
    """One graph: members behind one input, then sum of weighted probabilities, logarithm, calibration, softmax."""
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
