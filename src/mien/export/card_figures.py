"""The figures that go into a file: its calibration, its threshold, its metrics on validation.

    scaling, fitted = calibrate(logits_NC, labels_N)
    metrics = figures(scaling(logits_NC), validation)

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.naming import naming_weights
from mien.data.faceset import FaceSet
from mien.evaluate.calibration import accept_threshold
from mien.evaluate.guarantee_fit import fit_guarantees
from mien.evaluate.intervals import intervals_95
from mien.evaluate.logit_scaling import Scaling, calibration
from mien.evaluate.metrics import evaluate
from mien.evaluate.reference_fit import with_reference
from mien.evaluate.vote_metrics import against_votes

VALIDATION_FACES = "the validation split of the data that the model was trained on"

CLEARLY = 0.005
"""How much lower the ECE of a curve or of vector scaling has to be before it replaces one temperature for all."""


def calibrate(
    logits_NC: NDArray[np.floating[Any]], labels_N: NDArray[np.int64], rejected: int = 0, curves: bool = True
) -> tuple[Scaling, dict[str, Any]]:
    """One temperature for all, or a curve or vector scaling where that is clearly better on held-out faces.

    Args:
        logits_NC: before calibration.
        labels_N: the true classes.
        rejected: how many of the classes, the last, are never among ``labels_N``; an offset of their own could only
            silence them, so that there is no vector scaling.
        curves: whether a temperature that follows the confidence will do.

    Returns:
        The scaling and the figures for the card: ECE before, and cross-fitted as it is now.
    """
    classes = logits_NC.shape[1]
    found = calibration(logits_NC, labels_N)
    accuracy = float((logits_NC.argmax(axis=1) == labels_N).mean())
    fitted = {"ece_before": found.ece_before, "accuracy_before": accuracy}
    choices = {"temperature": found.temperature.ece_cross_fitted - CLEARLY}
    if curves:
        choices["curve"] = found.curve.ece_cross_fitted
    if not rejected and found.vector.accuracy_cross_fitted >= accuracy - 0.001:
        choices["vector"] = found.vector.ece_cross_fitted
    best = min(choices, key=choices.__getitem__)
    if best == "vector":
        fitted["ece_cross_fitted"] = found.vector.ece_cross_fitted
        fitted["accuracy_cross_fitted"] = found.vector.accuracy_cross_fitted
        return Scaling(found.vector.factors, found.vector.offsets), fitted
    if best == "curve":
        fitted["ece_cross_fitted"] = found.curve.ece_cross_fitted
        return Scaling.even(classes, curve_K=found.curve.coefficients), fitted
    fitted["ece_cross_fitted"] = found.temperature.ece_cross_fitted
    return Scaling.even(classes, found.temperature.value), fitted


def figures(probs_NC: NDArray[np.floating[Any]], validation: FaceSet) -> dict[str, Any]:
    """Metrics of probabilities with their intervals, against votes too where there are any."""
    found = evaluate(probs_NC, validation.labels_N, validation.labels).to_dict()
    found |= intervals_95(probs_NC, validation.labels_N, validation.labels).to_dict()
    if validation.votes_NC is not None:
        votes = against_votes(probs_NC, validation.votes_NC, validation.labels)
        found["votes"] = None if votes is None else votes.to_dict()
    return found


def measured(
    card: ModelCard,
    probs_NC: NDArray[np.floating[Any]],
    validation: FaceSet,
    fitted: dict[str, Any],
    accept_error: float,
) -> ModelCard:
    """The card of a new model with all that is measured on validation: threshold, guarantees, figures, reference.

    Args:
        card: the other facts.
        probs_NC: calibrated, in the order of ``validation.labels``.
        validation: labelled faces.
        fitted: what ``calibrate`` says of the calibration; it goes among the figures.
        accept_error: at most this share of what the model accepts is wrong.
    """
    card = replace(
        card,
        accept_threshold=accept_threshold(probs_NC, validation.labels_N, accept_error),
        guarantees=fit_guarantees(probs_NC, validation.labels_N, VALIDATION_FACES),
        metrics={"validation": figures(probs_NC, validation) | fitted, "accepted_error_rate": accept_error},
    )
    return with_reference(card, probs_NC, validation, VALIDATION_FACES)


def rescored(
    card: ModelCard, probs_NC: NDArray[np.floating[Any]], validation: FaceSet, more: dict[str, Any], **changes: Any
) -> ModelCard:
    """The card of a model made from another: figures and threshold measured afresh, ``more`` among the provenance.

    Args:
        card: of the model that it was made from.
        probs_NC: of the new one on ``validation``, columns in the data's order.
        validation: labelled faces.
        more: facts of how it was made.
        changes: other fields.
    """
    error = float(card.metrics.get("accepted_error_rate", 0.2))
    order = [validation.labels.index(name) for name in card.labels] if _same(card, validation) else None
    guarantees = None
    if order is not None:  # thresholds of single emotions are kept in the card's order
        own_NC, own_N = probs_NC[:, order], np.argsort(order)[validation.labels_N]
        named_N = (own_NC * naming_weights(card.labels, card.naming)).argmax(axis=1)
        guarantees = fit_guarantees(own_NC, own_N, VALIDATION_FACES, named_N=named_N)
    card = replace(
        card,
        accept_threshold=accept_threshold(probs_NC, validation.labels_N, error),
        guarantees=guarantees,
        metrics={"validation": figures(probs_NC, validation), "accepted_error_rate": error},
        provenance={**card.provenance, **more},
        **changes,
    )
    return with_reference(card, probs_NC, validation, VALIDATION_FACES)


def _same(card: ModelCard, validation: FaceSet) -> bool:
    return set(card.labels) == set(validation.labels)
