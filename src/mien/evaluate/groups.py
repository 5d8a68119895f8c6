"""Does the model do worse for some faces? Figures for each group, and gaps that are more than chance.

    columns = {"camera": Column(("indoor", "outdoor"), index_N)}
    found = compare_groups(probs_NC, labels_N, predicted_N, columns, threshold=0.5)
    found.gaps[0].sentence                     # "camera = indoor: 6.1 points fewer right than expected (p = 0.004)"

A gap is what the faces of a group get beside what faces of the same emotions get in the whole set, so a group with many
hard emotions does not look badly treated. Two gaps are tested: the share that is right, and confidence less that share.

All gaps of all columns are tested together. A permutation test shuffles the faces within each emotion and compares each
gap with the largest one of each shuffle (max-T, Westfall & Young 1993): if there is no gap at all, the chance to report
any is 5 %. Where several faces belong to one person, give ``units_N``: then each person's share in the gaps changes its
sign at random as a whole (wild cluster bootstrap, Cameron, Gelbach & Miller 2008).

Nothing about persons is inferred: columns come from a file of the user's or from the pixels (pixel_groups.py).

Shape legend: N faces, C classes, K gaps, U units, R shuffles, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.contract.errors import DataError
from mien.contract.statistics import wilson_interval
from mien.evaluate.predictions import check_predictions

SMALLEST_TESTED = 30
"""Faces of a group, and faces outside it, below which a group is shown but not tested."""

LEVEL = 0.05
SHUFFLES = 2000


@dataclass(frozen=True, eq=False)
class Column:
    """One way to part the faces.

    Attributes:
        groups: their names.
        index_N: of each face's group, -1 where it has none.
    """

    groups: tuple[str, ...]
    index_N: NDArray[np.int64]


@dataclass(frozen=True)
class GroupFigures:
    """Figures of one group.

    Attributes:
        column: what parts the faces.
        group: its name.
        n: faces.
        accuracy: share that is right; None for a group without faces, like the other figures.
        accuracy_95: Wilson's interval.
        expected_accuracy: what faces of the same emotions get in the whole set.
        confidence: mean of the answers' probabilities.
        accepted: share that the model answers; None without a threshold.
        accepted_error: share of these that is wrong.
        accepted_error_95: Wilson's interval.
        small: fewer than 30 faces: shown, not tested.
    """

    column: str
    group: str
    n: int
    accuracy: float | None
    accuracy_95: tuple[float, float] | None
    expected_accuracy: float | None
    confidence: float | None
    accepted: float | None
    accepted_error: float | None
    accepted_error_95: tuple[float, float] | None
    small: bool


@dataclass(frozen=True)
class Gap:
    """How far one group is from what is expected of its emotions.

    Attributes:
        column: what parts the faces.
        group: its name.
        measure: "accuracy" or "overconfidence" (confidence minus share right).
        difference: of the group, less what is expected; -1..1.
        p_value: adjusted for all gaps that were tested.
    """

    column: str
    group: str
    measure: str
    difference: float
    p_value: float

    @property
    def shown(self) -> bool:
        """Whether chance is unlikely to have made it."""
        return self.p_value < LEVEL

    @property
    def sentence(self) -> str:
        """What a user reads."""
        points = f"{100 * abs(self.difference):.1f} points"
        if self.measure == "accuracy":
            what = f"{points} {'fewer' if self.difference < 0 else 'more'} right than faces of the same emotions"
        else:
            what = (
                f"{points} more {'over' if self.difference > 0 else 'under'}confident than faces of the same emotions"
            )
        return f"{self.column} = {self.group}: {what} (p = {self.p_value:.2g})"


@dataclass(frozen=True)
class GroupReport:
    """What ``compare_groups`` found.

    Attributes:
        n: faces.
        accuracy: share of all faces that is right.
        figures: of every group.
        gaps: tested, the least likely by chance first.
        units: how many persons or other units were kept together; None where each face stood for itself.
    """

    n: int
    accuracy: float
    figures: tuple[GroupFigures, ...]
    gaps: tuple[Gap, ...]
    units: int | None

    @property
    def worst(self) -> GroupFigures | None:
        """The tested group with the lowest accuracy; None without any."""
        large = [each for each in self.figures if not each.small and each.accuracy is not None]
        return min(large, key=lambda each: each.accuracy or 0.0) if large else None

    @property
    def verdict(self) -> str:
        """One sentence."""
        count = len({(gap.column, gap.group) for gap in self.gaps})
        shown = sum(gap.shown for gap in self.gaps)
        if not count:
            return f"no group has {SMALLEST_TESTED} faces, so no gap was tested"
        if not shown:
            return f"no gap shown in {count} groups, {len(self.gaps)} comparisons"
        return f"{shown} of {len(self.gaps)} comparisons show a gap that chance would hardly make"


def compare_groups(
    probs_NC: ArrayLike,
    labels_N: ArrayLike,
    columns: Mapping[str, Column],
    *,
    predicted_N: ArrayLike | None = None,
    threshold: float | None = None,
    units_N: ArrayLike | None = None,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> GroupReport:
    """Figures of each group, and a test of all gaps together.

    Args:
        probs_NC: shape (N, C), rows summing to 1 or less.
        labels_N: index of the true class, shape (N,).
        columns: by name, each with an index for all N faces.
        predicted_N: index of the class that the model names; None for the most probable one.
        threshold: the model answers where its highest probability is at least this; None for always.
        units_N: person of each face, where persons have several; None where each face stands for itself.
        shuffles: of the test.
        seed: of the shuffles.

    Raises:
        DataError: labels, indices or units of the wrong shape or range.
        ModelError: the probabilities are none.
    """
    given = np.asarray(probs_NC, dtype=np.float64)
    _, truth_N = check_predictions(given, labels_N, given.shape[-1])
    named_N = given.argmax(axis=1) if predicted_N is None else np.asarray(predicted_N)
    for name, column in columns.items():
        if column.index_N.shape != truth_N.shape or column.index_N.max(initial=-1) >= len(column.groups):
            raise DataError(f"column {name!r}: expected an index into {len(column.groups)} groups for each face")
    right_N = (named_N == truth_N).astype(np.float64)
    sure_N = given[np.arange(len(truth_N)), named_N]
    accepted_N = given.max(axis=1) >= threshold if threshold is not None else None
    expected_N = _class_means(right_N, truth_N)
    members = [
        (name, group, column.index_N == at)
        for name, column in columns.items()
        for at, group in enumerate(column.groups)
    ]
    figures = tuple(
        _figures(name, group, in_N, right_N, sure_N, expected_N, accepted_N) for name, group, in_N in members
    )
    tested = [member for member in members if SMALLEST_TESTED <= member[2].sum() <= len(truth_N) - SMALLEST_TESTED]
    measures = {"accuracy": right_N, "overconfidence": sure_N - right_N}
    gaps = _tested_gaps(tested, measures, truth_N, units_N, shuffles, seed)
    units = None if units_N is None else len(np.unique(np.asarray(units_N)))
    return GroupReport(len(truth_N), float(right_N.mean()), figures, gaps, units)


Member = tuple[str, str, NDArray[np.bool_]]
"""Column, group, and which faces belong to it."""


def _tested_gaps(
    tested: Sequence[Member],
    measures: Mapping[str, NDArray[np.float64]],
    truth_N: NDArray[np.int64],
    units_N: ArrayLike | None,
    shuffles: int,
    seed: int,
) -> tuple[Gap, ...]:
    """All gaps with p-values adjusted by the largest of each shuffle, the least likely first."""
    if not tested:
        return ()
    inside_GN = np.stack([member[2] for member in tested]).astype(np.float64)
    rng = np.random.default_rng(seed)
    residuals_MN = np.stack([values_N - _class_means(values_N, truth_N) for values_N in measures.values()])
    if units_N is None:
        observed_K, largest_R = _by_permutation(inside_GN, residuals_MN, truth_N, shuffles, rng)
    else:
        units = np.asarray(units_N)
        if units.shape != truth_N.shape:
            raise DataError(f"expected a unit for each of {len(truth_N)} faces, got shape {units.shape}")
        observed_K, largest_R = _by_signs(inside_GN, residuals_MN, units, shuffles, rng)
    p_K = (1 + (largest_R[None] >= np.abs(observed_K)[:, None] - 1e-12).sum(axis=1)) / (1 + shuffles)
    share_K = (residuals_MN @ inside_GN.T / inside_GN.sum(axis=1)).ravel()
    names = [(measure, name, group) for measure in measures for name, group, _ in tested]
    gaps = [
        Gap(name, group, measure, float(share), float(p))
        for (measure, name, group), share, p in zip(names, share_K, p_K, strict=True)
    ]
    return tuple(sorted(gaps, key=lambda gap: (gap.p_value, -abs(gap.difference))))


def _by_permutation(
    inside_GN: NDArray[np.float64],
    residuals_MN: NDArray[np.float64],
    truth_N: NDArray[np.int64],
    shuffles: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gaps in their standard deviations under shuffling within classes, shape (K,), and the largest of each shuffle."""
    variance_MG = np.zeros((len(residuals_MN), len(inside_GN)))
    classes = [np.flatnonzero(truth_N == each) for each in np.unique(truth_N)]
    for at_P in classes:
        if len(at_P) > 1:
            share_G = inside_GN[:, at_P].mean(axis=1)
            variance_MG += np.outer(residuals_MN[:, at_P].var(axis=1, ddof=1), share_G * (1 - share_G) * len(at_P))
    scale_MG = np.sqrt(np.maximum(variance_MG, 1e-12))
    largest_R = np.empty(shuffles)
    shuffled_N = np.arange(len(truth_N))
    for shuffle in range(shuffles):
        for at_P in classes:
            shuffled_N[at_P] = rng.permutation(at_P)
        largest_R[shuffle] = np.abs(residuals_MN[:, shuffled_N] @ inside_GN.T / scale_MG).max()
    return (residuals_MN @ inside_GN.T / scale_MG).ravel(), largest_R


def _by_signs(
    inside_GN: NDArray[np.float64],
    residuals_MN: NDArray[np.float64],
    units_N: NDArray[np.generic],
    shuffles: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """As ``_by_permutation``, with the sign of each unit's contribution at random."""
    names, unit_N = np.unique(units_N, return_inverse=True)
    parts = [
        np.bincount(unit_N, weights=residual_N * in_N, minlength=len(names))
        for residual_N in residuals_MN
        for in_N in inside_GN - inside_GN.mean(axis=1, keepdims=True)
    ]
    parts_KU = np.stack(parts)
    scale_K = np.sqrt(np.maximum((parts_KU**2).sum(axis=1), 1e-12))
    signs_RU = rng.choice(np.array([-1.0, 1.0]), (shuffles, len(names)))
    return parts_KU.sum(axis=1) / scale_K, np.abs(signs_RU @ parts_KU.T / scale_K).max(axis=1)


def _class_means(values_N: NDArray[np.float64], truth_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each face the mean over the faces of its class."""
    sums_C, faces_C = np.bincount(truth_N, weights=values_N), np.bincount(truth_N)
    means_C: NDArray[np.float64] = sums_C / np.maximum(faces_C, 1)
    return means_C[truth_N]


def _figures(
    column: str,
    group: str,
    in_N: NDArray[np.bool_],
    right_N: NDArray[np.float64],
    sure_N: NDArray[np.float64],
    expected_N: NDArray[np.float64],
    accepted_N: NDArray[np.bool_] | None,
) -> GroupFigures:
    n = int(in_N.sum())
    if not n:
        return GroupFigures(column, group, 0, None, None, None, None, None, None, None, True)
    accepted = error = error_95 = None
    if accepted_N is not None:
        answered_N = in_N & accepted_N
        count = int(answered_N.sum())
        accepted = count / n
        if count:
            wrong = float((1 - right_N[answered_N]).sum())
            error, error_95 = wrong / count, wilson_interval(wrong, count)
    return GroupFigures(
        column,
        group,
        n,
        float(right_N[in_N].mean()),
        wilson_interval(float(right_N[in_N].sum()), n),
        float(expected_N[in_N].mean()),
        float(sure_N[in_N].mean()),
        accepted,
        error,
        error_95,
        n < SMALLEST_TESTED,
    )


def quantile_column(values_N: ArrayLike, parts: int = 4, decimals: int = 0) -> Column:
    """Part faces by a number into groups of about equally many; equal numbers stay together.

    Args:
        values_N: NaN for a face without one.
        parts: how many groups at most.
        decimals: of the bounds in the groups' names.
    """
    values = np.asarray(values_N, dtype=np.float64)
    known = values[np.isfinite(values)]
    if not len(known):
        return Column((), np.full(len(values), -1, dtype=np.int64))
    inner = np.unique(np.quantile(known, np.arange(1, parts) / parts))
    inner = inner[(inner > known.min()) & (inner <= known.max())]
    index_N = np.where(np.isfinite(values), np.searchsorted(inner, values, side="right"), -1).astype(np.int64)
    ends = [-math.inf, *inner.tolist(), math.inf]
    names = []
    for low, high in zip(ends, ends[1:], strict=False):
        if math.isinf(low):
            names.append("all" if math.isinf(high) else f"below {high:.{decimals}f}")
        else:
            names.append(
                f"{low:.{decimals}f} or more" if math.isinf(high) else f"{low:.{decimals}f} to {high:.{decimals}f}"
            )
    return Column(tuple(names), index_N)


MOST_GROUPS = 20
"""More different texts than this are no groups; more different numbers are parted into quarters."""


def text_columns(
    texts: Mapping[str, NDArray[np.str_]], on_problem: Callable[[str], None] | None = None
) -> dict[str, Column]:
    """Columns of texts as groups: each text a group, or quarters where all are numbers and there are many.

    Args:
        texts: by column, a text for each face, "" for none.
        on_problem: called with one line for each column that makes no groups.
    """
    found: dict[str, Column] = {}
    for name, texts_N in texts.items():
        groups = tuple(str(each) for each in np.unique(texts_N) if each)
        if len(groups) > MOST_GROUPS:
            try:
                found[name] = quantile_column([float(each) if each else math.nan for each in texts_N], decimals=1)
                continue
            except ValueError:
                pass
        if 2 <= len(groups) <= MOST_GROUPS:
            index_N = np.array([groups.index(each) if each else -1 for each in texts_N.tolist()], dtype=np.int64)
            found[name] = Column(groups, index_N)
        elif on_problem is not None:
            on_problem(f"column {name!r}: {len(groups):,} different texts make no groups, left out")
    return found
