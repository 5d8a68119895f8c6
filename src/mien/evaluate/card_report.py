"""What a reviewer asks of a model card beyond accuracy: coverage, groups, corruptions, resolution, other data.

    report = card_report(found, probs_NC, faces, card, others=(("field", found_there),))
    card = with_report(card, report)

All of it is measured on labelled faces that the model has not trained on (``mien evaluate --into-card``).

Shape legend: N faces, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.contract.card import ModelCard
from mien.contract.errors import ModelError
from mien.contract.guarantees import SetRule
from mien.contract.plain_types import plain
from mien.contract.statistics import Interval
from mien.data.faceset import FaceSet
from mien.evaluate.assessment import Assessment
from mien.evaluate.conformal_sets import coverage_over_splits
from mien.evaluate.groups import GroupReport, compare_groups
from mien.evaluate.pixel_groups import pixel_columns

REPORT_KEY = "report"
"""Name of the report in ``ModelCard.metrics``."""

LEVELS = (0.8, 0.9, 0.95)
SPLITS = 50
RESOLUTION = "down-sampling"
"""The corruption that is shown as the curve over the resolution of a face."""


@dataclass(frozen=True)
class SetRow:
    """Sets of emotions, thresholds fitted on random halves and counted on the others.

    Attributes:
        level: the coverage that is promised.
        by_class: for each emotion by itself.
        coverage: mean over the splits.
        worst_class: lowest coverage of an emotion.
        mean_size: emotions in a set.
    """

    level: float
    by_class: bool
    coverage: float
    worst_class: float
    mean_size: float


@dataclass(frozen=True)
class GroupRow:
    """One group of faces. ``gap`` is its accuracy less that of faces of the same emotions; ``shown`` if it was tested
    and is more than chance."""

    column: str
    group: str
    n: int
    accuracy: float
    accuracy_95: Interval
    gap: float
    shown: bool


@dataclass(frozen=True)
class CurveRow:
    """Accuracy under one corruption at rising strengths, whose ``settings`` are in ``unit``."""

    name: str
    unit: str
    settings: tuple[float, ...]
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class DataRow:
    """Headline figures on one data set; ``accepted`` and ``accepted_error`` at the card's threshold."""

    data: str
    n: int
    accuracy: float
    accuracy_95: Interval
    balanced_accuracy: float | None
    ece: float
    ece_if_calibrated_95: Interval
    ece_debiased: float
    accepted: float | None
    accepted_error: float | None


@dataclass(frozen=True)
class CardReport:
    """All of it. ``curves`` is empty, and ``clean`` None, where corruptions were not measured."""

    data: str
    n: int
    sets: tuple[SetRow, ...]
    groups: tuple[GroupRow, ...]
    groups_verdict: str
    clean: float | None
    curves: tuple[CurveRow, ...]
    shift: tuple[DataRow, ...]

    @classmethod
    def of(cls, card: ModelCard) -> CardReport | None:
        """The report in a card; None where it holds none.

        Raises:
            ModelError: it holds something else there.
        """
        held = card.metrics.get(REPORT_KEY)
        if held is None:
            return None
        try:
            rows = {
                name: tuple(kind(**_tuples(row)) for row in held[name])
                for name, kind in (("sets", SetRow), ("groups", GroupRow), ("curves", CurveRow), ("shift", DataRow))
            }
            return cls(**{**held, **rows})
        except (TypeError, KeyError, AttributeError):
            raise ModelError(f"the card of {card.name!r} misstates its report; make the file again") from None


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def card_report(
    found: Assessment,
    probs_NC: NDArray[np.floating[Any]],
    faces: FaceSet,
    card: ModelCard,
    data: str,
    others: Sequence[tuple[str, Assessment]] = (),
) -> CardReport:
    """Measure what is not measured yet.

    Args:
        found: of these faces; its corruptions are taken over where they were measured.
        probs_NC: of these faces, columns in the order of ``faces.labels``.
        faces: labelled, not trained on.
        card: of the model.
        data: what the faces are, in words.
        others: names of further data sets and what was found there, for the table of shifts.
    """
    sets = []
    for by_class in (False, True):
        for level in LEVELS:
            each = coverage_over_splits(
                probs_NC, faces.labels_N, SetRule("lac"), level, by_class=by_class, splits=SPLITS
            )
            sets.append(SetRow(level, by_class, each.coverage, each.worst_class_coverage, each.mean_size))
    groups = found.groups or compare_groups(
        probs_NC, faces.labels_N, pixel_columns(faces), threshold=card.accept_threshold
    )
    swept = found.robustness
    curves = (
        ()
        if swept is None
        else tuple(CurveRow(name, each.unit, each.settings, each.accuracy) for name, each in swept.corruptions.items())
    )
    return CardReport(
        data,
        found.metrics.n,
        tuple(sets),
        _group_rows(groups),
        groups.verdict,
        None if swept is None else swept.clean_accuracy,
        curves,
        tuple(data_row(name, each) for name, each in ((data, found), *others)),
    )


def data_row(data: str, found: Assessment) -> DataRow:
    """Headline figures of one data set."""
    metrics, accepted = found.metrics, found.selective.accepted
    return DataRow(
        data,
        metrics.n,
        metrics.accuracy,
        metrics.accuracy_95,
        metrics.balanced_accuracy,
        metrics.ece,
        found.intervals.ece_if_calibrated,
        metrics.ece_debiased,
        None if accepted is None else accepted.coverage,
        None if accepted is None else accepted.error,
    )


def _group_rows(found: GroupReport) -> tuple[GroupRow, ...]:
    shown = {(gap.column, gap.group) for gap in found.gaps if gap.shown and gap.measure == "accuracy"}
    return tuple(
        GroupRow(
            each.column,
            each.group,
            each.n,
            each.accuracy,
            each.accuracy_95,
            each.accuracy - each.expected_accuracy,
            (each.column, each.group) in shown,
        )
        for each in found.figures
        if each.accuracy is not None and each.accuracy_95 is not None and each.expected_accuracy is not None
    )


def with_report(card: ModelCard, report: CardReport) -> ModelCard:
    """The card with the report; all else stays."""
    return replace(card, metrics={**card.metrics, REPORT_KEY: plain(report)})
