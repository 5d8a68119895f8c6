"""Adapt a model to one's own camera: labelled faces in; a better model file out, or the reason why it is not better.

    source = SourceModel(resolve_model("base"))
    result = adapt_model(source, faces)                    # labelled faces, 20 to a few thousand
    if result.adaptation.helps:
        write_adapted(source, result, Path("mine.onnx"), data="mine/")

    estimate = adapt_to_shares(source, faces_NSS)          # without labels: only the shares of the emotions

No training framework is needed. The new file is an ordinary model of mien's. Its card says which model was adapted, to
which faces, and how much better it is on faces that were held out.

Not here: the fitting (mien.evaluate.readout); choosing a method and measuring it (mien.evaluate.adaptation).

Shape legend: N faces, S side of the crop, C classes of the model, D classes of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.adapt.features import SourceModel
from mien.adapt.tail import adapted
from mien.contract.atomic_files import writing_whole
from mien.contract.card import ModelCard
from mien.contract.distributions import REFERENCE_KEY, Reference, Tally
from mien.contract.errors import DataError, ModelError
from mien.contract.lineage import Parent
from mien.contract.naming import Naming, naming_weights
from mien.contract.onnx_container import write_card
from mien.data.faceset import FaceSet
from mien.evaluate.adaptation import Adaptation, Score, adapt
from mien.evaluate.calibration import accept_threshold
from mien.evaluate.guarantee_fit import fit_guarantees
from mien.evaluate.prior_shift import PriorEstimate, estimate_priors
from mien.evaluate.readout import METHODS, Evidence, Readout
from mien.recognition.classifier import Classifier

PARITY = 1e-3
"""The largest difference allowed between the written file's probabilities and the fitted readout's. It covers rounding
to float32 and to int8."""

USUAL_ERROR = 0.2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Adapted:
    """What ``adapt_model`` found.

    Attributes:
        classes: classes of the adapted model.
        adaptation: the method, figures before and after, and the readout.
        held_probs_ND: probabilities of the labelled faces, each from a readout that was fitted without that face. Rows
            sum to less than 1 if the model rejects.
        labels_N: the faces' classes.
        units_N: person of each face; None if each face stands for itself.
        seen: how the labelled faces are distributed, for ``mien drift``.
    """

    classes: tuple[str, ...]
    adaptation: Adaptation
    held_probs_ND: NDArray[np.float64]
    labels_N: NDArray[np.int64]
    units_N: NDArray[np.int64] | None
    seen: Tally


def adapt_model(
    source: SourceModel,
    faces: FaceSet,
    *,
    methods: Sequence[str] = METHODS,
    units_N: ArrayLike | None = None,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Adapted:
    """Find the best way to adapt a model to labelled faces, and measure it.

    Args:
        source: the model.
        faces: labelled faces; their side is the model's. If the model knows all of their classes, the adapted model
            keeps the model's classes, so that a class without a face is not lost; otherwise it has those of the data.
        methods: the methods to choose from.
        units_N: person of each face; None if each face stands for itself.
        seed: seed of the folds.
        on_progress: called with (faces done, faces in all) while the model classifies them.

    Raises:
        DataError: there are too few faces, or their side is not the model's.
        ModelError: the model cannot be run.
    """
    if faces.side != source.card.image.side:
        raise DataError(f"expected faces of {source.card.image.side} px for this model, got {faces.side} px")
    known = source.card.labels
    classes = known if set(faces.labels) <= set(known) else faces.labels
    labels_N = np.array([classes.index(name) for name in faces.labels], dtype=np.int64)[faces.labels_N]
    evidence = source.evidence(faces.faces_NHW, on_progress)
    units = None if units_N is None else np.unique(np.asarray(units_N), return_inverse=True)[1].astype(np.int64)
    found = adapt(evidence, labels_N, classes, known, methods=methods, units_N=units, seed=seed)
    held_probs_ND, seen = found.held_probs_ND * _totals(source, evidence), Tally(classes)
    seen.add_each(held_probs_ND, faces.faces_NHW, None)
    return Adapted(classes, found, held_probs_ND, labels_N, units, seen)


def _totals(source: SourceModel, evidence: Evidence) -> NDArray[np.float64]:
    """The sum of each face's old probabilities, (N, 1): 1, or less if the model rejects."""
    if not source.rest:
        return np.ones((len(evidence.log_probs_NC), 1))
    return np.asarray(np.exp(evidence.log_probs_NC).sum(axis=1, keepdims=True).clip(max=1))


def write_adapted(source: SourceModel, result: Adapted, out: Path, *, data: str, name: str | None = None) -> ModelCard:
    """Write the adapted model and return its card. The file is run and checked before it gets its name.

    Args:
        source: the model that was adapted.
        result: what ``adapt_model`` found. Its readout is written even if it does not help; the caller decides.
        out: the .onnx file to write.
        data: a description of the labelled faces, for the card.
        name: name of the new model; None for the file's name.

    Raises:
        ModelError: the written file would give other probabilities than the fitted readout.
        OutputError: the file cannot be written.
    """
    if out.suffix.lower() != ".onnx":
        raise ModelError(f"{out}: expected a name that ends in .onnx")
    unchanged = result.adaptation.method == "none"
    file_bytes = source.file_bytes if unchanged else adapted(source, result.adaptation.readout)
    file_bytes, card = write_card(file_bytes, _card(source, result, out.stem if name is None else name, data))
    _check(source, result.adaptation.readout, file_bytes, out)
    return card


def _card(source: SourceModel, result: Adapted, name: str, data: str) -> ModelCard:
    old, found = source.card, result.adaptation
    error = float(old.metrics.get("accepted_error_rate", USUAL_ERROR))
    shares_D = (np.bincount(result.labels_N, minlength=len(result.classes)) + 0.5) / (
        len(result.labels_N) + 0.5 * len(result.classes)
    )
    unchanged = found.method == "none"
    own = {
        "n": found.faces,
        "accuracy": found.after.accuracy,
        "balanced_accuracy": found.after.balanced_accuracy,
        "nll": found.after.nll,
        "before": _plain(found.before),
        "measured": "cross-validated: each face by a model that was adapted without it",
    }
    changes = {"adapted": {"method": found.method, "penalty": found.penalty, "faces": found.faces, "data": data}}
    frequencies = dict(zip(result.classes, (shares_D / shares_D.sum()).tolist(), strict=True))
    weights_D = naming_weights(result.classes, old.naming if unchanged else None)
    named_N = (result.held_probs_ND * weights_D).argmax(axis=1)
    return replace(
        old,
        name=name,
        labels=result.classes,
        accept_threshold=accept_threshold(result.held_probs_ND, result.labels_N, error),
        metrics=(dict(old.metrics) if unchanged else {"accepted_error_rate": error}) | {"adapted": own},
        data={**old.data, REFERENCE_KEY: Reference.of(result.seen, data).to_dict()},
        provenance={**old.provenance, **changes},
        naming=old.naming if unchanged else Naming(frequencies, 0.0, data),
        guarantees=fit_guarantees(result.held_probs_ND, result.labels_N, data, named_N=named_N, units_N=result.units_N),
        graph_sha256=None,
        parents=old.parents if unchanged else (Parent(old.name, old.graph_sha256),),
    )


def _plain(score: Score) -> dict[str, float]:
    return {"accuracy": score.accuracy, "balanced_accuracy": score.balanced_accuracy, "nll": score.nll}


def _check(source: SourceModel, readout: Readout, file_bytes: bytes, out: Path) -> None:
    """Write the file beside its place, run it, compare it with the readout, and only then put it in its place."""
    with writing_whole(out) as beside:
        beside.write_bytes(file_bytes)
        side = source.card.image.side
        faces_NSS = np.random.default_rng(0).integers(0, 256, (8, side, side), dtype=np.uint8)
        evidence = source.evidence(faces_NSS)
        expected_ND = readout(evidence) * _totals(source, evidence)
        found_ND = Classifier(beside, provider="cpu")(faces_NSS)
        apart = float(np.abs(found_ND - expected_ND).max())
        if apart > PARITY:
            raise ModelError(f"{out}: not written, its answers would differ by {apart:.4f} from what was fitted")


def adapt_to_shares(
    source: SourceModel, faces_NSS: NDArray[np.uint8], on_progress: Progress | None = None
) -> tuple[PriorEstimate, Readout]:
    """Estimate the shares of the emotions among unlabelled faces, and the readout that takes them into account.

    Raises:
        DataError: there is no face.
        ModelError: the model's card does not say how often each emotion occurs in its own data.
    """
    source_C = source_shares(source.card)
    evidence = source.evidence(faces_NSS, on_progress)
    probs_NC = np.exp(evidence.log_probs_NC)
    found = estimate_priors(probs_NC / probs_NC.sum(axis=1, keepdims=True), source_C)
    classes = len(source_C)
    offsets_C = np.log(found.priors_C / source_C)
    return found, Readout(np.eye(classes), np.zeros((evidence.features_NK.shape[1], classes)), offsets_C)


def source_shares(card: ModelCard) -> NDArray[np.float64]:
    """How often each label occurs among the faces that the model's probabilities are calibrated for.

    Raises:
        ModelError: the model's card does not say it.
    """
    if card.naming is not None:
        shares_C = np.array([card.naming.frequencies[label] for label in card.labels])
        return np.asarray(np.maximum(shares_C, 1e-4) / np.maximum(shares_C, 1e-4).sum())
    counts = card.data.get("counts")
    split = counts.get("validation", counts.get("train")) if isinstance(counts, dict) else None
    if not isinstance(split, dict) or not all(split.get(label, 0) > 0 for label in card.labels):
        raise ModelError(f"the card of {card.name!r} does not say how often each emotion occurs in its data")
    counts_C = np.array([float(split[label]) for label in card.labels])
    return np.asarray(counts_C / counts_C.sum())


def write_shares(source: SourceModel, readout: Readout, estimate: PriorEstimate, out: Path, *, data: str) -> ModelCard:
    """Write the model for estimated shares of the emotions. Its card states no accuracy, since none was measured.

    Raises:
        ModelError, OutputError: as ``write_adapted``.
    """
    if out.suffix.lower() != ".onnx":
        raise ModelError(f"{out}: expected a name that ends in .onnx")
    file_bytes, old = adapted(source, readout), source.card
    card = replace(
        old,
        name=out.stem,
        metrics={},
        data={key: value for key, value in old.data.items() if key != REFERENCE_KEY},
        provenance={**old.provenance, "adapted": {"method": "estimated shares", "data": data}},
        naming=Naming(dict(zip(old.labels, estimate.priors_C.tolist(), strict=True)), 0.0, data),
        guarantees=None,
        graph_sha256=None,
        parents=(Parent(old.name, old.graph_sha256),),
    )
    file_bytes, card = write_card(file_bytes, card)
    _check(source, readout, file_bytes, out)
    return card
