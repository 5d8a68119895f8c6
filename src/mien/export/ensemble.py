"""Merge several .onnx files into one that averages their answers and is used like any model.

    card, parity = merge_models([Path("a.onnx"), Path("b.onnx")], faces, Path("both.onnx"))

The members share one input. Their calibrated probabilities are averaged with weights that are fitted on validation, and
the average is calibrated again, because averages are underconfident. A member may name the same classes in another
order, and may have any arithmetic. Further outputs of members, such as maps, are dropped.

Shape legend: M members, N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

import mien
from mien.contract.atomic_files import write_whole
from mien.contract.card import ModelCard
from mien.contract.distributions import REFERENCE_KEY
from mien.contract.emotions import canonical
from mien.contract.errors import ModelError
from mien.contract.lineage import Parent
from mien.data.faceset import FaceSet
from mien.evaluate.ensemble_weights import average, cross_fit_average, fit_weights
from mien.evaluate.scoring import in_data_order, predict_all
from mien.export.card_figures import calibrate, measured
from mien.export.graph import open_bytes, read_model, stamp
from mien.export.merged_graph import SMALLEST, merged_graph
from mien.export.parity import PARITY_FACES, Parity, check_parity, sample_faces
from mien.recognition.classifier import Classifier


def merge_models(
    sources: Sequence[Path],
    faces: FaceSet,
    path: Path,
    *,
    name: str | None = None,
    accept_error: float = 0.2,
) -> tuple[ModelCard, Parity]:
    """Average several models in one file, with the weights that have the lowest loss on validation.

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
    cards, protos = _members(sources)
    first = cards[0]
    predictors = [
        in_data_order(Classifier(source, provider="cpu"), card.labels, first.labels)
        for source, card in zip(sources, cards, strict=True)
    ]
    validation = _in_order(faces.split("validation"), first.labels)
    probs_MNC = [predict_all(each, validation.faces_NHW) for each in predictors]
    weights_M = fit_weights(probs_MNC, validation.labels_N)
    logs_NC = _logs(average(probs_MNC, weights_M))
    scaling, fitted = calibrate(logs_NC, validation.labels_N, curves=False)
    apart_NC = cross_fit_average(probs_MNC, validation.labels_N)
    fitted["accuracy_weights_cross_fitted"] = float((apart_NC.argmax(axis=1) == validation.labels_N).mean())
    card = _shared_card(cards, weights_M, name, scaling.facts())
    card = measured(card, scaling(logs_NC), validation, fitted, accept_error)
    blob, card = stamp(merged_graph(protos, cards, weights_M, scaling), card)

    def averaged_apart(crops_NSS: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        return scaling(_logs(average([each(crops_NSS) for each in predictors], weights_M)))

    sample_NHW = sample_faces(validation, PARITY_FACES)
    parity = check_parity(path, open_bytes(blob), averaged_apart, averaged_apart, sample_NHW)
    write_whole(path, blob)
    return card, parity


def _members(sources: Sequence[Path]) -> tuple[list[ModelCard], list[ModelProto]]:
    """Cards and graphs of the members; ModelError unless they fit together."""
    if len(sources) < 2:
        raise ModelError("an ensemble averages two or more models")
    read = [read_model(source) for source in sources]
    cards = [card for _, card in read]
    for source, card in zip(sources, cards, strict=True):
        _check_fits(source, card, sources[0], cards[0])
    return cards, [proto for proto, _ in read]


def _shared_card(
    cards: Sequence[ModelCard], weights_M: NDArray[np.float64], name: str | None, calibration: dict[str, Any]
) -> ModelCard:
    """The card of the average: facts that all members share, sums over them, and the calibration of the average."""
    first = cards[0]
    return replace(
        first,
        name=name or "+".join(card.name for card in cards),
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
        **calibration,
    )


def _logs(probs_NC: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(np.log(np.maximum(probs_NC, SMALLEST)))


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


def _in_order(faces: FaceSet, labels: tuple[str, ...]) -> FaceSet:
    """The faces with their labels as indices into ``labels``."""
    wanted = [canonical(label) for label in labels]
    if sorted(map(canonical, faces.labels)) != sorted(wanted):
        raise ModelError(
            f"the models' classes ({', '.join(labels)}) are not those of the data ({', '.join(faces.labels)})"
        )
    places_C = np.array([wanted.index(canonical(label)) for label in faces.labels], dtype=np.int64)
    return replace(faces, labels=labels, labels_N=places_C[faces.labels_N])


def _parent(card: ModelCard, weight: float) -> Parent:
    facts = {
        "precision": card.precision,
        "recipe_sha256": card.recipe.get("sha256"),
        "accuracy": card.metrics.get("validation", {}).get("accuracy"),
    }
    return Parent(card.name, card.graph_sha256, "averaged from", weight, facts)
